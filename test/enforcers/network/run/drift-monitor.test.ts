import { expect, test } from "bun:test";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import type { DriftEvent } from "../../../../src/enforcers/network/observe/event.ts";
import { DriftMonitor } from "../../../../src/enforcers/network/run/drift-monitor.ts";
import type { Alert } from "../../../../src/report/alert.ts";
import { createLogger } from "../../../../src/report/log.ts";

const event: DriftEvent = { process: "nft", pid: 7, changes: ["delrule"], time: 0, generation: 1 };
const plan: NetworkPlan = {
	objects: [],
	roots: { ingress: "a", egress: "b" },
	rules: [],
	failsafe: [],
	elements: 0,
	allowlistMode: { ingress: false, egress: false },
	defaultDrop: { ingress: false, egress: false },
};

function monitor(inForce: NetworkPlan | null, open: boolean) {
	const done: string[] = [];
	const alerts: Alert[] = [];
	const monitor = new DriftMonitor({
		table: "t",
		enforcer: {
			plan: inForce,
			repair: async () => void done.push("repair"),
			letAllPass: async () => {
				done.push("open");
				return "";
			},
		},
		staysOpen: () => open,
		sink: { publish: (published) => void alerts.push(...published) },
		identity: { clusterName: "c", hostName: "h", nodeId: "n" },
		log: createLogger({ format: "text", colour: false, now: () => 0, write: () => {} }),
	});
	return { monitor, done, alerts };
}

test("a change of somebody else's is counted, alerted and undone", () => {
	const { monitor: ours, done, alerts } = monitor(plan, false);
	ours.changed(event);
	ours.changed(event);
	expect({ count: ours.count, done, alerts: alerts.length }).toEqual({
		count: 2,
		done: ["repair", "repair"],
		alerts: 2,
	});
});

test("lost notifications are no change, but only loading the table anew is sure", () => {
	const { monitor: ours, done, alerts } = monitor(plan, false);
	ours.lost(event);
	expect({ count: ours.count, done, alerts }).toEqual({ count: 0, done: ["repair"], alerts: [] });
});

test("where nothing is in force there is nothing to put back", () => {
	const { monitor: ours, done, alerts } = monitor(null, false);
	ours.changed(event);
	ours.lost(event);
	expect({ count: ours.count, done, alerts }).toEqual({ count: 0, done: [], alerts: [] });
});

test("a table that panic-open opened is opened again", () => {
	const { monitor: ours, done, alerts } = monitor(plan, true);
	ours.changed(event);
	expect({ count: ours.count, done, alerts }).toEqual({ count: 0, done: ["open"], alerts: [] });
});

test("a table that had been deleted counts from zero, which is alerted", () => {
	const { monitor: ours, alerts } = monitor(plan, false);
	ours.repaired("");
	expect(alerts).toEqual([]);
	ours.repaired("the kernel refused it", true);
	expect(alerts).toHaveLength(1);
});
