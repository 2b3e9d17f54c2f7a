/**
 * What limits leave of the oracle's verdicts: of the packets that share an amount, so many meet the rule, and the rest what
 * is beyond. Which of them does is not said, as packets of several interfaces come in no order.
 */

import type { NetworkPolicy, RateLimit } from "../../../../src/enforcers/network/model.ts";
import { judge, type OracleOptions, type OraclePacket } from "./oracle.ts";

/** A sender of a family. */
export interface Sender {
	readonly family: 4 | 6;
	readonly address: bigint;
}

export interface Shared {
	readonly policy: string;
	readonly direction: OraclePacket["direction"];
	readonly index: number;
	/** Positions of the packets that share it. */
	readonly members: readonly number[];
	/** So many of them meet the rule. */
	readonly within: number;
	/** Whether the rest passes. */
	readonly passesBeyond: boolean;
}

export interface Limited {
	/** Of each packet whether it passes; null where it shares an amount. */
	readonly passes: readonly (boolean | null)[];
	readonly shared: readonly Shared[];
}

function part({ per, prefix6 }: RateLimit, { family, address }: Sender): string {
	if (per === "rule") return "";
	return family === 4 ? `4 ${address}` : `6 ${address >> BigInt(128 - prefix6)}`;
}

/** @param sender of each packet; rates are so slow that nothing comes back meanwhile */
export function judgeLimited(
	policies: readonly NetworkPolicy[],
	options: OracleOptions,
	packets: readonly OraclePacket[],
	sender: (packet: OraclePacket) => Sender,
): Limited {
	const shared = new Map<string, Shared & { readonly members: number[] }>();
	const passes = packets.map((packet, place) => {
		const { direction } = packet;
		const { action, policy, index } = judge(policies, options, packet);
		const rule = policies.find(({ name }) => name === policy)?.[direction].find((one) => one.index === index);
		const rate = rule?.limits?.rate;
		if (policy === null || rule?.limits === undefined || rate === undefined) return action !== "Block";
		const key = JSON.stringify([policy, direction, index, part(rate, sender(packet))]);
		const passesBeyond = rule.limits.exceedAction === "Audit";
		const known = shared.get(key) ?? { policy, direction, index, members: [], within: 0, passesBeyond };
		known.members.push(place);
		shared.set(key, { ...known, within: Math.min(rate.burst, known.members.length) });
		return null;
	});
	return { passes, shared: [...shared.values()] };
}
