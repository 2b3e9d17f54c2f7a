import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FeedMonitor } from "../../../src/daemon/monitors/feed-monitor.ts";
import type { FeedReport } from "../../../src/engine/groups/feeds.ts";
import type { Alert } from "../../../src/report/alert.ts";
import { eventually } from "../../system/support/netns.ts";

const identity = { hostName: "h", clusterName: "c", nodeId: "n" };
const current: FeedReport = { group: "bad", file: "/none", state: "current", blocks: 3, problem: "" };

test("the same problem is told once, another one and one that comes back again", () => {
	const alerts: Alert[] = [];
	const monitor = new FeedMonitor({
		sink: { publish: (some) => void alerts.push(...some) },
		identity,
		watched: () => "/",
		changed: () => {},
	});
	const broken = (problem: string): FeedReport => ({ ...current, state: "last-good", problem });
	const counts = [[current], [broken("a")], [broken("a")], [broken("b")], [current], [broken("b")], []].map(
		(reports) => {
			monitor.read(reports);
			return alerts.length;
		},
	);
	expect(counts).toEqual([0, 1, 1, 2, 2, 3, 3]);
	monitor.read([{ ...broken("c"), state: "unusable", blocks: null }]);
	expect(monitor.warnings).toEqual([
		"the file of the group bad is not taken, and policies that name it are not in force: c",
	]);
	expect(monitor.state).toHaveLength(1);
	monitor.stop();
});

/** A directory of policies and one beside it. */
class Directories implements Disposable {
	readonly home = mkdtempSync(join(tmpdir(), "portward-feeds-"));
	readonly policies = join(this.home, "policies");
	readonly outside = join(this.home, "outside");

	constructor() {
		for (const directory of [this.policies, this.outside]) mkdirSync(directory);
	}

	/** Puts a list of another length in a file's place. */
	replace(file: string): void {
		const staged = join(this.home, "new");
		writeFileSync(staged, "10.0.0.0/8\n".repeat(1 + Math.floor(Math.random() * 1000)));
		renameSync(staged, file);
	}

	[Symbol.dispose](): void {
		rmSync(this.home, { recursive: true });
	}
}

/** A monitor of one group's file, and how often it told of a change. */
class Watching implements Disposable {
	changes = 0;
	readonly monitor: FeedMonitor;

	constructor(policies: string, file: string) {
		this.monitor = new FeedMonitor({
			sink: { publish: () => {} },
			identity,
			watched: () => policies,
			changed: () => void this.changes++,
		});
		this.monitor.read([{ ...current, file }]);
	}

	[Symbol.dispose](): void {
		this.monitor.stop();
	}
}

test("a file that lies elsewhere is watched, however it is replaced, and no longer once no group names it", async () => {
	using directories = new Directories();
	const { outside, policies } = directories;
	const file = join(outside, "list.txt");
	directories.replace(file);
	using watching = new Watching(policies, file);
	for (let round = 1; round <= 3; round++) {
		const before = watching.changes;
		// Until it is watched nothing is told, so it is replaced until it is.
		await eventually(
			`change ${round}`,
			() => {
				directories.replace(file);
				return watching.changes > before;
			},
			60_000,
		);
	}
	rmSync(file);
	const before = watching.changes;
	await eventually("that it is gone", () => watching.changes > before, 60_000);
	watching.monitor.read([{ ...current, file: join(policies, "list.txt") }]);
	const told = watching.changes;
	for (let round = 0; round < 10; round++) {
		directories.replace(file);
		await Bun.sleep(50);
	}
	expect(watching.changes).toBe(told);
});

test("so is one that the watch of the policies does not see: behind a hidden name, or where a link leads out", async () => {
	using directories = new Directories();
	const { outside, policies } = directories;
	mkdirSync(join(policies, ".hidden"));
	symlinkSync(outside, join(policies, "directory"));
	symlinkSync(join(outside, "list.txt"), join(policies, "link.txt"));
	symlinkSync(join(policies, ".hidden/list.txt"), join(policies, "inner.txt"));
	const cases = [
		["link.txt", join(outside, "list.txt"), true],
		["directory/list.txt", join(outside, "list.txt"), true],
		[".hidden/list.txt", join(policies, ".hidden/list.txt"), true],
		["inner.txt", join(policies, ".hidden/list.txt"), true],
		["plain.txt", join(policies, "plain.txt"), false],
	] as const;
	for (const [name, real, watched] of cases) {
		directories.replace(real);
		using watching = new Watching(policies, join(policies, name));
		if (watched) {
			await eventually(name, () => {
				directories.replace(real);
				return watching.changes > 0;
			});
			continue;
		}
		for (let round = 0; round < 10; round++) {
			directories.replace(real);
			await Bun.sleep(50);
		}
		expect(watching.changes).toBe(0);
	}
});
