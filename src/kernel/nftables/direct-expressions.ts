/** Expressions of rules as the kernel's own messages have them (linux/netfilter/nf_tables.h). */

import type { BatchWriter } from "./direct-writer.ts";

/** Where a packet's bytes are read: enum nft_payload_bases. */
export type PayloadBase = 1 | 2;
export const networkHeader: PayloadBase = 1;
export const transportHeader: PayloadBase = 2;

/** What of a packet is read: enum nft_meta_keys. */
export const metaMark = 3;
export const metaInterface = { iif: 4, oif: 5, iifname: 6, oifname: 7, iifkind: 26, oifkind: 27 } as const;
export const metaOwner = { skuid: 10, skgid: 11 } as const;
export const metaFamily = 15;
export const metaProtocol = 16;

/** enum nft_registers: the first 16 bytes, and the four bytes at the word behind them. */
const REGISTER_1 = 1;
const REGISTER32_00 = 8;
const VERDICT_REGISTER = 0;

/** The register that begins at a 4-byte word of the key. */
export function registerAt(word: number): number {
	return word === 0 ? REGISTER_1 : REGISTER32_00 + word;
}

/** enum nft_ct_keys */
const connectionKeys = { state: 0, status: 2, "proto-dst": 12 } as const;
/** IP_CT_DIR_ORIGINAL */
const ORIGINAL = 0;

/** What the kernel makes a name of its own of. */
export const anonymousSet = "__set%d";
const INVERTED = 1;

export type Comparison = "==" | "!=" | "<";
const comparisons: Readonly<Record<Comparison, number>> = { "==": 0, "!=": 1, "<": 2 };

export type Expression =
	| { readonly is: "counter" | "quota"; readonly name: string }
	| { readonly is: "limit"; readonly rate: number; readonly burst: number }
	| {
			readonly is: "log";
			readonly prefix: string;
			readonly group: number;
			readonly snapLength: number;
			readonly queueThreshold: number;
	  }
	| { readonly is: "verdict"; readonly code: number; readonly chain: string | null }
	| {
			readonly is: "payload";
			readonly base: PayloadBase;
			readonly offset: number;
			readonly length: number;
			readonly register: number;
	  }
	| { readonly is: "meta"; readonly key: number; readonly register: number }
	/** Of the connection's first direction where it has one for each. */
	| { readonly is: "ct"; readonly key: keyof typeof connectionKeys; readonly register: number }
	/** The control group at a level below the root that the sender's socket lies in. */
	| { readonly is: "socket"; readonly level: number }
	| { readonly is: "mask"; readonly mask: Uint8Array }
	| { readonly is: "compare"; readonly by: Comparison; readonly value: Uint8Array }
	/** `leads`: the element says what becomes of the packet. */
	| { readonly is: "lookup"; readonly set: string; readonly leads: boolean; readonly inverted?: boolean }
	/** One of several values, which are a set of the rule's own. */
	| { readonly is: "any-of"; readonly type: string; readonly values: readonly number[] }
	/** Counts by the key in a set, which gets it where it has it not. */
	| { readonly is: "tally"; readonly set: string }
	/** Matches within a limit that a set keeps for each key. Of a rate the unit is in seconds. */
	| {
			readonly is: "meter";
			readonly set: string;
			readonly limit:
				| { readonly rate: number; readonly unit: number; readonly burst: number }
				| { readonly connections: number };
	  }
	/** Counts by the counter that an element names. */
	| { readonly is: "counter-map"; readonly map: string };

const names: Readonly<Record<Expression["is"], string>> = {
	counter: "objref",
	quota: "objref",
	limit: "limit",
	log: "log",
	verdict: "immediate",
	payload: "payload",
	meta: "meta",
	ct: "ct",
	socket: "socket",
	mask: "bitwise",
	compare: "cmp",
	lookup: "lookup",
	"any-of": "lookup",
	tally: "dynset",
	meter: "dynset",
	"counter-map": "objref",
};

