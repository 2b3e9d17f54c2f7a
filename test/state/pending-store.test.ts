/** Confirming, with the process ended before each single step, and with a system that refuses each of them. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchangePaths } from "../../ffi/rename.ts";
import { syncFileSystem } from "../../ffi/sync.ts";
import { type FileOperations, fileOperations } from "../../src/state/pending-files.ts";
import {
	changeDirectory,
	type PendingChange,
	recordPath,
	type Takeover,
} from "../../src/state/pending-record.ts";
import { realDirectory } from "../../src/state/pending-replace.ts";
import { PendingStore } from "../../src/state/pending-store.ts";
import { readTree, writeTree } from "../../src/state/pending-tree.ts";

let root: string;
let state: string;
let policies: string;
let snapshot: string;
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "portward-pending."));
	[state, policies, snapshot] = [
		join(root, "state"),
		join(root, "policies"),
		join(root, "state/confirmed/policies"),
	];
	mkdirSync(snapshot, { recursive: true });
	for (const directory of [policies, snapshot]) put(directory, old);
});
afterEach(() => rmSync(root, { recursive: true }));

const old = { "a.yaml": "old a", "team/b.yaml": "old b", "gone.json": "{}" };
const fresh = { "a.yaml": "new a", "other/c.yml": "new c" };

function put(directory: string, files: Readonly<Record<string, string>>): void {
	for (const [path, content] of Object.entries(files)) {
		mkdirSync(join(directory, path, ".."), { recursive: true });
		writeFileSync(join(directory, path), content);
	}
}

/** The policies of a directory, as the daemon would read them. */
function content(directory: string): Record<string, string> {
	const read = readTree(directory, { checkPermissions: false });
	if (!read.ok) throw new Error(read.problems.join());
	return Object.fromEntries(read.files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()]));
}

class Crash extends Error {}

const syncReally = async (directory: string) => {
	const synced = syncFileSystem(directory);
	if (!synced.ok) throw new Error(synced.error);
};

const real = fileOperations(exchangePaths, syncReally);

/** The real operations, of which the one numbered `fatal` and, after a crash, all later ones fail instead. */
function failing(fatal: number, kind: "crash" | "refusal") {
	let count = 0;
	const counted = () => count;
	const wrap =
		<A extends readonly unknown[]>(operation: (...values: A) => Promise<void>) =>
		async (...values: A): Promise<void> => {
			count += 1;
			if (kind === "crash" ? count >= fatal : count === fatal) throw new Crash("no more");
			await operation(...values);
		};
	const operations: FileOperations = {
		makeDirectory: wrap(real.makeDirectory),
		writeFile: wrap(real.writeFile),
		syncFileSystem: wrap(real.syncFileSystem),
		syncDirectory: wrap(real.syncDirectory),
		setOwner: wrap(real.setOwner),
		rename: wrap(real.rename),
		exchange: wrap(real.exchange),
		removeFile: wrap(real.removeFile),
		removeEmptyDirectory: wrap(real.removeEmptyDirectory),
		removeTree: wrap(real.removeTree),
		writeState: wrap(real.writeState),
		removeState: wrap(real.removeState),
	};
	return { operations, counted };
}

const change: PendingChange = {
	id: "0123456789abcdef",
	source: "apply",
	from: "/root/new",
	asker: { uid: 0, pid: 7, session: { connection: "192.0.2.1 1 192.0.2.2 22", opened: 5 } },
	boot: "boot",
	started: 10,
	deadline: 70,
	seconds: 60,
	enforced: 11,
	digest: "d",
	base: null,
	confirming: null,
};

/** A change that pends: its copy and its record are there. */
async function pend(): Promise<void> {
	const store = new PendingStore(state, real);
	const files = Object.entries(fresh).map(([path, text]) => ({ path, bytes: Buffer.from(text) }));
	await writeTree(store.policies(change.id), files, real);
	await store.write(change);
}

const both = (): Takeover[] => [
	{ target: policies, keep: false },
	{ target: snapshot, keep: false },
];

/** What the daemon does about the record when it starts. */
async function restart(): Promise<"pending" | "settled"> {
	const store = new PendingStore(state, real);
	const read = store.read();
	if (read.state === "damaged") throw new Error(read.problem);
	const pending = read.state === "known" && read.change.confirming === null;
	if (read.state === "known" && !pending) await store.finish(read.change);
	expect(await store.cleanUp(pending ? change.id : null, [policies, snapshot])).toEqual([]);
	return pending ? "pending" : "settled";
}

