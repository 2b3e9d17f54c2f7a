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

test("a file that lies elsewhere is watched, however it is replaced, and no longer once no group names it", async () => {
	const home = mkdtempSync(join(tmpdir(), "portward-feeds-"));
	const [policies, outside] = [join(home, "policies"), join(home, "outside")];
	for (const directory of [policies, outside]) mkdirSync(directory);
	let changes = 0;
	const monitor = new FeedMonitor({
		sink: { publish: () => {} },
		identity,
		watched: () => policies,
		changed: () => void changes++,
	});
	const file = join(outside, "list.txt");
	const replace = (text: string) => {
		writeFileSync(`${file}.new`, text);
		renameSync(`${file}.new`, file);
	};
	try {
		replace("10.0.0.0/8\n");
		monitor.read([{ ...current, file }]);
		for (let round = 1; round <= 3; round++) {
			const before = changes;
			// Until it is watched nothing is told, so it is replaced until it is.
			await eventually(
				`change ${round}`,
				() => {
					replace(`10.${round}.0.0/16\n`.repeat(1 + Math.floor(Math.random() * 1000)));
					return changes > before;
				},
				60_000,
			);
		}
		rmSync(file);
		const before = changes;
		await eventually("that it is gone", () => changes > before, 60_000);
		monitor.read([{ ...current, file: join(policies, "list.txt") }]);
	} finally {
		monitor.stop();
		rmSync(home, { recursive: true });
	}
});

test("so is one that the watch of the policies does not see: behind a hidden name, or where a link leads out", async () => {
	const home = mkdtempSync(join(tmpdir(), "portward-feeds-"));
	const [policies, outside] = [join(home, "policies"), join(home, "outside")];
	for (const directory of [policies, outside, join(policies, ".hidden")]) mkdirSync(directory);
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
		let changes = 0;
		const monitor = new FeedMonitor({
			sink: { publish: () => {} },
			identity,
			watched: () => policies,
			changed: () => void changes++,
		});
		const replace = () => {
			writeFileSync(join(home, "new"), `10.0.0.0/8\n`.repeat(1 + Math.floor(Math.random() * 1000)));
			renameSync(join(home, "new"), real);
		};
		try {
			replace();
			monitor.read([{ ...current, file: join(policies, name) }]);
			if (watched) {
				await eventually(name, () => {
					replace();
					return changes > 0;
				});
			} else {
				for (let round = 0; round < 10; round++) {
					replace();
					await Bun.sleep(50);
				}
				expect(changes).toBe(0);
			}
		} finally {
			monitor.stop();
		}
	}
	rmSync(home, { recursive: true });
});
