import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	appendFileSync,
	chmodSync,
	mkdirSync,
	mkdtempSync,
	renameSync,
	rmSync,
	symlinkSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quickFiles, scanDirectory, waitingFiles } from "../../src/source/directory-scan.ts";
import { DirectoryWatcher, type WatchOptions } from "../../src/source/watch.ts";
import { until } from "../system/support/isolated.ts";

let base: string;
let directory: string;
let watcher: DirectoryWatcher | null = null;
let told = 0;

beforeEach(() => {
	base = mkdtempSync(join(tmpdir(), "watch-"));
	directory = join(base, "policies");
	mkdirSync(directory);
	told = 0;
});
afterEach(() => {
	watcher?.stop();
	watcher = null;
	rmSync(base, { recursive: true, force: true });
});

/** Far apart unless a test is about them, so that only events can tell. */
const EVENTS_ONLY: WatchOptions = { rescanMs: 3_600_000 };
const RESCAN_ONLY: WatchOptions = { events: false, rescanMs: 20 };

async function watchIt(options: WatchOptions, path = directory): Promise<void> {
	watcher = new DirectoryWatcher(path, () => told++, options);
	await watcher.ready;
}

/** Does something and waits until it is told. */
async function expectTold(what: string, action: () => void): Promise<void> {
	const before = told;
	action();
	await until(() => told > before, `${what} is told`);
}

const modes: [string, WatchOptions][] = [
	["events", EVENTS_ONLY],
	["the periodic look", RESCAN_ONLY],
];

test.each(modes)("%s: files written, replaced, cut, renamed and removed are told", async (_, options) => {
	await watchIt(options);
	const file = join(directory, "a.yaml");
	await expectTold("a new file", () => writeFileSync(file, "one"));
	await expectTold("a longer file", () => appendFileSync(file, "two"));
	await expectTold("an atomic replacement", () => {
		writeFileSync(join(directory, ".a.yaml.new"), "three");
		renameSync(join(directory, ".a.yaml.new"), file);
	});
	await expectTold("a second replacement", () => {
		writeFileSync(join(directory, ".a.yaml.new"), "other");
		renameSync(join(directory, ".a.yaml.new"), file);
	});
	await expectTold("permissions", () => chmodSync(file, 0o600));
	await expectTold("a cut file", () => writeFileSync(file, ""));
	await expectTold("a renamed file", () => renameSync(file, join(directory, "b.yaml")));
	await expectTold("a removed file", () => unlinkSync(join(directory, "b.yaml")));
});

test("a directory far above that is swapped for another is told, and watched from then on", async () => {
	for (const name of ["etc/conf/policies", "new/conf/policies"])
		mkdirSync(join(base, name), { recursive: true });
	await watchIt({ rescanMs: 20, watchedShare: Number.POSITIVE_INFINITY }, join(base, "etc/conf/policies"));
	writeFileSync(join(base, "new/conf/policies/a.yaml"), "x");
	await expectTold("the swap", () => {
		renameSync(join(base, "etc"), join(base, "old"));
		renameSync(join(base, "new"), join(base, "etc"));
	});
	await expectTold("a change there", () => writeFileSync(join(base, "etc/conf/policies/a.yaml"), "yy"));
});

test.each(modes)("%s: what happens in directories that came later is told", async (_, options) => {
	await watchIt(options);
	await expectTold("nested directories", () => mkdirSync(join(directory, "sub/deeper"), { recursive: true }));
	await until(() => told > 0, "settled");
	await expectTold("a file in the new directory", () =>
		writeFileSync(join(directory, "sub/deeper/a.yaml"), "x"),
	);
	await expectTold("its change", () => writeFileSync(join(directory, "sub/deeper/a.yaml"), "yy"));
	await expectTold("a directory removed", () => rmSync(join(directory, "sub"), { recursive: true }));
	await expectTold("made again", () => mkdirSync(join(directory, "sub")));
	await expectTold("a file in it", () => writeFileSync(join(directory, "sub/b.yaml"), "x"));
});

test.each(modes)("%s: a mounted volume's swap of ..data is told", async (_, options) => {
	mkdirSync(join(directory, "..2026_1"));
	mkdirSync(join(directory, "..2026_2"));
	writeFileSync(join(directory, "..2026_1/a.yaml"), "one");
	writeFileSync(join(directory, "..2026_2/a.yaml"), "two");
	symlinkSync("..2026_1", join(directory, "..data"));
	symlinkSync("..data/a.yaml", join(directory, "a.yaml"));
	await watchIt(options);
	await expectTold("the swap", () => {
		symlinkSync("..2026_2", join(directory, "..data_tmp"));
		renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
	});
});