describe("confirming", () => {
	test("makes the copy the content of both directories, and leaves nothing beside", async () => {
		await pend();
		const confirmed = await new PendingStore(state, real).confirm(change, both());
		expect(confirmed).toEqual({ kept: [], warnings: [] });
		expect([content(policies), content(snapshot)]).toEqual([fresh, fresh]);
		expect(readdirSync(root).sort()).toEqual(["policies", "state"]);
		expect(readdirSync(policies).sort()).toEqual(["a.yaml", "other"]);
		expect(existsSync(changeDirectory(state, change.id))).toBe(false);
		expect(existsSync(recordPath(state))).toBe(false);
	});

	test("of many files waits for the disk once, not for each of them", async () => {
		const many = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`${i % 7}/${i}.yaml`, `${i}`]));
		const files = Object.entries(many).map(([path, text]) => ({ path, bytes: Buffer.from(text) }));
		const synced: string[] = [];
		const counting: FileOperations = {
			...real,
			writeFile: async (path, bytes, mode, sync) => {
				if (sync && !path.endsWith(`.portward-${change.id}`)) synced.push(path);
				await real.writeFile(path, bytes, mode, sync);
			},
			syncFileSystem: async (directory) => {
				synced.push(directory);
				await real.syncFileSystem(directory);
			},
		};
		const store = new PendingStore(state, counting);
		await writeTree(store.policies(change.id), files, counting);
		await store.write(change);
		await store.confirm(change, [{ target: policies, keep: false }]);
		expect(content(policies)).toEqual(many);
		expect(synced).toEqual([store.policies(change.id), join(root, `.policies.portward-${change.id}`)]);
	});

	test.each([
		["thrown away", []],
		["kept", [`policies.before-${change.id}`]],
	])(
		"before each step the process may end: old or new is there whole, and the next start settles it",
		async (_what, kept) => {
			const takeovers = both().map((one) => ({ ...one, keep: one.target === policies && kept.length > 0 }));
			let crashes = 0;
			for (let fatal = 1; ; fatal++) {
				rmSync(root, { recursive: true });
				mkdirSync(snapshot, { recursive: true });
				for (const directory of [policies, snapshot]) put(directory, old);
				put(policies, { README: "mine", ".git/HEAD": "ref", "team/NOTES": "n" });
				await pend();
				const { operations, counted } = failing(fatal, "crash");
				const ended = await new PendingStore(state, operations)
					.confirm(change, takeovers)
					.catch((error: unknown) => error);
				// Tidying away is allowed to fail, so a crash in it shows as warnings.
				if (counted() < fatal) {
					expect(ended).toEqual({ kept: kept.map((name) => join(root, name)), warnings: [] });
					break;
				}
				crashes += 1;
				for (const directory of [policies, snapshot]) {
					expect([old, fresh].some((whole) => Bun.deepEquals(whole, content(directory)))).toBe(true);
				}
				const found = await restart();
				const wanted = found === "pending" ? old : fresh;
				expect({ fatal, found, policies: content(policies), snapshot: content(snapshot) }).toEqual({
					fatal,
					found,
					policies: wanted,
					snapshot: wanted,
				});
				const rest = ["README", ".git/HEAD", "team/NOTES"].map((path) =>
					readFileSync(join(policies, path), "utf8"),
				);
				expect(rest).toEqual(["mine", "ref", "n"]);
				const beside = found === "settled" ? kept : [];
				expect(readdirSync(root).sort()).toEqual(["policies", ...beside, "state"]);
				for (const name of beside) expect(content(join(root, name))).toEqual(old);
				expect(readdirSync(join(state, "confirmed"))).toEqual(["policies"]);
				expect(existsSync(join(policies, `.portward-${change.id}`))).toBe(false);
			}
			expect(crashes).toBeGreaterThan(25);
		},
	);

	test("where the system refuses a step before the decision is carried out, the change is pending as before", async () => {
		let refusals = 0;
		for (let fatal = 1; ; fatal++) {
			rmSync(root, { recursive: true });
			mkdirSync(snapshot, { recursive: true });
			for (const directory of [policies, snapshot]) put(directory, old);
			await pend();
			const { operations, counted } = failing(fatal, "refusal");
			const ended = await new PendingStore(state, operations)
				.confirm(change, both())
				.catch((error: unknown) => error);
			if (counted() < fatal) break;
			refusals += 1;
			const refused = ended instanceof Error;
			const wanted = refused ? old : fresh;
			expect({ fatal, policies: content(policies), snapshot: content(snapshot) }).toEqual({
				fatal,
				policies: wanted,
				snapshot: wanted,
			});
			if (refused) expect(new PendingStore(state, real).read()).toEqual({ state: "known", change });
			await restart();
			expect(readdirSync(root).sort()).toEqual(["policies", "state"]);
		}
		expect(refusals).toBeGreaterThan(20);
	});

	test("a directory that is missing comes to be, and a link keeps leading to the directory behind it", async () => {
		rmSync(policies, { recursive: true });
		await pend();
		await new PendingStore(state, real).confirm(change, [{ target: policies, keep: false }]);
		expect(content(policies)).toEqual(fresh);
		const link = join(root, "link");
		symlinkSync("policies", link);
		expect(await realDirectory(link)).toBe(policies);
		symlinkSync("none", join(root, "dangling"));
		expect(await realDirectory(join(root, "dangling"))).toBe(join(root, "none"));
	});

	test("permissions stay, what portward does not read is carried over, and links into policies are not", async () => {
		put(policies, { "README.md": "mine", ".git/config": "c", "team/.keep": "", "a.yaml": "old" });
		mkdirSync(join(policies, ".real"));
		symlinkSync(".real", join(policies, "shown"));
		symlinkSync("a.yaml", join(policies, "alias.yaml"));
		Bun.spawnSync(["chmod", "0750", policies]);
		Bun.spawnSync(["chown", "0:12345", policies]);
		await pend();
		await new PendingStore(state, real).confirm(change, [{ target: policies, keep: false }]);
		expect(readdirSync(policies, { recursive: true }).map(String).sort()).toEqual(
			[
				".git",
				".git/config",
				".real",
				"README.md",
				"a.yaml",
				"other",
				"other/c.yml",
				"team",
				"team/.keep",
			].sort(),
		);
		const { mode, gid } = statSync(policies);
		expect([mode & 0o777, gid]).toEqual([0o750, 12345]);
	});

	test("an old content that is to be kept is kept whole, under a name that says of which change", async () => {
		await pend();
		const { kept } = await new PendingStore(state, real).confirm(change, [{ target: policies, keep: true }]);
		expect(kept).toEqual([`${policies}.before-${change.id}`]);
		expect([content(policies), content(kept[0] ?? "")]).toEqual([fresh, old]);
	});

	test("lists of groups take their place with the policies, and are no part of the snapshot", async () => {
		await pend();
		const store = new PendingStore(state, real);
		put(store.policies(change.id), { "bad.txt": "192.0.2.0/24" });
		put(policies, { "bad.txt": "10.0.0.0/8" });
		await store.confirm(change, both());
		expect(readFileSync(join(policies, "bad.txt"), "utf8")).toBe("192.0.2.0/24");
		expect(existsSync(join(snapshot, "bad.txt"))).toBe(false);
	});
});

