/** The question that `portward search` is asked, as one writes it. */

import { addressBits, parseCidr } from "../../base/cidr.ts";
import type { Action, Cidr, Family } from "../../base/model.ts";
import { isTransport, parseProtocol, protocolLabel } from "../../base/protocol.ts";
import { lookupService } from "../../base/services.ts";
import { printable, quote } from "../../base/suggest.ts";
import { parseInterface } from "../../document/iface.ts";
import type { Question } from "../../enforcers/network/compile/verdict/verdict-search.ts";
import type { Range } from "../../enforcers/network/compile/verdict/verdict-space.ts";
import { UsageError } from "../command.ts";
import { senderFrom } from "./sender-options.ts";

export const querySyntax =
	"DIRECTION PROTOCOL PORT[-PORT]|any [from|to [!]CIDR[,CIDR…]] [interface=NAME] [user=NAME] [group=NAME] [service=UNIT] [quotas=exhausted] verdict=Allow|Audit|Block";

const actions: Readonly<Record<string, Action>> = { allow: "Allow", audit: "Audit", block: "Block" };

/** @throws UsageError that says which word is wrong and what to write. */
export function parseQuery(text: string): Question {
	const words = text.trim().split(/\s+/u);
	const [direction, protocolWord, portWord, ...rest] = words;
	if (portWord === undefined) throw new UsageError(`write ${querySyntax}`);
	const way = direction?.toLowerCase();
	if (way !== "ingress" && way !== "egress")
		throw new UsageError(`${quote(direction ?? "")} is no direction; write ingress or egress`);
	const protocol = protocolWord?.toLowerCase() === "any" ? "any" : parseProtocol(protocolWord ?? "");
	if (protocol === null)
		throw new UsageError(
			`${quote(protocolWord ?? "")} is no protocol; write any, tcp, udp, sctp, icmp or a number`,
		);
	const ports = parsePorts(portWord, protocol);
	let blocks: ReturnType<typeof parseBlocks> | null = null;
	let networkInterface: string | null = null;
	const who: { user?: string; group?: string; service?: string } = {};
	let exhausted = false;
	let action: Action | null = null;
	for (let i = 0; i < rest.length; i++) {
		const word = rest[i] ?? "";
		const lower = word.toLowerCase();
		if (lower === "from" || lower === "to") {
			const wanted = way === "ingress" ? "from" : "to";
			if (lower !== wanted) throw new UsageError(`${way} is asked with ${wanted}, not ${lower}`);
			if (blocks !== null)
				throw new UsageError(`${wanted} is there twice; write all blocks after one of them`);
			i += 1;
			blocks = parseBlocks(rest[i] ?? "");
		} else if (lower.startsWith("interface="))
			networkInterface = interfaceName(word.slice("interface=".length));
		else if (/^(?:user|group|service)=/u.test(lower)) {
			const kind = lower.startsWith("user") ? "user" : lower.startsWith("group") ? "group" : "service";
			who[kind] = word.slice(kind.length + 1);
		} else if (lower === "quotas=exhausted") exhausted = true;
		else if (lower.startsWith("verdict=")) {
			const value = lower.slice("verdict=".length);
			action = (Object.hasOwn(actions, value) ? actions[value] : null) ?? null;
			if (action === null)
				throw new UsageError(`${quote(word)} is no verdict; write verdict=Allow, Audit or Block`);
		} else throw new UsageError(`${quote(word)} is not expected here; write ${querySyntax}`);
	}
	if (action === null)
		throw new UsageError("say what is looked for: verdict=Allow, verdict=Audit or verdict=Block");
	const { named, holes } = blocks ?? { named: [], holes: [] };
	return {
		direction: way,
		protocol,
		ports,
		addresses: { 4: addressesOf(4, named, holes), 6: addressesOf(6, named, holes) },
		interface: networkInterface,
		...(Object.keys(who).length === 0 ? {} : { sender: senderFrom(way, who) }),
		...(exhausted ? { quotas: "exhausted" } : {}),
		action,
	};
}

function parsePorts(text: string, protocol: Question["protocol"]): Range | null {
	if (text.toLowerCase() === "any") return null;
	if (protocol !== "any" && !isTransport(protocol))
		throw new UsageError(`${protocolLabel(protocol)} has no ports; write any in place of ${quote(text)}`);
	if (protocol === "any")
		throw new UsageError(`a port needs its protocol; write tcp or udp, or any in place of ${quote(text)}`);
	const [from = "", to = from, more] = /^\d+-\d+$/u.test(text) ? text.split("-") : [text];
	const [first, last] = [parsePort(from, protocol), parsePort(to, protocol)];
	if (more !== undefined || last < first)
		throw new UsageError(`${quote(text)} ends before it begins; write the lower port first`);
	return { first, last };
}

function parsePort(text: string, transport: "tcp" | "udp" | "sctp"): number {
	if (/^\d{1,5}$/u.test(text) && Number(text) <= 65_535) return Number(text);
	if (/^\d/u.test(text)) throw new UsageError(`${quote(text)} is no port; write a number from 0 to 65535`);
	const service = lookupService(text, transport);
	if (service.ok) return service.port;
	throw new UsageError(printable(`${service.message}; ${service.hint}`));
}

function interfaceName(text: string): string {
	const parsed = parseInterface(text);
	if (!parsed.ok) throw new UsageError(`interface=${quote(text)}: ${parsed.message}; ${parsed.hint}`);
	if (parsed.match === "any" || parsed.match.prefix)
		throw new UsageError(
			`interface=${quote(text)} is a pattern; write one interface's name, or leave it out for any`,
		);
	return parsed.match.name;
}

function parseBlocks(text: string): { readonly named: readonly Cidr[]; readonly holes: readonly Cidr[] } {
	const named: Cidr[] = [];
	const holes: Cidr[] = [];
	for (const item of text.split(",")) {
		const block = item.startsWith("!") ? item.slice(1) : item;
		const parsed = parseCidr(block);
		if (!parsed.ok) throw new UsageError(`${parsed.message}; ${parsed.hint}`);
		(item === block ? named : holes).push(parsed.cidr);
	}
	return { named, holes };
}

interface Span {
	readonly first: bigint;
	readonly last: bigint;
}

function spanOf({ family, base, prefix }: Cidr): Span {
	return { first: base, last: base + (1n << BigInt(addressBits(family) - prefix)) - 1n };
}

/** The named blocks, or everything where there are none, without the holes: disjoint, in rising order. */
function addressesOf(family: Family, named: readonly Cidr[], holes: readonly Cidr[]): readonly Span[] {
	const whole = { first: 0n, last: (1n << BigInt(addressBits(family))) - 1n };
	const wanted = named.length === 0 ? [whole] : named.filter((block) => block.family === family).map(spanOf);
	const excluded = holes.filter((block) => block.family === family).map(spanOf);
	let result = wanted;
	for (const hole of excluded) {
		result = result.flatMap((span) => {
			if (hole.last < span.first || span.last < hole.first) return [span];
			const left = { first: span.first, last: hole.first - 1n };
			const right = { first: hole.last + 1n, last: span.last };
			return [left, right].filter(({ first, last }) => first <= last);
		});
	}
	return result.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
}
