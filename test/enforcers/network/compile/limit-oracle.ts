/**
 * What limits leave of the oracle's verdicts: of the packets that share an amount, so many meet the rule, and the rest what
 * is beyond. Which of them does is not said, as packets of several interfaces come in no order.
 */

import type { ConnectionLimit, NetworkPolicy, RateLimit } from "../../../../src/enforcers/network/model.ts";
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
	/** So many of them are within each of the rule's limits and those before it; within the last they meet the rule. */
	readonly within: readonly number[];
	/** Whether the rest passes. */
	readonly passesBeyond: boolean;
}

export interface Limited {
	/** Of each packet whether it passes; null where it shares an amount. */
	readonly passes: readonly (boolean | null)[];
	readonly shared: readonly Shared[];
}

function part({ per, prefix6 }: RateLimit | ConnectionLimit, { family, address }: Sender): string {
	if (per === "rule") return "";
	return family === 4 ? `4 ${address}` : `6 ${address >> BigInt(128 - prefix6)}`;
}

/**
 * A rule's limits count the same senders together. @param sender of each packet; rates are so slow that nothing comes back
 * meanwhile, and no flow ends
 */
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
		const { rate, connections } = rule?.limits ?? {};
		const counted = rate ?? connections;
		if (policy === null || rule?.limits === undefined || counted === undefined) return action !== "Block";
		const key = JSON.stringify([policy, direction, index, part(counted, sender(packet))]);
		const passesBeyond = rule.limits.exceedAction === "Audit";
		const known = shared.get(key) ?? { policy, direction, index, members: [], within: [], passesBeyond };
		known.members.push(place);
		const amounts = [...(rate === undefined ? [] : [rate.burst]), ...(connections ? [connections.max] : [])];
		const within = amounts.map((_, i) => Math.min(known.members.length, ...amounts.slice(0, i + 1)));
		shared.set(key, { ...known, within });
		return null;
	});
	return { passes, shared: [...shared.values()] };
}