describe("the record", () => {
	test("is what was written", async () => {
		const store = new PendingStore(state, real);
		expect(store.read()).toEqual({ state: "none" });
		for (const written of [
			change,
			{ ...change, asker: null, enforced: null, base: "b", confirming: both() },
		]) {
			await store.write(written);
			expect(store.read()).toEqual({ state: "known", change: written });
		}
		await store.drop(change.id);
		expect(store.read()).toEqual({ state: "none" });
	});

	test.each<[string, object]>([
		["an id that is a path", { id: "../../../etc" }],
		["no deadline", { deadline: null }],
		["a deadline that is no time", { deadline: "soon" }],
		["another source", { source: "x" }],
		["a session without a time", { asker: { uid: 0, pid: 1, session: { connection: "" } } }],
		["a relative target", { confirming: [{ target: "etc", keep: false }] }],
		["a target without a decision", { confirming: [{ target: "/etc" }] }],
	])("with %s is damaged", async (_what, over) => {
		await real.writeState(recordPath(state), { ...change, ...over });
		expect(new PendingStore(state, real).read()).toMatchObject({ state: "damaged" });
	});

	test("that is cut is damaged, also where an earlier version of it is whole", async () => {
		const store = new PendingStore(state, real);
		await store.write(change);
		await store.write({ ...change, deadline: 71 });
		writeFileSync(recordPath(state), readFileSync(recordPath(state)).subarray(0, 50));
		expect(store.read()).toMatchObject({ state: "damaged" });
	});
});

test("a mount point is known to be beyond exchange before anything changes", async () => {
	const store = new PendingStore(state, real);
	expect(store.probe("/proc")).rejects.toThrow("/proc is a mount point");
	await store.probe(policies);
	expect(readdirSync(root).sort()).toEqual(["policies", "state"]);
});
