import { expect, jest, test } from "bun:test";
import { FlowMonitor } from "../../../../src/enforcers/network/run/flow-monitor.ts";
import type { Alert } from "../../../../src/report/alert.ts";

function setUp(readmit: () => Promise<void> = async () => {}) {
	const alerts: Alert[] = [];
	const monitor = new FlowMonitor({
		table: "kubearmor",
		readmit,
		sink: { publish: (more) => void alerts.push(...more) },
		identity: { clusterName: "c", hostName: "h", nodeId: "n" },
		log: { info: () => {}, warn: () => {}, error: () => {} },
	});
	return { monitor, alerts };
}

const report = { blocked: 0, strayed: 0, overflow: 0, strictness: null, since: null, refused: 0 } as const;
const batch = (ids: readonly string[]) => ({
	events: [],
	tallies: Object.fromEntries(ids.map((id) => [id, { received: 1, aggregated: 0, overflow: 0 }])),
	lost: 0,
	foreign: 0,
	overruns: 0,
});

test("what was ended is counted by why, and what is refused now is told", () => {
	const { monitor, alerts } = setUp();
	monitor.ended({ ...report, blocked: 3, refused: 3, overflow: 2 });
	expect(monitor.warnings).toEqual([expect.stringContaining("2 connections")]);
	monitor.ended({ ...report, blocked: 1, strayed: 2, strictness: "loss", since: 0, refused: 4 });
	monitor.ended({ ...report, strayed: 5, strictness: "start" });
	expect(monitor.counts).toEqual({ blocked: 4, loss: 2, start: 5, refused: 0, overflow: 0 });
	expect(monitor.warnings).toEqual([]);
	expect(alerts.map(({ Message, EventData }) => [Message.split(",")[0], EventData])).toEqual([
		[
			"Connections that began while the firewall's table was not whole",
			{ Connections: "2", Since: "1970-01-01T00:00:00.000Z" },
		],
		["Connections that were open before the first start", { Connections: "5" }],
	]);
});

test("packets in the midst of unknown connections have all of them looked at, with pauses", async () => {
	jest.useFakeTimers();
	try {
		let looks = 0;
		const { monitor } = setUp(async () => void looks++);
		monitor.take(batch(["a", "b"]));
		expect(looks).toBe(0);
		for (let index = 0; index < 5; index++) monitor.take(batch(["midstream"]));
		expect(looks).toBe(1);
		const settle = async () => {
			for (let turn = 0; turn < 10; turn++) await Promise.resolve();
		};
		await settle();
		jest.advanceTimersByTime(10_000);
		await settle();
		expect(looks).toBe(2);
		await settle();
		jest.advanceTimersByTime(10_000);
		await settle();
		expect(looks).toBe(2);
		monitor.take(batch(["midstream"]));
		expect(looks).toBe(3);
	} finally {
		jest.useRealTimers();
	}
});