/** NFT_SOCKET_CGROUPV2 */
const CONTROL_GROUP = 3;

/** enum nft_dynset_ops */
const ADD = 0;
const UPDATE = 1;

const LIST_ELEM = 1;
const EXPR_NAME = 1;
const EXPR_DATA = 2;
const DATA_VALUE = 1;
const DATA_VERDICT = 2;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;
/** NFT_OBJECT_* */
const objectTypes = { counter: 1, quota: 2 } as const;

/** NFTA_* of each expression, by the names that the kernel gives them. */
const attribute = {
	objref: { type: 1, name: 2, setRegister: 3, setName: 4 },
	limit: { rate: 1, unit: 2, burst: 3, type: 4, flags: 5 },
	log: { group: 1, prefix: 2, snapLength: 3, queueThreshold: 4 },
	immediate: { register: 1, data: 2 },
	payload: { register: 1, base: 2, offset: 3, length: 4 },
	meta: { register: 1, key: 2 },
	ct: { register: 1, key: 2, direction: 3 },
	socket: { key: 1, register: 2, level: 3 },
	bitwise: { source: 1, register: 2, length: 3, mask: 4, xor: 5 },
	cmp: { register: 1, by: 2, data: 3 },
	lookup: { set: 1, source: 2, register: 3, id: 4, flags: 5 },
	dynset: { set: 1, operation: 3, key: 4, expression: 7 },
	connlimit: { count: 1, flags: 2 },
} as const;

/** One element of a rule's list. @param set the number in the batch of the set that it looks up, if that is its own */
export function encodeExpression(writer: BatchWriter, expression: Expression, set: number): void {
	const element = writer.open(LIST_ELEM);
	writer.text(EXPR_NAME, names[expression.is]);
	const data = writer.open(EXPR_DATA);
	if (expression.is === "any-of") {
		writer.text(attribute.lookup.set, anonymousSet);
		writer.u32(attribute.lookup.source, REGISTER_1);
		writer.u32(attribute.lookup.id, set);
	} else encodeData(writer, expression);
	writer.close(data);
	writer.close(element);
}

/** What a verdict is in an expression or an element, within attribute `type`. */
export function encodeVerdict(writer: BatchWriter, type: number, code: number, chain: string | null): void {
	const data = writer.open(type);
	const verdict = writer.open(DATA_VERDICT);
	writer.u32(VERDICT_CODE, code);
	if (chain !== null) writer.text(VERDICT_CHAIN, chain);
	writer.close(verdict);
	writer.close(data);
}

/** A value in an attribute of its own. */
export function encodeValue(writer: BatchWriter, type: number, value: Uint8Array): void {
	const data = writer.open(type);
	writer.bytes(DATA_VALUE, value);
	writer.close(data);
}

function encodeData(writer: BatchWriter, expression: Exclude<Expression, { readonly is: "any-of" }>): void {
	switch (expression.is) {
		case "counter":
		case "quota":
			writer.u32(attribute.objref.type, objectTypes[expression.is]);
			writer.text(attribute.objref.name, expression.name);
			return;
		case "limit":
			encodeLimit(writer, { ...expression, unit: 1 });
			return;
		case "log":
			writer.u16(attribute.log.group, expression.group);
			writer.text(attribute.log.prefix, expression.prefix);
			writer.u32(attribute.log.snapLength, expression.snapLength);
			writer.u16(attribute.log.queueThreshold, expression.queueThreshold);
			return;
		case "verdict":
			writer.u32(attribute.immediate.register, VERDICT_REGISTER);
			encodeVerdict(writer, attribute.immediate.data, expression.code, expression.chain);
			return;
		default:
			encodeMatch(writer, expression);
	}
}

