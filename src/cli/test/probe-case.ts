/** The packet that a test case is about, as it can be sent. Pure. */

import { echoRequest } from "../../base/icmp-type.ts";
import type { Family, Protocol } from "../../base/model.ts";
import { isIcmp } from "../../base/protocol.ts";
import { decidePacket, type NetworkModel } from "../../enforcers/network/compile/program.ts";
import type { PolicyTestCase } from "../../enforcers/network/parse/test-model.ts";
import type { Probe } from "../../kernel/probe/network.ts";
import { protocolNumbers } from "../../kernel/probe/packet.ts";

/** Requests of ICMP that open a flow (nf_conntrack_proto_icmp.c): echo, timestamp, information, address mask. */
const icmpRequests: ReadonlySet<number | null> = new Set([8, 13, 15, 17]);

/** Blocks from which, or to which, no packet can travel: first address, prefix and what they are. */
const unroutable: Readonly<Record<Family, readonly (readonly [bigint, number, string])[]>> = {
	4: [
		[0n, 8, "of this network"],
		[0x7f000000n, 8, "of loopback"],
		[0xe0000000n, 4, "of multicast"],
		[0xf0000000n, 4, "reserved"],
	],
	6: [
		[0n, 127, "unspecified or of loopback"],
		[0xffn << 120n, 8, "of multicast"],
		[0xfe80n << 112n, 10, "of one link"],
	],
};

/** Why no packet can be sent; null where one can. */
export function unprobeable({
	protocol,
	family,
	address,
	interface: name,
	source,
	guest,
	by,
}: PolicyTestCase): string | null {
	if (guest !== null) return "it is about what is forwarded, and the probes' namespace has no guests";
	if (by !== null) return "it names who sends, and probes have no sender but root";
	if (name === "lo") return "loopback always passes";
	const bits = family === 4 ? 32 : 128;
	const found = unroutable[family].find(([base, prefix]) => {
		const rest = BigInt(bits - prefix);
		return address >> rest === base >> rest;
	});
	if (found !== undefined) return `the address is ${found[2]}, and the kernel takes no such packet`;
	if (protocol === 0 || protocol === 255) return "no socket has this protocol";
	if (!isIcmp(protocol)) return null;
	const opens =
		protocol === protocolNumbers.icmp ? icmpRequests.has(source) : source === echoRequest(protocol);
	return opens ? null : "this type of ICMP opens no flow, so that the kernel judges it by another one";
}

/** An interface's name that no case has. */
export function probeInterface(names: readonly string[]): string {
	for (let number = 0; ; number++) if (!names.includes(`probe${number}`)) return `probe${number}`;
}

/** Source ports that are tried where the case leaves that open; ephemeral ones first. */
const sourcePorts = [61_321, 47_123, 33_333, 20_011, 9_999, 1_025, 65_535, 1];

/**
 * The packet; null where the case leaves its source or interface to one that no rule names, and none is found.
 * @param local the end that is this host's
 */
export function probeOf(
	one: PolicyTestCase,
	model: NetworkModel,
	{ spare, local }: { readonly spare: string; readonly local: bigint },
): Probe | null {
	const wanted = decidePacket(model, one).rule;
	const name = one.interface || spare;
	const sources = one.source === null ? [...sourcePorts] : [one.source];
	const from = sources.find(
		(source) =>
			decidePacket(model, { ...one, interface: name, source: portless(one) ? one.source : source }).rule ===
			wanted,
	);
	if (from === undefined) return null;
	const ends =
		one.direction === "ingress"
			? { source: one.address, destination: local }
			: { source: local, destination: one.address };
	const { direction, family, port, protocol } = one;
	return { direction, family, ...ends, interface: name, protocol: numberOf(protocol), port, from };
}

function portless({ protocol }: PolicyTestCase): boolean {
	return typeof protocol === "number" && !isIcmp(protocol);
}

function numberOf(protocol: Protocol): number {
	return typeof protocol === "number" ? protocol : protocolNumbers[protocol];
}
