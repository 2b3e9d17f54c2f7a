import { expect, test } from "bun:test";
import { InvalidWatch } from "../../../../src/enforcers/network/run/invalid-watch.ts";
import type { Alert } from "../../../../src/report/alert.ts";

function watch() {
	const alerts: Alert[] = [];
	const identity = { clusterName: "c", hostName: "h", nodeId: "n" };
	const watched = new InvalidWatch({ publish: (more) => void alerts.push(...more) }, identity);
	const take = (ingress: number, egress: number, seconds: number) =>
		watched.take({ invalidPackets: { ingress, egress, forward: 0 } }, seconds * 1000);
	return { alerts, take };
}

test("tells at most once a minute, with what came since", () => {
	const { alerts, take } = watch();
	take(7, 3, 0);
	take(7, 3, 1);
	expect(alerts).toHaveLength(0);
	take(9, 4, 2);
	expect(alerts.map(({ EventData }) => EventData)).toEqual([{ Ingress: "2", Egress: "1", Forward: "0" }]);
	expect(alerts[0]).toMatchObject({
		Type: "SystemEvent",
		Action: "Block",
		PolicyName: "",
		ATags: ["INVALID"],
	});
	expect(alerts[0]?.Message).toContain("3 packets");
	expect(alerts[0]?.Message).toContain("invalidPackets: accept");
	take(20, 4, 30);
	take(21, 4, 61);
	expect(alerts).toHaveLength(1);
	take(21, 5, 62);
	expect(alerts.map(({ EventData }) => EventData)).toEqual([
		{ Ingress: "2", Egress: "1", Forward: "0" },
		{ Ingress: "12", Egress: "1", Forward: "0" },
	]);
});

test("counters that began anew count from zero", () => {
	const { alerts, take } = watch();
	take(7, 3, 0);
	take(2, 0, 1);
	expect(alerts.map(({ EventData }) => EventData)).toEqual([{ Ingress: "2", Egress: "0", Forward: "0" }]);
});
