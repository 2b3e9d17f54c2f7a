/** What is searched beyond quotas is what precedence and the quotas of each packet say. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Action } from "../../../../../src/base/model.ts";
import { protocolFits } from "../../../../../src/base/protocol.ts";
import {
	buildModel,
	decidePacket,
	findFailsafe,
	type NetworkModel,
	type Packet,
	ruleSets,
} from "../../../../../src/enforcers/network/compile/program.ts";
import { quotasOf } from "../../../../../src/enforcers/network/compile/quota.ts";
import { meaningOf } from "../../../../../src/enforcers/network/compile/rules.ts";
import { quotasAt } from "../../../../../src/enforcers/network/compile/verdict/explain.ts";
import { actionBeyond } from "../../../../../src/enforcers/network/compile/verdict/quota-programs.ts";
import { searchVerdict } from "../../../../../src/enforcers/network/compile/verdict/verdict-search.ts";
import type { NetworkPolicy } from "../../../../../src/enforcers/network/model.ts";
import { policy, rule } from "../build.ts";
import { failsafes, packets, policySets } from "../generate.ts";

const quota = { bytes: 1024, limit: "1KB", seconds: 60 };

/** Some of the rules have a quota. */
const quotaSets = fc
	.tuple(policySets, fc.array(fc.boolean(), { minLength: 56, maxLength: 56 }))
	.map(([policies, drawn]) => {
		let next = 0;
		const some = (rules: NetworkPolicy["ingress"]) =>
			rules.map((rule) => (drawn[next++] === true ? { ...rule, quota } : rule));
		return policies.map((policy) => ({
			...policy,
			ingress: some(policy.ingress),
			egress: some(policy.egress),
		}));
	});

function beyond(model: NetworkModel, packet: Packet): Action {
	const { action } = decidePacket(model, packet);
	if (findFailsafe(model[packet.direction], packet) !== null) return action;
	return actionBeyond([action, ...quotasAt(model, packet, "host").map(({ rule }) => rule.action)]);
}

test("with quotas exhausted, what is found has the verdict, and none is found only where there is none", () => {
	fc.assert(
		fc.property(
			quotaSets,
			failsafes,
			fc.array(packets, { minLength: 20, maxLength: 30 }),
			fc.constantFrom<Action>("Allow", "Audit", "Block"),
			fc.constantFrom("ingress", "egress" as const),
			(policies, failsafe, sample, action, direction) => {
				const meaning = { posture: "audit", allowlistScope: "direction", failsafe } as const;
				const model = {
					...buildModel(ruleSets(policies), meaning),
					quotas: quotasOf(policies, "enforce", meaningOf),
				};
				const whole = (bits: bigint) => [{ first: 0n, last: (1n << bits) - 1n }];
				const found = searchVerdict(model, {
					...{ direction, action, protocol: "any", ports: null, interface: null },
					addresses: { 4: whole(32n), 6: whole(128n) },
					quotas: "exhausted",
				});
				if (found !== null) {
					expect(beyond(model, found)).toBe(action);
					return;
				}
				for (const packet of sample) {
					if (packet.direction !== direction || !protocolFits(packet.protocol, packet.family)) continue;
					expect(beyond(model, packet)).not.toBe(action);
				}
			},
		),
		{ numRuns: 60 },
	);
});

test("a quota of a VRF counts what its members bear", () => {
	const vrfs = [{ name: "blue", members: ["eth9"] }];
	const policies = [policy("p", { ...rule("Block", { interfaces: ["blue"] }), quota })];
	const meaning = { posture: "audit", allowlistScope: "direction", vrfs } as const;
	const built = buildModel(ruleSets(policies), { ...meaning, failsafe: { ingress: [], egress: [] } });
	const model = { ...built, quotas: quotasOf(policies, "enforce", meaningOf) };
	const whole = (bits: bigint) => [{ first: 0n, last: (1n << bits) - 1n }];
	const refused = (name: string) =>
		searchVerdict(model, {
			...{ direction: "ingress", action: "Block", protocol: "any", ports: null, interface: name },
			addresses: { 4: whole(32n), 6: whole(128n) },
			quotas: "exhausted",
		});
	expect(refused("eth9")).toMatchObject({ interface: "eth9" });
	expect(refused("eth0")).toBeNull();
});

test("a quota refuses what passed, tells of it, and opens nothing", () => {
	expect(actionBeyond(["Allow", "Allow"])).toBe("Allow");
	expect(actionBeyond(["Allow", "Audit"])).toBe("Audit");
	expect(actionBeyond(["Audit", "Allow", "Block"])).toBe("Block");
	expect(actionBeyond(["Block", "Audit"])).toBe("Block");
});
