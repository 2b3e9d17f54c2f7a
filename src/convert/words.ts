/** Values as iptables writes them. */

import { addressBits, parseAddress, parseCidr } from "../base/cidr.ts";
import { parseIcmpType } from "../base/icmp-type.ts";
import type { Cidr, InterfaceMatch, PortRange, Protocol, Transport } from "../base/model.ts";
import { isIcmp, parseProtocol } from "../base/protocol.ts";
import { lookupService } from "../base/services.ts";
import { blocksOf } from "../document/block.ts";
import { parseInterface } from "../document/iface.ts";

export type Ranges = readonly PortRange[];

/** Blocks of a list, with a prefix length, a netmask, or from one address to another; null where one is none. */
export function addressesOf(text: string): readonly Cidr[] | null {
	const blocks = text.split(",").map(addressOf);
	return blocks.some((block) => block === null) ? null : blocks.flatMap((block) => block ?? []);
}

function addressOf(text: string): readonly Cidr[] | null {
	const [first = "", last, ...more] = text.split("-");
	if (last !== undefined && more.length === 0) return rangeOf(first, last);
	const [address = "", mask] = text.split("/");
	const prefix = mask?.includes(".") ? prefixOf(mask) : mask;
	if (prefix === null) return null;
	const parsed = parseCidr(prefix === undefined ? address : `${address}/${prefix}`);
	return parsed.ok ? [parsed.cidr] : null;
}

/** Every block from one address to another. */
export function rangeOf(first: string, last: string): readonly Cidr[] | null {
	const from = parseAddress(first);
	const to = parseAddress(last);
	if ("message" in from || "message" in to || from.family !== to.family || from.value > to.value) return null;
	return blocksOf(from.family, from.value, to.value);
}

function prefixOf(mask: string): string | null {
	const parsed = parseAddress(mask);
	if ("message" in parsed) return null;
	const bits = parsed.value.toString(2).padStart(addressBits(parsed.family), "0");
	return /^1*0*$/u.test(bits) ? String(bits.indexOf("0") === -1 ? bits.length : bits.indexOf("0")) : null;
}

/** Null: every one. Undefined: none that a policy can name. */
export function interfaceOf(text: string): InterfaceMatch | null | undefined {
	if (text === "+") return null;
	const parsed = parseInterface(text.endsWith("+") ? `${text.slice(0, -1)}*` : text);
	return !parsed.ok || parsed.match === "any" ? undefined : parsed.match;
}

const otherProtocols: Readonly<Record<string, number>> = {
	"ipv6-icmp": 58,
	ipv6: 41,
	udplite: 136,
	ipencap: 4,
};

/** Null: every one. Undefined: none that is known. */
export function protocolOfWord(text: string): Protocol | null | undefined {
	const word = text.toLowerCase();
	if (word === "all" || word === "0") return null;
	return otherProtocols[word] ?? parseProtocol(word) ?? undefined;
}

const greatestPort = 65_535;

/** Ports of a list, each a number, a service or a range; null where one is none. */
export function portsOf(text: string, protocol: Transport): Ranges | "all" | null {
	const ranges: PortRange[] = [];
	for (const part of text.split(",")) {
		const [first = "", last = first, ...more] = part.split(":");
		const from = first === "" ? 0 : portOf(first, protocol);
		const to = last === "" ? greatestPort : portOf(last, protocol);
		if (from === null || to === null || from > to || to === 0 || more.length > 0) return null;
		if (from === 0 && to === greatestPort) return "all";
		// Nothing is sent to port 0.
		ranges.push({ first: Math.max(from, 1), last: to });
	}
	return ranges;
}

function portOf(text: string, protocol: Transport): number | null {
	if (/^\d{1,5}$/u.test(text)) return Number(text) <= greatestPort ? Number(text) : null;
	const found = lookupService(text, protocol);
	return found.ok ? found.port : null;
}

/** Types that have one code alone. */
const oneCode: ReadonlySet<number> = new Set([0, 8, 13, 14, 128, 129, 133, 134, 135, 136]);

/** A code narrows a type further than policies can; null for it, and for what is no type. */
export function icmpTypesOf(text: string, protocol: Protocol | null): Ranges | "all" | null {
	if (!isIcmp(protocol)) return null;
	const word = text.toLowerCase();
	if (word === "any" || word === "255") return "all";
	const [name = "", code] = word.split("/");
	const parsed = parseIcmpType(name, protocol);
	if (!parsed.ok || (code !== undefined && !(code === "0" && oneCode.has(parsed.type)))) return null;
	return [{ first: parsed.type, last: parsed.type }];
}
