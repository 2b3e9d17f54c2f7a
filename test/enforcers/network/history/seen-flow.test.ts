import { expect, test } from "bun:test";
import { flowJson, historyJson, type SeenFlow } from "../../../../src/enforcers/network/history/seen-flow.ts";

const flow: SeenFlow = {
	direction: "ingress",
	hook: "input",
	protocol: "tcp",
	remote: { family: 4, base: 0x0a00_0001n, prefix: 32 },
	port: 22,
	interface: "eth0",
	guest: null,
	action: "Allow",
	policy: "ssh",
	count: 3,
	bytes: null,
	firstSeen: 1_000,
	lastSeen: 61_000,
	isNew: true,
};

test("a flow has the fields that others build on", () => {
	expect(flowJson(flow)).toEqual({
		direction: "ingress",
		protocol: "tcp",
		remote: "10.0.0.1",
		port: 22,
		interface: "eth0",
		hook: "input",
		guest: null,
		action: "Allow",
		policy: "ssh",
		count: 3,
		bytes: null,
		firstSeen: "1970-01-01T00:00:01.000Z",
		lastSeen: "1970-01-01T00:01:01.000Z",
		new: true,
	});
});

test("merged flows have a block, a guest its address", () => {
	const merged = {
		...flow,
		remote: { family: 6, base: 0x20010db8n << 96n, prefix: 64 } as const,
		guest: { family: 4, value: 0xac11_0002n } as const,
	};
	const [json] = historyJson({ since: 0, flows: [merged], merged: 5, lost: 1 }).flows;
	expect(json?.remote).toBe("2001:db8::/64");
	expect(json?.guest).toBe("172.17.0.2");
});
