import { expect, test } from "bun:test";
import { invalidAlert } from "../../../../src/enforcers/network/report/invalid-alert.ts";

test("says how many, which way, and what to write where that is wrong", () => {
	const host = { clusterName: "c", hostName: "h", nodeId: "n" };
	const alert = invalidAlert({ ingress: 2, egress: 1, forward: 0 }, 1_700_000_000_000, host);
	expect(alert).toMatchObject({
		Timestamp: 1_700_000_000,
		HostName: "h",
		PolicyName: "",
		Tags: "INVALID",
		Action: "Block",
		Result: "Permission denied",
		Data: "Ingress=2 Egress=1 Forward=0",
	});
	expect(alert.Message).toContain(
		"3 packets that belong to no flow were dropped (2 ingress, 1 egress, 0 forwarded)",
	);
	expect(alert.Message).toContain("invalidPackets: accept");
});
