/**
 * UDP servers that must not speak first to whom a new Block shuts out. What
 * passed between them may be forgotten by connection tracking, and a socket
 * without a peer tells nothing of it; so the server's next datagram would open
 * a flow of its own, and let in the answers. Pure.
 */

import type { Family } from "../../../base/model.ts";
import { rangeText } from "../../../base/port-range.ts";
import { isPlainInterface } from "../../../document/iface.ts";
import {
	add,
	addElements,
	addRules,
	type Command,
	flush,
	remove,
} from "../../../kernel/nftables/commands.ts";
import {
	addressKey,
	addressType,
	concatenation,
	counted,
	inSet,
	interfaceType,
	portType,
	quotedInterface,
} from "../../../kernel/nftables/expressions.ts";
import type { NftSet } from "../../../kernel/nftables/objects.ts";
import { endedChain, refusedCounter } from "../names.ts";

/** A local port that sends nothing new to these addresses. */
export interface MutedPort {
	readonly family: Family;
	/** Null: whatever the interface. */
	readonly interface: string | null;
	readonly port: number;
	/** Canonical addresses, inclusive. */
	readonly first: string;
	readonly last: string;
}

export interface MutedSet {
	readonly name: string;
	readonly family: Family;
	readonly kind: "everywhere" | "interface";
}

export const mutedSets: readonly MutedSet[] = [
	{ name: "muted4", family: 4, kind: "everywhere" },
	{ name: "muted6", family: 6, kind: "everywhere" },
	{ name: "muted_if4", family: 4, kind: "interface" },
	{ name: "muted_if6", family: 6, kind: "interface" },
];

/** Below are the servers that this host asks; a client has a port of its own above. */
const firstClientPort = 1024;
const lastPort = 65_535;

/**
 * Replaces the muted ports, in the same transaction as and behind what replaces the refused flows. Kernels without
 * concatenated intervals refuse it.
 */
export function replaceMuted(muted: readonly MutedPort[]): readonly Command[] {
	return mutedSets.flatMap((set) => {
		const { name, family, kind } = set;
		const elements = muted.flatMap((one) => elementsOf(set, one));
		const made = add(emptySet(set));
		// An empty set costs nothing, but what is in it would be believed by the next daemon.
		if (elements.length === 0) return [made, remove("set", name)];
		const link = kind === "interface" ? "oifname" : "";
		const key = concatenation(link, addressKey(family, "daddr"), "udp sport", "udp dport");
		const rule = inSet(key, name, `${counted(refusedCounter("egress"))} drop`);
		return [made, flush("set", name), addElements(name, elements), addRules(endedChain("egress"), [rule])];
	});
}

function emptySet({ name, family, kind }: MutedSet): NftSet {
	const link = kind === "interface" ? interfaceType : "";
	const type = concatenation(link, addressType(family), portType, portType);
	return { kind: "set", name, type, flags: ["interval"], keys: "" };
}

/** The same port at both ends (NTP, IKE) is a peer's, not a client's. */
function elementsOf(set: MutedSet, { family, interface: name, port, first, last }: MutedPort): string[] {
	if (family !== set.family || (name !== null) !== (set.kind === "interface")) return [];
	if (name !== null && !isPlainInterface(name)) return [];
	const link = name === null ? "" : quotedInterface(name);
	const addresses = first === last ? first : `${first}-${last}`;
	const others = [
		{ first: firstClientPort, last: port - 1 },
		{ first: Math.max(firstClientPort, port + 1), last: lastPort },
	].filter((range) => range.first <= range.last);
	return others.map((range) => concatenation(link, addresses, String(port), rangeText(range)));
}
