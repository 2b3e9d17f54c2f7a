/** What tells two flows apart, as words of 32 bits: a hundred thousand flows are kept, and each costs what it takes. Pure. */

import type { Cidr, Direction, Family } from "../../../base/model.ts";
import { protocolOf } from "../../../base/protocol.ts";
import type { FlowHook, SeenFlow } from "./seen-flow.ts";

export const flowWords = 11;

/** The second word has the interface and the port. */
export const interfaceAt = 1;
export const remoteAt = 2;
export const guestAt = 6;
export const verdictAt = 10;

const guestBit = 32;

const hooks: readonly FlowHook[] = ["input", "output", "forward"];

const hasPort = 1 << 4;

/** Where packets of a flow were met. */
export interface FlowPlace {
	readonly direction: Direction;
	readonly hook: FlowHook;
	readonly family: Family;
}

/** What a flow is, but for its addresses, which lie as bytes where they were read. */
export interface FlowFacts extends FlowPlace {
	/** 0..255. */
	readonly protocol: number;
	readonly port: number | null;
	/** A number of the store's. */
	readonly interface: number;
}

/** The first word and the second. */
export function setFacts(words: Uint32Array, facts: FlowFacts, forwarded: boolean): void {
	const { direction, hook, family, protocol, port } = facts;
	words[0] =
		(direction === "egress" ? 1 : 0) |
		(hooks.indexOf(hook) << 1) |
		(family === 6 ? 8 : 0) |
		(port === null ? 0 : hasPort) |
		(forwarded ? guestBit : 0) |
		((family === 6 ? 128 : 32) << 8) |
		(protocol << 16);
	words[1] = ((port ?? 0) | (facts.interface << 16)) >>> 0;
}

/** Copies an address of the network's byte order. */
export function setAddress(
	words: Uint32Array,
	end: "remote" | "guest",
	bytes: Uint8Array,
	at: number,
	family: Family,
): void {
	const from = end === "remote" ? remoteAt : guestAt;
	const count = family === 6 ? 4 : 1;
	for (let i = 0; i < 4; i++) {
		const byte = at + i * 4;
		words[from + i] =
			i < count
				? (((bytes[byte] ?? 0) << 24) |
						((bytes[byte + 1] ?? 0) << 16) |
						((bytes[byte + 2] ?? 0) << 8) |
						(bytes[byte + 3] ?? 0)) >>>
					0
				: 0;
	}
}

export function setVerdict(words: Uint32Array, verdict: number): void {
	words[verdictAt] = verdict;
}

export function verdictOf(words: Uint32Array): number {
	return words[verdictAt] ?? 0;
}

export function setInterface(words: Uint32Array, number: number): void {
	words[1] = (((words[1] ?? 0) & 0xffff) | (number << 16)) >>> 0;
}

export function interfaceOf(words: Uint32Array): number {
	return (words[1] ?? 0) >>> 16;
}

/** The length of the remote end's prefix, by the first word. */
export function prefixIn(first: number): number {
	return (first >>> 8) & 0xff;
}

function prefixOf(words: Uint32Array): number {
	return prefixIn(words[0] ?? 0);
}

function familyOf(words: Uint32Array): Family {
	return ((words[0] ?? 0) & 8) !== 0 ? 6 : 4;
}

/** Whether the first word tells of a guest. */
export function hasGuest(first: number): boolean {
	return (first & guestBit) !== 0;
}

/** Words that an address takes, by the first word. */
export function addressWords(first: number): number {
	return (first & 8) !== 0 ? 4 : 1;
}

/** Whether the remote end has bits set beyond its prefix. */
export function hasHostBits(words: Uint32Array): boolean {
	const count = addressWords(words[0] ?? 0);
	for (let i = 0, prefix = prefixOf(words); i < count; i++, prefix -= 32) {
		const word = words[remoteAt + i] ?? 0;
		// A shift by 32 would be one by nothing.
		if (prefix < 32 && word << Math.max(0, prefix) !== 0) return true;
	}
	return false;
}

/** Whether the remote end is a single address. */
export function isSingle(words: Uint32Array): boolean {
	return prefixOf(words) === (familyOf(words) === 6 ? 128 : 32);
}

/** The blocks into which rare flows are merged: what one owner usually has. */
const mergedPrefix = { 4: 24, 6: 64 } as const;

/** Makes the remote end the block that it lies in. */
export function mergeRemote(words: Uint32Array): void {
	const family = familyOf(words);
	words[0] = ((words[0] ?? 0) & ~0xff00) | (mergedPrefix[family] << 8);
	if (family === 4) words[remoteAt] = ((words[remoteAt] ?? 0) & 0xffff_ff00) >>> 0;
	else words.fill(0, remoteAt + 2, remoteAt + 4);
}

/** Whether words can be a flow's: they may come from a file. */
export function areWhole(words: Uint32Array): boolean {
	const first = words[0] ?? 0;
	const bits = familyOf(words) === 6 ? 128 : 32;
	return (
		((first >>> 1) & 3) < hooks.length &&
		prefixOf(words) <= bits &&
		first >>> 24 === 0 &&
		(first & 0xc0) === 0
	);
}

function addressAt(words: Uint32Array, at: number, family: Family): bigint {
	if (family === 4) return BigInt(words[at] ?? 0);
	let value = 0n;
	for (let i = at; i < at + 4; i++) value = (value << 32n) | BigInt(words[i] ?? 0);
	return value;
}

/** What the first two words say, but for the interface. */
export function readPlace(words: Uint32Array): Pick<SeenFlow, "direction" | "hook" | "protocol" | "port"> {
	const first = words[0] ?? 0;
	return {
		direction: (first & 1) === 0 ? "ingress" : "egress",
		hook: hooks[(first >>> 1) & 3] ?? "input",
		protocol: protocolOf((first >>> 16) & 0xff),
		port: (first & hasPort) === 0 ? null : (words[1] ?? 0) & 0xffff,
	};
}

/** What words say, but for the interface and the verdict, whose names the store has. */
export function readWords(
	words: Uint32Array,
): Pick<SeenFlow, "direction" | "hook" | "protocol" | "remote" | "port" | "guest"> {
	const first = words[0] ?? 0;
	const family = familyOf(words);
	const remote: Cidr = { family, base: addressAt(words, remoteAt, family), prefix: prefixOf(words) };
	return {
		...readPlace(words),
		remote,
		guest: hasGuest(first) ? { family, value: addressAt(words, guestAt, family) } : null,
	};
}
