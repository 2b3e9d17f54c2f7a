/** The stand-in for Blocks against the brute-force oracle: it drops all that they do, and stays small. */

import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import {
	type GuardBox,
	guardBoxes,
	guardRules,
	maxGuardBoxes,
	maxGuardIntervals,
} from "../../../../../src/enforcers/network/compile/render/guard.ts";
import type { NetworkPolicy } from "../../../../../src/enforcers/network/model.ts";
import { cidr, policy, rule } from "../build.ts";
import { packets, policySets } from "../generate.ts";
import { options } from "../options.ts";
import { judge, type OraclePacket } from "../oracle.ts";

setDefaultTimeout(180_000);

const meaning = { posture: "audit", allowlistScope: "direction" } as const;

function boxesOf(policies: readonly NetworkPolicy[], direction: "ingress" | "egress"): GuardBox[] {
	const result = compileNetwork(policies, { ...options, ...meaning });
	if (!result.ok) throw new Error(result.diagnostics[0]?.message);
	return guardBoxes(result.model[direction]);
}

function drops(boxes: readonly GuardBox[], packet: OraclePacket): boolean {
	return boxes.some(
		(box) =>
			box.family === packet.family &&
			(box.interface === null ||
				(box.interface.prefix
					? packet.interface.startsWith(box.interface.name)
					: packet.interface === box.interface.name)) &&
			(box.protocol === null || box.protocol === packet.protocol) &&
			(box.source === null ||
				(packet.source !== null && box.source.first <= packet.source && packet.source <= box.source.last)) &&
			(box.ports === null ||
				box.ports.some(({ first, last }) => first <= packet.port && packet.port <= last)) &&
			box.addresses.some(({ first, last }) => first <= packet.address && packet.address <= last),
	);
}

const intervals = (boxes: readonly GuardBox[]) => boxes.reduce((sum, box) => sum + box.addresses.length, 0);

test("every packet that a rule blocks is dropped", () => {
	fc.assert(
		fc.property(policySets, fc.array(packets, { minLength: 20, maxLength: 40 }), (policies, sample) => {
			const boxes = { ingress: boxesOf(policies, "ingress"), egress: boxesOf(policies, "egress") };
			for (const packet of sample) {
				if (judge(policies, meaning, packet).action !== "Block") continue;
				expect(drops(boxes[packet.direction], packet)).toBe(true);
			}
		}),
		{ numRuns: 150 },
	);
});

test("few Blocks stand in exactly: no other address, port, protocol, interface or hole", () => {
	const boxes = boxesOf(
		[
			policy("p", rule("Block", { peers: ["10.0.0.0/24"], ports: ["tcp/22"] })),
			policy("q", rule("Block", { peers: ["2001:db8::/64"] }, 0)),
		],
		"ingress",
	);
	const texts = guardRules(boxes, "ingress");
	expect(texts.some((text) => text === "tcp dport 22 ip saddr 10.0.0.0/24 drop")).toBe(true);
	expect(texts.some((text) => text === "ip6 saddr 2001:db8::/64 drop")).toBe(true);
	expect(texts).toHaveLength(2);
});

test("100 000 scattered addresses become few intervals that hold them all, and leave the widest gaps open", () => {
	const from = Array.from(
		{ length: 100_000 },
		(_, i) => `10.${i >> 11}.${(i >> 3) & 255}.${(i & 7) * 32}/32`,
	);
	const boxes = boxesOf([policy("p", rule("Block", { peers: from }))], "ingress");
	expect(intervals(boxes)).toBeLessThanOrEqual(maxGuardIntervals);
	const packet = (address: string): OraclePacket => ({
		direction: "ingress",
		family: 4,
		address: cidr(`${address}/32`).base,
		interface: "eth0",
		protocol: "udp",
		port: 1,
		source: 1,
	});
	for (const address of from.filter((_, i) => i % 997 === 0))
		expect(drops(boxes, packet(address.replace("/32", "")))).toBe(true);
	expect(drops(boxes, packet("9.255.255.255"))).toBe(false);
	expect(drops(boxes, packet("11.0.0.0"))).toBe(false);
});

test("thousands of ports and interfaces stay within bounds and are all closed", () => {
	const rules = Array.from({ length: 3000 }, (_, i) =>
		rule("Block", { peers: [`10.${i >> 8}.${i & 255}.0/24`], ports: [`tcp/${1000 + 3 * i}`] }, i),
	);
	const boxes = boxesOf([policy("p", ...rules)], "ingress");
	expect(boxes.length).toBeLessThanOrEqual(maxGuardBoxes);
	expect(intervals(boxes)).toBeLessThanOrEqual(maxGuardIntervals);
	for (let i = 0; i < 3000; i += 101) {
		const address = cidr(`10.${i >> 8}.${i & 255}.9/32`).base;
		const packet = { direction: "ingress", family: 4, interface: "eth0", protocol: "tcp" } as const;
		expect(drops(boxes, { ...packet, address, port: 1000 + 3 * i, source: 1 })).toBe(true);
	}
	expect(guardRules(boxes, "ingress").every((text) => text.endsWith(" drop"))).toBe(true);
});
