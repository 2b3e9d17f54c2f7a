/** An example that is found is one; and where none is found, no packet of a sample is one. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Action, Family } from "../../../../../src/base/model.ts";
import { isTransport, protocolFits } from "../../../../../src/base/protocol.ts";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import { noSender, senderMatches } from "../../../../../src/enforcers/network/compile/sender.ts";
import {
	type Question,
	searchVerdict,
} from "../../../../../src/enforcers/network/compile/verdict/verdict-search.ts";
import { policy, rule } from "../build.ts";
import { accounts, failsafes, packets, policySets, senderSets, senders } from "../generate.ts";
import { judge, type OraclePacket } from "../oracle.ts";

const whole = (family: Family) => [{ first: 0n, last: (1n << BigInt(family === 4 ? 32 : 128)) - 1n }];
const everywhere = { 4: whole(4), 6: whole(6) };

/** Questions about one address, some ports and perhaps an interface, around a packet. */
const question = (packet: OraclePacket, action: Action, wide: boolean): Question => ({
	direction: packet.direction,
	protocol: packet.protocol ?? "any",
	ports: wide || !isTransport(packet.protocol) ? null : { first: packet.port, last: packet.port },
	addresses: wide
		? everywhere
		: { 4: [], 6: [], [packet.family]: [{ first: packet.address, last: packet.address }] },
	interface: wide ? null : packet.interface,
	action,
});

const within = (asked: Question, packet: OraclePacket) =>
	packet.direction === asked.direction &&
	(asked.protocol === "any" || asked.protocol === packet.protocol) &&
	(asked.ports === null || (asked.ports.first <= packet.port && packet.port <= asked.ports.last)) &&
	asked.addresses[packet.family].some(
		({ first, last }) => first <= packet.address && packet.address <= last,
	) &&
	(asked.interface === null || asked.interface === packet.interface);

test("what is found has the verdict by brute force, and none is found only where there is none", () => {
	fc.assert(
		fc.property(
			policySets,
			failsafes,
			fc.constantFrom("audit", "block" as const),
			fc.array(packets, { minLength: 20, maxLength: 30 }),
			fc.constantFrom<Action>("Allow", "Audit", "Block"),
			fc.boolean(),
			(policies, failsafe, posture, sample, action, wide) => {
				const meaning = { posture, allowlistScope: "direction" as const, failsafe };
				const model = buildModel(ruleSets(policies), meaning);
				const [first] = sample;
				if (first === undefined) return;
				const asked = question(first, action, wide);
				const found = searchVerdict(model, asked);
				if (found !== null) {
					expect(within(asked, found)).toBe(true);
					expect(judge(policies, meaning, found).action).toBe(action);
					return;
				}
				for (const packet of sample) {
					if (!protocolFits(packet.protocol, packet.family) || !within(asked, packet)) continue;
					expect(judge(policies, meaning, packet).action).not.toBe(action);
				}
			},
		),
		{ numRuns: 150 },
	);
});

test("whoever sends what is found is among those who are asked about, and has the verdict", () => {
	const resolve = (kind: string, name: string) => (kind === "service" ? 0 : (accounts[name] ?? null));
	const sent = fc
		.tuple(packets, senders)
		.map(([packet, sender]): OraclePacket => ({ ...packet, direction: "egress", sender }));
	fc.assert(
		fc.property(
			senderSets,
			fc.array(sent, { minLength: 20, maxLength: 30 }),
			fc.constantFrom<Action>("Allow", "Audit", "Block"),
			(policies, sample, action) => {
				const meaning = { posture: "block", allowlistScope: "direction", accounts } as const;
				const failsafe = { ingress: [], egress: [] };
				const model = buildModel(ruleSets(policies, { resolve }), { ...meaning, failsafe });
				const [first] = sample;
				if (first === undefined) return;
				const sender = first.sender ?? noSender;
				const asked = { ...question(first, action, true), sender };
				const found = searchVerdict(model, asked);
				if (found !== null) {
					expect(senderMatches(sender, found.sender ?? noSender)).toBe(true);
					expect(judge(policies, meaning, found).action).toBe(action);
					return;
				}
				for (const packet of sample) {
					if (!protocolFits(packet.protocol, packet.family) || !within(asked, packet)) continue;
					if (!senderMatches(sender, packet.sender ?? noSender)) continue;
					expect(judge(policies, meaning, packet).action).not.toBe(action);
				}
			},
		),
		{ numRuns: 30 },
	);
});

test("an exception of one address in a wide Block is found", () => {
	const policies = [
		policy("a", rule("Block", { peers: ["10.0.0.0/8"] })),
		policy("b", rule("Allow", { peers: ["10.7.7.7/32"], ports: ["tcp/443"], interfaces: ["eth*"] })),
		policy("c", rule("Block", { ports: ["tcp"], interfaces: ["eth0"] })),
	];
	const model = buildModel(ruleSets(policies), {
		posture: "block",
		allowlistScope: "direction",
		failsafe: { ingress: [], egress: [] },
	});
	const asked = { ...question({ ...nobody, protocol: "tcp" }, "Allow", true), interface: null };
	expect(searchVerdict(model, asked)).toMatchObject({
		address: 0x0a070707n,
		port: 443,
		interface: expect.stringMatching(/^eth/u),
	});
	expect(searchVerdict(model, { ...asked, ports: { first: 444, last: 65_535 } })).toBeNull();
});

const nobody: OraclePacket = {
	direction: "ingress",
	family: 4,
	address: 0n,
	interface: "",
	protocol: null,
	port: 0,
	source: null,
};
