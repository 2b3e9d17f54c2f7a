/** What may become part of a rule: a service, and a block of addresses from which, or to which, it was used. */

import { containsCidr, isMapped, parseCidr } from "../../../../base/cidr.ts";
import { type Cidr, type Direction, directions, type Protocol } from "../../../../base/model.ts";
import { isTransport, parseProtocol, protocolText } from "../../../../base/protocol.ts";
import { quote } from "../../../../base/suggest.ts";
import { parseInterface } from "../../../../document/iface.ts";
import { remoteText, type SeenFlow } from "../seen-flow.ts";

/** All that one policy is about. */
export interface Service {
	/** Forwarded to or from guests, as opposed to the host's own. */
	readonly guests: boolean;
	readonly direction: Direction;
	readonly protocol: Protocol;
	/** Null for protocols without ports. */
	readonly port: number | null;
}

export interface Candidate {
	readonly service: Service;
	/** Null: any. */
	readonly interface: string | null;
	/** Null: every address of both families. */
	readonly block: Cidr | null;
}

/** Of a flow; the interface is left out of what a host sends: its routes choose that, and they may choose another. */
export function serviceOf({ hook, direction, protocol, port }: SeenFlow): Service {
	return { guests: hook === "forward", direction, protocol, port };
}

export function interfaceOf({ hook, direction, interface: name }: SeenFlow): string | null {
	return hook !== "forward" && direction === "egress" ? null : name;
}

/** Whether a rule can name an address or block. */
export function isNameable({ family, base }: Cidr): boolean {
	return !isMapped(family, base);
}

/** Whether a rule can name the interface. */
export function isWritable(name: string): boolean {
	const parsed = parseInterface(name);
	return parsed.ok && parsed.match !== "any" && !parsed.match.prefix;
}

/** `ingress tcp 22`, `guests egress icmp`. */
export function serviceText({ guests, direction, protocol, port }: Service): string {
	return [guests ? "guests" : "", direction, protocolText(protocol), port ?? ""].filter(Boolean).join(" ");
}

/** One address as it is, a block as a CIDR. */
export function blockText(block: Cidr | null): string {
	return block === null ? "any" : remoteText(block);
}

/** `ingress tcp 22 from 10.0.0.0/24 on eth0`: what `parseCandidate` reads back. */
export function candidateText({ service, interface: name, block }: Candidate): string {
	const way = service.direction === "ingress" ? "from" : "to";
	return `${serviceText(service)} ${way} ${blockText(block)}${name === null ? "" : ` on ${name}`}`;
}

export type CandidateResult =
	| { readonly ok: true; readonly candidate: Candidate }
	| { readonly ok: false; readonly message: string; readonly hint: string };

const example = "write it as in: ingress tcp 22 from 10.0.1.0/24 on eth0";

function wrong(message: string, hint = example): CandidateResult {
	return { ok: false, message, hint };
}

export function parseCandidate(words: readonly string[]): CandidateResult {
	const rest = [...words];
	const guests = rest[0] === "guests";
	if (guests) rest.shift();
	const way = rest.shift() ?? "";
	const direction = directions.find((known) => known === way);
	if (direction === undefined) return wrong(`${quote(way)} is no direction`);
	const name = rest.shift() ?? "";
	const protocol = parseProtocol(name);
	if (protocol === null) return wrong(`${quote(name)} is no protocol`);
	const port = isTransport(protocol) ? portOf(rest.shift() ?? "") : null;
	if (port === "wrong") return wrong(`${protocolText(protocol)} needs a port from 1 to 65535`);
	const preposition = direction === "ingress" ? "from" : "to";
	if (rest.shift() !== preposition) return wrong(`${preposition} is missing`);
	const end = rest.shift() ?? "";
	const block = end === "any" ? null : parseCidr(end);
	if (block !== null && !block.ok) return wrong(block.message, block.hint);
	if (block?.hostBits)
		return wrong(`${quote(end)} has bits set beyond its prefix`, "write the block's first address");
	const [on, link = "", more] = rest;
	if (on !== undefined && (on !== "on" || more !== undefined))
		return wrong(`${quote(on)} is not expected here`);
	if (on !== undefined && !isWritable(link))
		return wrong(`${quote(link)} is no interface that a rule can name`);
	const service = { guests, direction, protocol, port };
	const interfaceName = on === undefined ? null : link;
	return { ok: true, candidate: { service, interface: interfaceName, block: block?.cidr ?? null } };
}

function portOf(text: string): number | "wrong" {
	const port = /^[1-9]\d{0,4}$/u.test(text) ? Number(text) : 0;
	return port >= 1 && port <= 65_535 ? port : "wrong";
}

/** Whether one block holds all of another; null is every address. */
export function holdsBlock(outer: Cidr | null, inner: Cidr | null): boolean {
	return outer === null || (inner !== null && containsCidr(outer, inner));
}

/** Lists in one order whatever the order in which flows were read: by family, address and size. */
export function compareBlocks(a: Cidr | null, b: Cidr | null): number {
	if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
	return a.family - b.family || (a.base < b.base ? -1 : a.base > b.base ? 1 : a.prefix - b.prefix);
}

export function compareTexts(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
