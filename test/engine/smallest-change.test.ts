/** The policy that is offered lets its flow pass and changes nothing else, by brute force. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { isTransport, protocolFits } from "../../src/base/protocol.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { networkPart } from "../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { smallestChange } from "../../src/engine/smallest-change.ts";
import { packets, policySets } from "../enforcers/network/compile/generate.ts";
import { judge, type OraclePacket } from "../enforcers/network/compile/oracle.ts";

const key = ({ direction, family, address, protocol, port }: OraclePacket) =>
	`${direction} ${family} ${address} ${protocol} ${isTransport(protocol) ? port : ""}`;

test("random policies and blocked packets", () => {
	let offered = 0;
	fc.assert(
		fc.property(
			policySets,
			packets.filter(({ protocol, family }) => protocol !== null && protocolFits(protocol, family)),
			fc.array(packets, { minLength: 15, maxLength: 25 }),
			(policies, packet, sample) => {
				const config = { ...defaultConfig(), hostDefaultNetworkPosture: "block" as const };
				const meaning = { posture: "block", allowlistScope: config.allowlistScope } as const;
				const set = policies.map((policy) => networkPart.policy(policy, policy));
				const change = smallestChange({ policies: set, selected: set }, config, packet);
				const before = judge(policies, meaning, packet);
				if (change.kind === "none") return expect(before.action).not.toBe("Block");
				expect(before.action).toBe("Block");
				if (change.kind === "edit") return;
				offered++;
				const added = networkPart.in(parsePolicyFile("a.yaml", change.yaml).documents);
				expect(added).toHaveLength(1);
				const after = [...policies, ...added];
				expect(judge(after, meaning, packet).action).toBe(change.action);
				for (const one of [...sample, ...sample.map((other) => ({ ...packet, port: other.port }))]) {
					if (!protocolFits(one.protocol, one.family)) continue;
					const [was, is] = [judge(policies, meaning, one).action, judge(after, meaning, one).action];
					if (key(one) === key(packet))
						expect(was === is || (was === "Block" && is === change.action)).toBe(true);
					else expect(is).toBe(was);
				}
			},
		),
		{ numRuns: 80 },
	);
	expect(offered).toBeGreaterThan(5);
});
