/**
 * Address blocks. ipaddr.js reads what inet_aton reads ("10/8", "010.0.0.1",
 * "0x7f.1", zone ids), and such text means different addresses to different
 * programs; so every form is checked here before the library sees it.
 */

import ipaddr from "ipaddr.js";
import type { Cidr, Family } from "./model.ts";

/** What a text said: a block, perhaps after clearing host bits, or what is wrong and what to write. */
export type CidrResult =
	| { readonly ok: true; readonly cidr: Cidr; readonly hostBits: boolean }
	| { readonly ok: false; readonly message: string; readonly hint: string };

/** An address without a prefix length, as an unsigned integer. */
export interface Address {
	readonly family: Family;
	readonly value: bigint;
}

/** The longest IPv6 text (39) and "/128": anything longer is not an address block. */
const longestBlock = 49;
const fourPartDecimal = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const ipv6Form = /^[0-9a-fA-F:]{2,39}$|^[0-9a-fA-F:]{2,30}:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/;
const prefixForm = /^(0|[1-9]\d{0,2})$/;

const familyBits: Record<Family, number> = { 4: 32, 6: 128 };

/** Number of address bits of a family: 32 or 128. */
export function addressBits(family: Family): number {
	return familyBits[family];
}

/**
 * Parses "ADDRESS" or "ADDRESS/PREFIX" strictly: IPv4 as four decimal parts
 * without leading zeros (RFC 6943 section 3.1.1 on why), IPv6 as in RFC 4291
 * without a zone, never an IPv4-mapped address. A bare address is a whole
 * /32 or /128. Set host bits are cleared and reported in `hostBits`.
 */
export function parseCidr(text: string): CidrResult {
	return readCidr(text, parseAddress);
}

function readCidr(text: string, read: typeof parseAddress): CidrResult {
	if (text.length > longestBlock) return fail("this is too long for an address block", exampleHint);
	const slash = text.indexOf("/");
	const addressText = slash === -1 ? text : text.slice(0, slash);
	const address = read(addressText);
	if ("message" in address) return { ok: false, ...address };
	const bits = familyBits[address.family];
	if (slash === -1) {
		return { ok: true, cidr: { family: address.family, base: address.value, prefix: bits }, hostBits: false };
	}
	const prefixText = text.slice(slash + 1);
	if (!prefixForm.test(prefixText) || Number(prefixText) > bits) {
		return fail(
			`the prefix length ${JSON.stringify(prefixText)} is not a number from 0 to ${bits}`,
			`write ${addressText}/${bits} for this one address, or a smaller number for a block`,
		);
	}
	const prefix = Number(prefixText);
	const base = maskBase(address.value, address.family, prefix);
	return { ok: true, cidr: { family: address.family, base, prefix }, hostBits: base !== address.value };
}

/** The same for what packets were seen to bear: see parseSeenAddress. */
export function parseSeenCidr(text: string): CidrResult {
	return readCidr(text, parseSeenAddress);
}

/** Whether an address is IPv4-mapped (RFC 4291 section 2.5.5.2). */
export function isMapped(family: Family, address: bigint): boolean {
	return family === 6 && address >> 32n === 0xffffn;
}

const exampleHint = "write a block such as 10.0.1.0/24 or 2001:db8::/32";

function fail(message: string, hint: string): { ok: false; message: string; hint: string } {
	return { ok: false, message, hint };
}

/** Parses one address with the same strictness as parseCidr; the failure carries no `family`. */
export function parseAddress(text: string): Address | { readonly message: string; readonly hint: string } {
	const match = fourPartDecimal.exec(text);
	if (match !== null) {
		let value = 0;
		for (let i = 1; i <= 4; i++) {
			const part = Number(match[i]);
			if (part > 255) {
				return { message: `${text} has a part above 255`, hint: exampleHint };
			}
			value = value * 256 + part;
		}
		return { family: 4, value: BigInt(value) };
	}
	return text.includes(":") ? parseIpv6(text) : { ...explainNotIpv4(text) };
}

