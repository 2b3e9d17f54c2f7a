import { expect, test } from "bun:test";
import { flowPlace, flowText } from "../../../../src/enforcers/network/history/flow-text.ts";
import { cidr } from "../compile/build.ts";
import { flow, guestFlow } from "./support/flows.ts";

test("a flow says who opened it, to which service, by which link and how often", () => {
	expect(flowText(flow("ingress tcp 22 from 10.0.0.1"))).toBe(
		"ingress tcp 22 from 10.0.0.1 on eth0, 10 times, last 2026-11-21T00:00:00.000Z",
	);
	expect(flowText(flow("egress 1 to 10.0.0.1", { count: 1 }))).toContain(
		"egress icmp to 10.0.0.1 on eth0, once,",
	);
	const merged = { ...guestFlow("ingress udp 53 from 10.0.0.1"), remote: cidr("10.0.0.0/24") };
	expect(flowPlace(merged)).toBe("ingress udp 53 from 10.0.0.0/24 on eth0 of guest 172.17.0.2");
});
