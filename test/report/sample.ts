/** Data that the tests of this folder share. */

import type { Alert } from "../../src/report/alert.ts";

export function sampleAlert(overrides: Partial<Alert> = {}): Alert {
	return {
		Timestamp: 1771821095,
		UpdatedTime: "2026-02-23T04:31:35.104233Z",
		ClusterName: "default",
		HostName: "vm1",
		NodeID: "n1",
		PolicyName: "np1",
		Severity: "5",
		Tags: "A,B",
		ATags: ["A", "B"],
		Message: "m",
		Type: "MatchedNetworkPolicy",
		Operation: "NetworkFirewall",
		Resource: "INGRESS",
		Data: "SourceIP=192.0.2.7",
		EventData: { SourceIP: "192.0.2.7" },
		Enforcer: "NetworkPolicyEnforcer",
		Action: "Audit",
		Result: "Passed",
		...overrides,
	};
}
