import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
