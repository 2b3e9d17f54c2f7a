import { expect, test } from "bun:test";
import {
	moreNewFlowsAlert,
	newFlowAlert,
} from "../../../../../src/enforcers/network/report/history/new-flow-alert.ts";
import { flowJson } from "../../../../cli/journey/support/flows.ts";

const host = { clusterName: "c", hostName: "h", nodeId: "n" };

test("a new flow is told with all that tells it apart", () => {
	const alert = newFlowAlert(flowJson, 0, host);
	expect(alert.Message).toContain("ingress from 192.0.2.7 to tcp 443 on eth0; portward flows --new lists");
	expect(alert).toMatchObject({ Action: "Audit", Tags: "NEW-FLOW", Type: "SystemEvent" });
	expect(alert.EventData).toMatchObject({
		Remote: "192.0.2.7",
		Port: "443",
		Verdict: "Allow",
		Policy: "web",
	});
});

test("a flow of a guest names it, and one without a port none", () => {
	const forwarded = {
		...flowJson,
		direction: "egress",
		protocol: "icmp",
		port: null,
		hook: "forward",
		guest: "172.17.0.2",
		policy: null,
	} as const;
	const { EventData, Message } = newFlowAlert(forwarded, 0, host);
	expect(Message).toContain("egress to 192.0.2.7 icmp on eth0 of guest 172.17.0.2");
	expect(EventData).not.toHaveProperty("Port");
	expect(EventData).not.toHaveProperty("Policy");
});

test("the rest is summed up", () => {
	expect(moreNewFlowsAlert(40, 0, host)).toMatchObject({ EventData: { Flows: "40" } });
});