test.each(modes)("%s: the directory may be a link to a link, and each may be swapped", async (_, options) => {
	for (const name of ["one", "two", "three"]) {
		mkdirSync(join(base, "versions", name), { recursive: true });
		writeFileSync(join(base, "versions", name, "a.yaml"), name);
	}
	mkdirSync(join(base, "links"));
	symlinkSync("../versions/one", join(base, "links/inner"));
	symlinkSync("links/inner", join(base, "outer"));
	await watchIt(options, join(base, "outer"));
	const swap = (target: string, link: string): void => {
		symlinkSync(target, `${link}.new`);
		renameSync(`${link}.new`, link);
	};
	await expectTold("the inner swap", () => swap("../versions/two", join(base, "links/inner")));
	await expectTold("a file behind it", () => writeFileSync(join(base, "versions/two/b.yaml"), "x"));
	await expectTold("the outer swap", () => swap("versions/three", join(base, "outer")));
	await expectTold("a file behind that", () => writeFileSync(join(base, "versions/three/b.yaml"), "x"));
});

test.each(modes)("%s: a directory that vanishes and comes back is told", async (_, options) => {
	writeFileSync(join(directory, "a.yaml"), "x");
	await watchIt(options);
	await expectTold("the directory gone", () => renameSync(directory, join(base, "away")));
	await expectTold("the directory back", () => renameSync(join(base, "away"), directory));
	await expectTold("a file in it", () => writeFileSync(join(directory, "b.yaml"), "x"));
	await expectTold("the directory deleted", () => rmSync(directory, { recursive: true }));
	await expectTold("a new one in its place", () => mkdirSync(directory));
	await expectTold("a file in the new one", () => writeFileSync(join(directory, "c.yaml"), "x"));
});

test.each(modes)("%s: a directory that does not exist yet is told when it comes", async (_, options) => {
	await watchIt(options, join(base, "later/policies"));
	mkdirSync(join(base, "later"));
	await expectTold("the directory", () => mkdirSync(join(base, "later/policies")));
	await expectTold("a file", () => writeFileSync(join(base, "later/policies/a.yaml"), "x"));
});

test("a burst that never pauses is still told while it goes on", async () => {
	await watchIt({ ...EVENTS_ONLY, quietMs: 1_000_000, burstMs: 50 });
	const file = join(directory, "a.yaml");
	const deadline = Date.now() + 5000;
	while (told < 3 && Date.now() < deadline) {
		writeFileSync(file, String(Math.random()));
		await Bun.sleep(1);
	}
	expect(told).toBeGreaterThanOrEqual(3);
});

test("the first event of a burst is told at once, before the change is", async () => {
	const order: string[] = [];
	const stirred = () => void order.push("stirred");
	watcher = new DirectoryWatcher(directory, () => void order.push("told"), { ...EVENTS_ONLY, stirred });
	await watcher.ready;
	for (const name of ["a.yaml", "b.yaml"]) writeFileSync(join(directory, name), "x");
	await until(() => order.includes("told"), "the change");
	expect(order[0]).toBe("stirred");
});

test("a burst is told a few times, not once a file", async () => {
	await watchIt(EVENTS_ONLY);
	for (let i = 0; i < 300; i++) writeFileSync(join(directory, `${i}.yaml`), "x");
	await until(() => told > 0, "the burst");
	await expectTold("the end", () => writeFileSync(join(directory, "end.yaml"), "x"));
	expect(told).toBeLessThan(10);
});

test("an editor's hidden files and a neighbour of the directory are not told", async () => {
	await watchIt(EVENTS_ONLY);
	writeFileSync(join(directory, ".a.yaml.swp"), "x");
	writeFileSync(join(base, "neighbour"), "x");
	mkdirSync(join(base, "policies2"));
	await expectTold("a real one", () => writeFileSync(join(directory, "a.yaml"), "x"));
	await Bun.sleep(0);
	expect(told).toBe(1);
});

test("nothing is told after stop", async () => {
	await watchIt({ rescanMs: 5 });
	writeFileSync(join(directory, "a.yaml"), "x");
	watcher?.stop();
	watcher?.stop();
	const second = { told: 0 };
	const control = new DirectoryWatcher(directory, () => second.told++);
	await control.ready;
	writeFileSync(join(directory, "b.yaml"), "x");
	await until(() => second.told > 0, "the control sees it");
	control.stop();
	expect(told).toBe(0);
});

test("a link that leads to itself is a tree without entries", async () => {
	symlinkSync("loop", join(base, "loop"));
	await watchIt(RESCAN_ONLY, join(base, "loop"));
	await expectTold("a directory in its place", () => {
		unlinkSync(join(base, "loop"));
		mkdirSync(join(base, "loop"));
	});
});

test("a look that waits for no thread sees the same", async () => {
	mkdirSync(join(directory, "sub"));
	writeFileSync(join(directory, "sub", "a.yaml"), "a");
	writeFileSync(join(directory, ".hidden"), "b");
	symlinkSync("sub/a.yaml", join(directory, "link.yaml"));
	symlinkSync("nowhere", join(directory, "dangling.yaml"));
	symlinkSync(directory, join(base, "way"));
	for (const path of [directory, join(base, "way"), join(base, "absent", "deeper")]) {
		const [quick, waiting] = [await scanDirectory(path, quickFiles), await scanDirectory(path, waitingFiles)];
		expect(quick).toEqual(waiting);
	}
	expect((await scanDirectory(directory)).entries).toBe(4);
});
