/**
 * Sets of packets that one entry of a policy can say: a block, a protocol with ranges, an interface. What two of them
 * share is such a set again, or nothing; that is why an ordered list of rules can be written without an order.
 */

import { containsCidr } from "../base/cidr.ts";
import type { Cidr, Family, InterfaceMatch, PortRange, Protocol } from "../base/model.ts";
import { isTransport, protocolFits } from "../base/protocol.ts";

export interface PacketSet {
	/** The remote end, and with it the family. */
	readonly cidr: Cidr;
	/** Null: every protocol. */
	readonly protocol: Protocol | null;
	/** Destination ports; null: every one. */
	readonly ports: PortRange | null;
	/** Source ports, or types of ICMP; null: every one. */
	readonly source: PortRange | null;
	readonly interface: InterfaceMatch | null;
}

const everyAddress: Readonly<Record<Family, Cidr>> = {
	4: { family: 4, base: 0n, prefix: 0 },
	6: { family: 6, base: 0n, prefix: 0 },
};

/** Every packet of the families. */
export function everything(families: readonly Family[] = [4, 6]): readonly PacketSet[] {
	const rest = { protocol: null, ports: null, source: null, interface: null };
	return families.map((family) => ({ cidr: everyAddress[family], ...rest }));
}

/** What of a packet a rule looks at; null is anything. */
export interface Conditions {
	readonly blocks: readonly Cidr[] | null;
	readonly entries: readonly Entry[] | null;
	readonly interfaces: readonly (InterfaceMatch | null)[] | null;
}

/** A protocol with its ports. */
export type Entry = Pick<PacketSet, "protocol" | "ports" | "source">;

const anyEntry: Entry = { protocol: null, ports: null, source: null };

/** The sets that conditions mean. Families that are not asked for, or that a protocol has not, are left out. */
export function setsOf(conditions: Conditions, families: readonly Family[]): readonly PacketSet[] {
	const blocks = conditions.blocks ?? families.map((family) => everyAddress[family]);
	const sets: PacketSet[] = [];
	for (const match of conditions.interfaces ?? [null]) {
		for (const entry of conditions.entries ?? [anyEntry]) {
			for (const cidr of blocks) {
				if (!families.includes(cidr.family) || !protocolFits(entry.protocol, cidr.family)) continue;
				sets.push({ cidr, ...entry, interface: match });
			}
		}
	}
	return sets;
}

/** What both hold, or null where that is nothing. */
export function shared(a: PacketSet, b: PacketSet): PacketSet | null {
	const cidr = containsCidr(a.cidr, b.cidr) ? b.cidr : containsCidr(b.cidr, a.cidr) ? a.cidr : null;
	if (cidr === null) return null;
	if (a.protocol !== null && b.protocol !== null && a.protocol !== b.protocol) return null;
	const protocol = a.protocol ?? b.protocol;
	if (!protocolFits(protocol, cidr.family)) return null;
	const ports = sharedRange(a.ports, b.ports);
	const source = sharedRange(a.source, b.source);
	const match = sharedInterface(a.interface, b.interface);
	if (ports === undefined || source === undefined || match === undefined) return null;
	// Ports and types belong to a protocol that only one of them may name.
	if (ports !== null && !isTransport(protocol)) return null;
	return { cidr, protocol, ports, source, interface: match };
}

/** Undefined: nothing is in both. */
function sharedRange(a: PortRange | null, b: PortRange | null): PortRange | null | undefined {
	if (a === null || b === null) return a ?? b;
	const first = Math.max(a.first, b.first);
	const last = Math.min(a.last, b.last);
	return first > last ? undefined : { first, last };
}

function sharedInterface(
	a: InterfaceMatch | null,
	b: InterfaceMatch | null,
): InterfaceMatch | null | undefined {
	if (holdsInterface(a, b)) return b;
	return holdsInterface(b, a) ? a : undefined;
}

/** Whether every packet of `inner` is one of `outer`. */
export function holds(outer: PacketSet, inner: PacketSet): boolean {
	return (
		containsCidr(outer.cidr, inner.cidr) &&
		(outer.protocol === null || outer.protocol === inner.protocol) &&
		holdsRange(outer.ports, inner.ports) &&
		holdsRange(outer.source, inner.source) &&
		holdsInterface(outer.interface, inner.interface)
	);
}

function holdsRange(outer: PortRange | null, inner: PortRange | null): boolean {
	return outer === null || (inner !== null && outer.first <= inner.first && inner.last <= outer.last);
}

function holdsInterface(outer: InterfaceMatch | null, inner: InterfaceMatch | null): boolean {
	if (outer === null) return true;
	if (inner === null) return false;
	return outer.prefix ? inner.name.startsWith(outer.name) : !inner.prefix && inner.name === outer.name;
}