function encodeLimit(
	writer: BatchWriter,
	{ rate, unit, burst }: { readonly rate: number; readonly unit: number; readonly burst: number },
): void {
	writer.u64(attribute.limit.rate, rate);
	writer.u64(attribute.limit.unit, unit);
	writer.u32(attribute.limit.burst, burst);
	writer.u32(attribute.limit.type, 0);
	writer.u32(attribute.limit.flags, 0);
}

/** A set's expression, which each of its elements gets. */
function encodeMeter(writer: BatchWriter, { set, limit }: Expression & { readonly is: "meter" }): void {
	const byRate = "rate" in limit;
	writer.text(attribute.dynset.set, set);
	writer.u32(attribute.dynset.operation, byRate ? UPDATE : ADD);
	writer.u32(attribute.dynset.key, REGISTER_1);
	const kept = writer.open(attribute.dynset.expression);
	writer.text(EXPR_NAME, byRate ? "limit" : "connlimit");
	const data = writer.open(EXPR_DATA);
	if (byRate) encodeLimit(writer, limit);
	else {
		writer.u32(attribute.connlimit.count, limit.connections);
		writer.u32(attribute.connlimit.flags, 0);
	}
	writer.close(data);
	writer.close(kept);
}

type Match = Exclude<
	Expression,
	{ readonly is: "counter" | "quota" | "limit" | "log" | "verdict" | "any-of" }
>;

function encodeMatch(writer: BatchWriter, expression: Match): void {
	switch (expression.is) {
		case "payload":
			writer.u32(attribute.payload.register, expression.register);
			writer.u32(attribute.payload.base, expression.base);
			writer.u32(attribute.payload.offset, expression.offset);
			writer.u32(attribute.payload.length, expression.length);
			return;
		case "meta":
			writer.u32(attribute.meta.key, expression.key);
			writer.u32(attribute.meta.register, expression.register);
			return;
		case "ct":
			writer.u32(attribute.ct.key, connectionKeys[expression.key]);
			writer.u32(attribute.ct.register, expression.register);
			if (expression.key === "proto-dst") writer.bytes(attribute.ct.direction, Uint8Array.of(ORIGINAL));
			return;
		case "socket":
			writer.u32(attribute.socket.key, CONTROL_GROUP);
			writer.u32(attribute.socket.register, REGISTER_1);
			writer.u32(attribute.socket.level, expression.level);
			return;
		case "mask":
			writer.u32(attribute.bitwise.source, REGISTER_1);
			writer.u32(attribute.bitwise.register, REGISTER_1);
			writer.u32(attribute.bitwise.length, expression.mask.length);
			encodeValue(writer, attribute.bitwise.mask, expression.mask);
			encodeValue(writer, attribute.bitwise.xor, new Uint8Array(expression.mask.length));
			return;
		case "compare":
			writer.u32(attribute.cmp.register, REGISTER_1);
			writer.u32(attribute.cmp.by, comparisons[expression.by]);
			encodeValue(writer, attribute.cmp.data, expression.value);
			return;
		case "lookup":
			writer.text(attribute.lookup.set, expression.set);
			writer.u32(attribute.lookup.source, REGISTER_1);
			if (expression.leads) writer.u32(attribute.lookup.register, VERDICT_REGISTER);
			if (expression.inverted === true) writer.u32(attribute.lookup.flags, INVERTED);
			return;
		case "tally": {
			writer.text(attribute.dynset.set, expression.set);
			writer.u32(attribute.dynset.operation, UPDATE);
			writer.u32(attribute.dynset.key, REGISTER_1);
			const counter = writer.open(attribute.dynset.expression);
			writer.text(EXPR_NAME, "counter");
			writer.close(writer.open(EXPR_DATA));
			writer.close(counter);
			return;
		}
		case "meter":
			encodeMeter(writer, expression);
			return;
		case "counter-map":
			writer.u32(attribute.objref.setRegister, REGISTER_1);
			writer.text(attribute.objref.setName, expression.map);
	}
}
