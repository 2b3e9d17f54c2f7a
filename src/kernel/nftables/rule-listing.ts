/**
 * What the rules of a chain do, read over netlink: as much as tells whether a chain is as we left it. What libnftables
 * lists is text for people, which other versions write in other ways.
 */

import { ENOENT, NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import {
	AttributeTable,
	attributeRanges,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "../netlink-message.ts";
import { askEach } from "../netlink-request.ts";
import {
	NFNL_SUBSYS_NFTABLES,
	NFPROTO_INET,
	NFT_MSG_GETRULE,
	NFT_MSG_NEWRULE,
	NFTA_EXPR_DATA,
	NFTA_EXPR_NAME,
	NFTA_RULE_CHAIN,
	NFTA_RULE_EXPRESSIONS,
	NFTA_TABLE,
} from "../nftables-message.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_RULE_USERDATA = 7;
const NFTA_IMMEDIATE_DATA = 2;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** Verdicts of linux/netfilter.h and linux/netfilter/nf_tables.h. */
const verdictWords: ReadonlyMap<number, ListedVerdict["word"]> = new Map([
	[0, "drop"],
	[1, "accept"],
	[-3, "jump"],
	[-4, "goto"],
	[-5, "return"],
]);

/** NFTNL_UDATA_RULE_COMMENT of libnftnl. */
const UDATA_COMMENT = 0;

export interface ListedVerdict {
	readonly word: "accept" | "drop" | "jump" | "goto" | "return";
	/** Of a jump or goto. */
	readonly chain?: string;
}

export interface ListedRule {
	/** What the rule ends in; null where it only counts, or asks a map. */
	readonly verdict: ListedVerdict | null;
	/** Whether every packet meets the verdict. */
	readonly unconditional: boolean;
	readonly comment: string | null;
}

export type RulesRead =
	| { readonly ok: true; readonly rules: readonly ListedRule[] }
	| { readonly ok: false; readonly error: string };

/** The rules of a chain in a table of family inet; none where there is no such chain, or no such table. */
export function listRules(table: string, chain: string): RulesRead {
	const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
	if (!opened.ok) return opened;
	try {
		return readRules(opened.socket, table, chain);
	} finally {
		opened.socket.close();
	}
}

function readRules(socket: NetlinkSocket, table: string, chain: string): RulesRead {
	const sequence = 1;
	const request = new MessageWriter(
		(NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETRULE,
		NLM_F_REQUEST | NLM_F_DUMP,
		sequence,
	)
		.familyHeader(NFPROTO_INET)
		.text(NFTA_TABLE, table)
		.text(NFTA_RULE_CHAIN, chain)
		.finish();
	const attributes = new AttributeTable(NFTA_RULE_USERDATA);
	const rules: ListedRule[] = [];
	const answer = askEach(socket, request, sequence, ({ type, bytes, start, end }) => {
		if (type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWRULE)) return;
		attributes.read(bytes, start + FAMILY_HEADER_BYTES, end);
		// Kernels that do not filter dump every rule there is.
		if (attributes.text(NFTA_TABLE) !== table || attributes.text(NFTA_RULE_CHAIN) !== chain) return;
		rules.push(readRule(attributes));
	});
	return answer.ok || answer.errno === ENOENT ? { ok: true, rules } : { ok: false, error: answer.error };
}

function readRule(attributes: AttributeTable): ListedRule {
	const comment = commentIn(attributes.copy(NFTA_RULE_USERDATA));
	const bytes = attributes.copy(NFTA_RULE_EXPRESSIONS) ?? new Uint8Array(0);
	const expressions = [...attributeRanges(bytes)].map(({ start, end }) => expressionIn(bytes, start, end));
	const verdict = expressions.at(-1)?.verdict ?? null;
	return { verdict, unconditional: verdict !== null && expressions.length === 1, comment };
}

function expressionIn(bytes: Uint8Array, start: number, end: number): { verdict: ListedVerdict | null } {
	const expression = new AttributeTable(NFTA_EXPR_DATA).read(bytes, start, end);
	if (expression.text(NFTA_EXPR_NAME) !== "immediate") return { verdict: null };
	const data = new AttributeTable(NFTA_IMMEDIATE_DATA).readNested(expression, NFTA_EXPR_DATA);
	const value = new AttributeTable(NFTA_DATA_VERDICT).readNested(data, NFTA_IMMEDIATE_DATA);
	const verdict = new AttributeTable(NFTA_VERDICT_CHAIN).readNested(value, NFTA_DATA_VERDICT);
	const word = verdictWords.get((verdict.u32(NFTA_VERDICT_CODE) ?? 0xffff) | 0);
	if (word === undefined) return { verdict: null };
	const chain = verdict.text(NFTA_VERDICT_CHAIN);
	return { verdict: chain === null ? { word } : { word, chain } };
}

/** User data are types, lengths and values, a byte each for the first two. */
function commentIn(data: Uint8Array | null): string | null {
	for (let at = 0; data !== null && at + 2 <= data.length; at += 2 + (data[at + 1] ?? 0)) {
		if (data[at] !== UDATA_COMMENT) continue;
		const value = data.subarray(at + 2, at + 2 + (data[at + 1] ?? 0));
		const end = value.indexOf(0);
		return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
	}
	return null;
}
