import { expect, test } from "bun:test";
import { FlowArray, orderedFlows, tellingOf } from "../../../src/cli/journey/flow-list.ts";
import { flow } from "../../enforcers/network/history/support/flows.ts";

const some = [
	flow("ingress tcp 1 from 10.0.0.1", { count: 1, lastSeen: 1 }),
	flow("ingress tcp 2 from 10.0.0.1", { count: 7, action: "Block" }),
	flow("ingress tcp 3 from 10.0.0.1", { count: 1, lastSeen: 2, isNew: true }),
	flow("ingress tcp 4 from 10.0.0.1", { count: 1, lastSeen: 1 }),
];

test("flows stand by how often they were seen, then by when, then as they came", () => {
	expect([...orderedFlows(new FlowArray(some), () => true)]).toEqual([1, 2, 0, 3]);
});

test("only what is wanted stands there", () => {
	expect([...orderedFlows(new FlowArray(some), (action) => action === "Block")]).toEqual([1]);
	expect([...orderedFlows(new FlowArray(some), (_, isNew) => isNew)]).toEqual([2]);
	expect([...orderedFlows(new FlowArray([]), () => true)]).toEqual([]);
});

test("what is told around the remote end is escaped, and names who decided", () => {
	expect(tellingOf(flow("egress udp 53 to 10.0.0.1", { policy: "\u001b[2J", isNew: true }))).toEqual({
		before: "this host → udp 53 of ",
		after: " on eth0 (\\x1b[2J) NEW",
	});
	expect(tellingOf(flow("ingress icmp from 10.0.0.1".replace("icmp", "1")))).toEqual({
		before: "",
		after: " → icmp on eth0",
	});
});

test("a flow that is not there is a mistake of ours", () => {
	expect(() => new FlowArray(some).flow(4)).toThrow(RangeError);
});
