import { expect, test } from "bun:test";
import { describeFlow } from "../../../../src/enforcers/network/history/describe-flow.ts";
import type { SeenFlow } from "../../../../src/enforcers/network/history/seen-flow.ts";

const flow: SeenFlow = {
	direction: "ingress",
	hook: "input",
	protocol: "tcp",
	remote: { family: 4, base: 0x0a0001c8n, prefix: 32 },
	port: 5432,
	interface: "eth0",
	guest: null,
	action: "Block",
	policy: "database-only",
	count: 1,
	bytes: null,
	firstSeen: 1,
	lastSeen: 2,
	isNew: false,
};
const guest = { family: 4 as const, value: 0xac110002n };

const cases: readonly (readonly [Partial<SeenFlow>, string])[] = [
	[{}, "10.0.1.200 → tcp 5432 on eth0"],
	[{ direction: "egress", hook: "output" }, "this host → tcp 5432 of 10.0.1.200 on eth0"],
	[{ hook: "forward", guest }, "10.0.1.200 → tcp 5432 on eth0 for guest 172.17.0.2"],
	[{ direction: "egress", hook: "forward", guest }, "guest 172.17.0.2 → tcp 5432 of 10.0.1.200 on eth0"],
	[{ protocol: 1, port: null, interface: "" }, "10.0.1.200 → icmp"],
	[{ protocol: 253, port: null }, "10.0.1.200 → protocol 253 on eth0"],
	[{ remote: { family: 6, base: 0x20010db8n << 96n, prefix: 64 } }, "2001:db8::/64 → tcp 5432 on eth0"],
];

test("a flow is told as alerts tell a packet", () => {
	for (const [change, expected] of cases) expect(describeFlow({ ...flow, ...change })).toBe(expected);
});
