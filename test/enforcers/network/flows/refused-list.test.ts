import { expect, test } from "bun:test";
import type { JudgedFlow } from "../../../../src/enforcers/network/flows/open-connections.ts";
import { type Rank, RefusedFlows } from "../../../../src/enforcers/network/flows/refused-list.ts";

const flow = (index: number, interfaces?: readonly string[]): JudgedFlow => ({
	direction: "ingress",
	family: 4,
	local: "192.0.2.1",
	remote: `198.18.${(index >> 8) & 0xff}.${index & 0xff}`,
	protocol: 17,
	destinationPort: 53,
	cut: {
		family: 4,
		remote: `198.18.${(index >> 8) & 0xff}.${index & 0xff}`,
		protocol: 17,
		remotePort: 1024 + (index >> 16),
		localPort: 53,
		...(interfaces === undefined ? {} : { interfaces }),
	},
});

test("where there is no room, those with a socket come first, and what nobody answered never", () => {
	const list = new RefusedFlows();
	const add = (from: number, count: number, rank: Rank) => {
		for (let index = from; index < from + count; index++) list.add(flow(index), rank);
	};
	add(0, 100_000, "unanswered");
	add(100_000, 65_536, "answered");
	add(200_000, 3, "socket");
	add(300_000, 4, "earlier");
	add(400_000, 5, "assured");
	const { flows, overflow } = list.fitting();
	expect(flows).toHaveLength(65_536);
	expect(overflow).toBe(12);
	expect(flows.slice(0, 13)).toEqual(
		[
			200_000, 200_001, 200_002, 300_000, 300_001, 300_002, 300_003, 400_000, 400_001, 400_002, 400_003,
			400_004, 100_000,
		].map((index) => flow(index)),
	);
});

test("a flow is refused once, as it was added first, and each set has room of its own", () => {
	const list = new RefusedFlows();
	list.add(flow(1, ["eth0", "eth1"]), "earlier");
	list.add(flow(1), "socket");
	list.add(flow(2), "answered");
	expect(list.fitting()).toEqual({ flows: [flow(1, ["eth0", "eth1"]), flow(2)], overflow: 0 });
});
