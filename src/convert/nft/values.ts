/** The right-hand sides of nftables' JSON: values, ranges, prefixes, and sets of them. */

import { parseCidr } from "../../base/cidr.ts";
import { parseIcmpType } from "../../base/icmp-type.ts";
import type { Cidr, Family, InterfaceMatch, PortRange, Protocol, Transport } from "../../base/model.ts";
import { icmp, icmpv6 } from "../../base/protocol.ts";
import { lookupService } from "../../base/services.ts";
import { parseInterface } from "../../document/iface.ts";
import { fieldOf } from "../json-value.ts";
import { protocolOfWord, rangeOf } from "../words.ts";

/** Elements of named sets and maps of a table, by name. */
export type NamedSets = ReadonlyMap<string, readonly unknown[]>;

/** The members of a set, of `@name`, or the one value; null where a name is not known. */
export function membersOf(right: unknown, sets: NamedSets): readonly unknown[] | null {
	if (typeof right === "string" && right.startsWith("@")) return sets.get(right.slice(1))?.map(bare) ?? null;
	const set = fieldOf(right, "set");
	return (Array.isArray(set) ? set : [right]).map(bare);
}

/** An element without its timeout, counter and comment. */
function bare(element: unknown): unknown {
	const value = fieldOf(fieldOf(element, "elem"), "val");
	return value === undefined ? element : value;
}

/** Reads every member; null where one is nothing that policies can say. */
export function eachOf<T>(
	members: readonly unknown[] | null,
	read: (member: unknown) => readonly T[] | null,
): readonly T[] | null {
	if (members === null) return null;
	const found = members.map(read);
	return found.some((one) => one === null) ? null : found.flatMap((one) => one ?? []);
}

export function blocksOfMember(member: unknown): readonly Cidr[] | null {
	const range = fieldOf(member, "range");
	if (Array.isArray(range) && typeof range[0] === "string" && typeof range[1] === "string")
		return rangeOf(range[0], range[1]);
	const prefix = fieldOf(member, "prefix");
	const address = fieldOf(prefix, "addr");
	const length = fieldOf(prefix, "len");
	const text = typeof address === "string" ? `${address}/${String(length)}` : member;
	const parsed = typeof text === "string" ? parseCidr(text) : null;
	return parsed?.ok ? [parsed.cidr] : null;
}

const greatestPort = 65_535;

/** Nothing is sent to port 0. */
export function portsOfMember(member: unknown, transport: Transport): readonly PortRange[] | null {
	const range = fieldOf(member, "range");
	const [from, to] = Array.isArray(range) ? range : [member, member];
	const first = portOf(from, transport);
	const last = portOf(to, transport);
	if (first === null || last === null || first > last || last === 0) return null;
	return [{ first: Math.max(first, 1), last }];
}

function portOf(value: unknown, transport: Transport): number | null {
	if (typeof value === "string") {
		const found = lookupService(value, transport);
		return found.ok ? found.port : null;
	}
	return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= greatestPort
		? value
		: null;
}

export function typesOfMember(member: unknown, family: Family): readonly PortRange[] | null {
	const range = fieldOf(member, "range");
	const [from, to] = Array.isArray(range) ? range : [member, member];
	const read = (value: unknown) => {
		const parsed = parseIcmpType(String(value), family === 4 ? icmp : icmpv6);
		return parsed.ok ? parsed.type : null;
	};
	const first = read(from);
	const last = read(to);
	return first === null || last === null || first > last ? null : [{ first, last }];
}

export function protocolOfMember(member: unknown): readonly Protocol[] | null {
	// 0 is a protocol here, not every one.
	const protocol = member === 0 ? 0 : protocolOfWord(String(member));
	return protocol === null || protocol === undefined ? null : [protocol];
}

export function interfaceOfMember(member: unknown): readonly InterfaceMatch[] | null {
	const parsed = typeof member === "string" ? parseInterface(member) : null;
	return parsed?.ok && parsed.match !== "any" ? [parsed.match] : null;
}

export function familyOfMember(member: unknown): readonly Family[] | null {
	if (member === "ipv4" || member === "ip") return [4];
	return member === "ipv6" || member === "ip6" ? [6] : null;
}