/**
 * The same for what packets were seen to bear: also an IPv4-mapped address, which no policy may name, as other programs
 * take it for the IPv4 address. Anybody may send to one, and a guest's packets are forwarded.
 */
export function parseSeenAddress(text: string): ReturnType<typeof parseAddress> {
	const address = parseAddress(text);
	if (!("message" in address)) return address;
	const bits = parseIpv6Bits(text);
	return bits === null || !isMapped(6, bits) ? address : { family: 6, value: bits };
}

function parseIpv6(text: string): Address | { message: string; hint: string } {
	if (text.includes("%")) {
		return {
			message: "a zone id (%interface) cannot be part of an address block",
			hint: "leave the zone out and name the interface in iface",
		};
	}
	if (!ipv6Form.test(text) || !ipaddr.IPv6.isValid(text)) {
		return { message: `${JSON.stringify(text)} is not an IPv6 address`, hint: "write it as in 2001:db8::1" };
	}
	const parsed = ipaddr.IPv6.parse(text);
	if (parsed.isIPv4MappedAddress()) {
		const ipv4 = parsed.toIPv4Address().toString();
		return {
			message: `${text} is an IPv4-mapped address, which stands for one of IPv4`,
			hint: `write the IPv4 address itself: ${ipv4}`,
		};
	}
	return { family: 6, value: bitsOf(parsed) };
}

/** The bits of an IPv6 text, which need be no address that a packet carries; null where it is none. */
export function parseIpv6Bits(text: string): bigint | null {
	if (!ipv6Form.test(text) || !ipaddr.IPv6.isValid(text)) return null;
	return bitsOf(ipaddr.IPv6.parse(text));
}

function bitsOf({ parts }: ipaddr.IPv6): bigint {
	return parts.reduce((value, part) => (value << 16n) | BigInt(part), 0n);
}

function explainNotIpv4(text: string): { message: string; hint: string } {
	if (text === "") return { message: "the address is missing", hint: exampleHint };
	if (/^(0[0-7]+|0x[0-9a-f]+|\d+)(\.(0[0-7]*|0x[0-9a-f]+|\d+))*$/i.test(text)) {
		return {
			message: `${text} is not four decimal numbers without leading zeros`,
			hint: "write all four parts in decimal, as in 10.0.0.0",
		};
	}
	if (/^[a-z0-9.-]+$/i.test(text) && /[a-z]/i.test(text)) {
		return {
			message: `${JSON.stringify(text)} is a name, and names are not resolved`,
			hint: "write the address or block itself, as in 10.0.1.0/24",
		};
	}
	return { message: `${JSON.stringify(text)} is not an IP address`, hint: exampleHint };
}

/** Clears the bits of `value` beyond `prefix`. */
export function maskBase(value: bigint, family: Family, prefix: number): bigint {
	const host = BigInt(familyBits[family] - prefix);
	return (value >> host) << host;
}

/** Whether every address of `inner` is in `outer`; equal blocks contain each other. */
export function containsCidr(outer: Cidr, inner: Cidr): boolean {
	return (
		outer.family === inner.family &&
		outer.prefix <= inner.prefix &&
		maskBase(inner.base, inner.family, outer.prefix) === outer.base
	);
}

/** The canonical text: dotted decimal, or RFC 5952 for IPv6. */
export function formatAddress(family: Family, value: bigint): string {
	if (family === 4) {
		const n = Number(value);
		return `${Math.floor(n / 0x1000000)}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
	}
	const parts: number[] = [];
	for (let shift = 112n; shift >= 0n; shift -= 16n) parts.push(Number((value >> shift) & 0xffffn));
	return new ipaddr.IPv6(parts).toRFC5952String();
}

/** "ADDRESS/PREFIX", the prefix always written. parseCidr reads it back to an equal block. */
export function formatCidr(cidr: Cidr): string {
	return `${formatAddress(cidr.family, cidr.base)}/${cidr.prefix}`;
}
