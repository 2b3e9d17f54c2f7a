/** Random policies that name ends of IPv6 addresses, and packets that differ in these. */

import fc from "fast-check";
import { blockAround, type Suffix } from "../../../../src/base/suffix.ts";
import type { IpBlock, NetworkPolicy, NetworkRule } from "../../../../src/enforcers/network/model.ts";
import { addressIn, cidr, packets, place, policySets } from "./generate.ts";
import type { OraclePacket } from "./oracle.ts";

const low = (bits: number) => (1n << BigInt(bits)) - 1n;
/** Ends of addresses, parts of them, and beginnings with an end. */
const masks = [
	...[low(64), low(64), low(64), low(16), low(2), 1n, 2n],
	...[low(13) << 12n, (low(16) << 112n) | low(16), (low(40) << 88n) | low(2), low(128) ^ (1n << 23n)],
];

const suffix = fc
	.tuple(addressIn(6), fc.constantFrom(...masks))
	.map(([address, mask]) => ({ mask, value: address & mask }));

/** Few, so that rules share them and boxes of them meet. */
const suffixPool = fc.array(suffix, { minLength: 1, maxLength: 4 });

/** Sets of which most rules name IPv6, and many of these its ends. */
function namingOf(pool: readonly Suffix[]): fc.Arbitrary<NetworkPolicy[]> {
	const choice = fc.array(fc.nat(11), { minLength: 64, maxLength: 64 });
	const block = fc.array(cidr(6), { minLength: 64, maxLength: 64 });
	return fc.tuple(policySets, choice, block).map(([policies, choices, blocks]) => {
		let next = 0;
		const peerOf = (one: IpBlock): IpBlock => {
			const at = next++ % choices.length;
			const named = pool[choices[at] ?? 0];
			if (named !== undefined) {
				const except = choices[at] === 1 ? [blocks[at]].flatMap((hole) => hole ?? []) : [];
				return { cidr: blockAround(named), suffix: named, except, place };
			}
			const other = blocks[at];
			return other === undefined || (choices[at] ?? 0) < 6 ? one : { cidr: other, except: [], place };
		};
		const of = (rules: readonly NetworkRule[]) =>
			rules.map((rule) => ({ ...rule, peers: rule.peers.map(peerOf) }));
		return policies.map((policy) => ({ ...policy, ingress: of(policy.ingress), egress: of(policy.egress) }));
	});
}

export const suffixSets = suffixPool.chain(namingOf);

/** Two small sets that name one or two ends between them. */
export const suffixPairs = fc
	.array(suffix, { minLength: 1, maxLength: 2 })
	.chain((pool) => fc.tuple(namingOf(pool), namingOf(pool)))
	.map((pair) => pair.map((policies) => policies.slice(0, 3)) as [NetworkPolicy[], NetworkPolicy[]]);

/** Packets of IPv6, mostly at the bounds that `packets` knows, of which many differ in a few bits alone. */
export const suffixPackets: fc.Arbitrary<OraclePacket> = fc
	.tuple(packets, addressIn(6), addressIn(6), fc.constantFrom(...masks))
	.map(([packet, one, other, mask]) =>
		packet.family === 4 ? packet : { ...packet, address: (one & mask) | (other & ~mask & low(128)) },
	);
