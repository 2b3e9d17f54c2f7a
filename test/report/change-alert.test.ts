import { expect, test } from "bun:test";
import { changeAlert } from "../../src/report/change-alert.ts";
import { changeMetrics } from "../../src/report/metrics/change-metrics.ts";
import { familiesOf } from "../../src/report/metrics/group.ts";
import { sampleState } from "./sample.ts";

const host = { clusterName: "default", hostName: "h", nodeId: "n" };
const change = {
	id: "0123456789abcdef",
	source: "apply",
	from: "/root/new",
	seconds: 60,
	asker: { uid: 0, pid: 7, session: { connection: "192.0.2.1 1 192.0.2.2 22", opened: 5 } },
} as const;

test("an alert tells which change, who asked and why it ended", () => {
	const alert = changeAlert("rolled_back", change, "it was not confirmed in time", 1_700_000_000_000, host);
	expect(alert).toMatchObject({
		Type: "SystemEvent",
		PolicyName: "",
		Action: "Block",
		Tags: "PENDING-CHANGE",
		EventData: {
			Change: change.id,
			Step: "rolled_back",
			From: "/root/new",
			Seconds: "60",
			UID: "0",
			PID: "7",
			Session: "192.0.2.1 1 192.0.2.2 22",
			Reason: "it was not confirmed in time",
		},
	});
	expect(changeAlert("started", { ...change, asker: null }, "", 0, host)).toMatchObject({
		Action: "Audit",
		EventData: { Change: change.id, Step: "started", From: "/root/new", Seconds: "60" },
	});
	expect(changeAlert("refused", null, "no", 0, host).EventData).toEqual({ Step: "refused", Reason: "no" });
});

test("metrics say what is pending and how changes ended", () => {
	const counts = { confirmed: 1, rolled_back: 2, refused: 3 };
	const values = (secondsLeft: number | null) =>
		familiesOf([changeMetrics], {
			state: sampleState({
				pending: secondsLeft === null ? null : { ...change, secondsLeft, waiting: false },
			}),
			changes: counts,
		}).flatMap((family) => (family.type === "histogram" ? [] : family.samples.map(({ value }) => value)));
	expect(values(12)).toEqual([1, 12, 1, 2, 3]);
	expect(values(null)).toEqual([0, 0, 1, 2, 3]);
});
