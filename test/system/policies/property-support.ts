/** What property tests with real packets have in common. */

import type { Family } from "../../../src/base/model.ts";
import type { OraclePacket } from "../../enforcers/network/compile/oracle.ts";
import type { Namespace } from "../support/netns.ts";

export function addressText(family: Family, value: bigint): string {
	if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
	return Array.from({ length: 8 }, (_, index) =>
		((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
	).join(":");
}

/** Whether the kernel takes and routes such an address before any firewall is asked. */
export function routable({ family, address }: OraclePacket): boolean {
	if (family === 6) return address >> 120n !== 0xffn && address >> 16n !== 0n;
	const first = address >> 24n;
	return first !== 0n && first !== 127n && first < 224n;
}

/** Packets by the name of the counter that counts them. */
export function countersOf(namespace: Namespace, table: string): Map<string, number> {
	const listing: { nftables: { counter?: { name: string; packets: number } }[] } = JSON.parse(
		namespace.run(["nft", "-j", "list", "counters", "table", "inet", table]),
	);
	return new Map(
		listing.nftables.flatMap(({ counter }) =>
			counter === undefined ? [] : [[counter.name, counter.packets] as const],
		),
	);
}

/**
 * Lets connection tracking know nothing of the packets of runs before: one that a run before had sent by chance would be of an
 * open flow, which no rule counts. @param run a number of its own for each run
 */
export function freshTracking(namespace: Namespace, run: number): void {
	const zoned = (hook: string) =>
		`chain ${hook} { type filter hook ${hook} priority raw; ct zone set ${(run % 65_000) + 1}; }\n`;
	namespace.nft(
		`table inet zones {}\ndelete table inet zones\ntable inet zones {\n${zoned("prerouting")}${zoned("output")}}`,
	);
}
