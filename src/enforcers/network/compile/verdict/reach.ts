/** From where a port of this host can be reached, on which interface, and who closes it to the rest. Pure. */

import { addressBits, formatCidr } from "../../../../base/cidr.ts";
import type { Family, Transport } from "../../../../base/model.ts";
import { decidePacket, type NetworkModel } from "../program.ts";
import type { ExposedPort, Exposure } from "./exposure.ts";

/** A port that somebody waits on, of one family or both. */
export interface WaitedPort {
	readonly protocol: Transport;
	readonly port: number;
	readonly families: readonly Family[];
}

export interface Reach {
	/** Null: every one that is asked about. */
	readonly interface: string | null;
	/** Blocks; 0.0.0.0/0 and ::/0 for everybody. Empty: nobody. */
	readonly addresses: readonly string[];
}

const everybody: Readonly<Record<Family, string>> = { 4: "0.0.0.0/0", 6: "::/0" };

export function exposedPorts({ protocol, port, families }: WaitedPort): ExposedPort[] {
	return families.map((family) => ({ protocol, family, port }));
}

/**
 * One for each interface, or one for all where they do not differ.
 * @param interfaces their names; none stands for one that no policy names: for one that may yet come
 */
export function reachOf(asked: Exposure, port: WaitedPort, interfaces: readonly string[]): readonly Reach[] {
	const reach = (name: string) =>
		exposedPorts(port).flatMap((exposed) => {
			const blocks = asked.blocks(name, exposed);
			return blocks === "any" ? [everybody[exposed.family]] : blocks.map(formatCidr);
		});
	const each = (interfaces.length === 0 ? [""] : interfaces).map((name) => ({
		interface: name,
		addresses: reach(name),
	}));
	const texts = new Set(each.map(({ addresses }) => addresses.join()));
	const [first] = each;
	return texts.size === 1 && first !== undefined ? [{ interface: null, addresses: first.addresses }] : each;
}

/** Addresses that are asked about, and policies that are told. */
const mostAsked = 64;
const mostPolicies = 8;

/**
 * The policies that close the port to somebody, in the order of the addresses that they close it to; `DefaultPosture`
 * where it is that no Allow matches.
 */
export function closedBy(
	model: NetworkModel,
	asked: Exposure,
	port: WaitedPort,
	interfaces: readonly string[],
): readonly string[] {
	const found = new Set<string>();
	for (const name of interfaces.length === 0 ? [""] : interfaces) {
		for (const { protocol, family, port: number } of exposedPorts(port)) {
			const regions = asked.regions(name, { protocol, family, port: number }).slice(0, mostAsked);
			for (const address of firstOutside(regions, family)) {
				if (found.size === mostPolicies) return [...found];
				const packet = { family, address, interface: name, protocol, port: number, source: null };
				const { action, rule } = decidePacket(model, { direction: "ingress", ...packet });
				if (action === "Block" && rule !== null) found.add(rule.policy);
			}
		}
	}
	return [...found];
}

/** The first address of each gap between regions. */
function firstOutside(
	regions: readonly { readonly first: bigint; readonly last: bigint }[],
	family: Family,
): bigint[] {
	const greatest = (1n << BigInt(addressBits(family))) - 1n;
	const before = regions[0]?.first === 0n ? [] : [0n];
	return [...before, ...regions.flatMap(({ last }) => (last < greatest ? [last + 1n] : []))];
}

/** Blocks that a line has room for. */
const mostBlocks = 8;

/** Blocks as people read them. */
export function placesText(addresses: readonly string[]): string {
	const words = addresses.map((block) =>
		block === "0.0.0.0/0" ? "anywhere (IPv4)" : block === "::/0" ? "anywhere (IPv6)" : block,
	);
	if (words[0] === "anywhere (IPv4)" && words[1] === "anywhere (IPv6)") return "anywhere";
	const more = words.length - mostBlocks;
	return more > 0 ? `${words.slice(0, mostBlocks).join(", ")} and ${more} more blocks` : words.join(", ");
}
