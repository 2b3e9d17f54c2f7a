/** The rules of other tables that may translate a destination, as the kernel has them. */

import { NETLINK_NETFILTER } from "../../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../../ffi/netlink.ts";
import {
	AttributeTable,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "../../../kernel/netlink-message.ts";
import { ask } from "../../../kernel/netlink-request.ts";
import {
	NFNL_SUBSYS_NFTABLES,
	NFT_MSG_GETRULE,
	NFTA_RULE_CHAIN,
	NFTA_RULE_EXPRESSIONS,
	NFTA_TABLE,
} from "../../../kernel/nftables-message.ts";
import type { ForeignChain, Hook } from "./foreign-chains.ts";

/** Rules that are looked at in all: a host with tens of thousands of services waits no longer. */
const mostRules = 100_000;

export const familyNumbers = { inet: 1, ip: 2, ip6: 10 } as const;

export interface NatRule {
	readonly family: ForeignChain["family"];
	readonly table: string;
	readonly chain: string;
	/** Of the whole table; see ForeignChain. */
	readonly tools: readonly string[];
	/** A list of nested attributes (NFTA_RULE_EXPRESSIONS); good until the next rule. */
	readonly expressions: Uint8Array;
}

/**
 * Every rule of the tables that have a NAT chain on one of the hooks, but for those in base chains of other hooks: such
 * packets do not meet them. Who jumps to the other chains is not looked into.
 */
export function* natRules(chains: readonly ForeignChain[], hooks: readonly Hook[]): Generator<NatRule> {
	const tables = new Map(
		chains
			.filter(({ type, hook, legacy }) => type === "nat" && !legacy && hooks.includes(hook))
			.map((chain) => [`${chain.family} ${chain.table}`, chain]),
	);
	const elsewhere = new Set(
		chains
			.filter(({ hook }) => !hooks.includes(hook))
			.map((one) => `${one.family} ${one.table} ${one.chain}`),
	);
	let left = mostRules;
	for (const table of tables.values()) {
		for (const rule of rulesOf(table)) {
			if (left === 0) return;
			left -= 1;
			if (!elsewhere.has(`${rule.family} ${rule.table} ${rule.chain}`)) yield rule;
		}
	}
}

function* rulesOf({ family, table, tools }: ForeignChain): Generator<NatRule> {
	const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, receiveBuffer: 4 * 1024 * 1024 });
	if (!opened.ok) return;
	try {
		const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETRULE;
		const request = new MessageWriter(type, NLM_F_REQUEST | NLM_F_DUMP, 1)
			.familyHeader(familyNumbers[family])
			.text(NFTA_TABLE, table)
			.finish();
		const attributes = new AttributeTable(NFTA_RULE_EXPRESSIONS);
		const answer = ask(opened.socket, request, 1);
		for (;;) {
			const step = answer.next();
			if (step.done === true) return;
			const { bytes, start, end } = step.value;
			attributes.read(bytes, start + FAMILY_HEADER_BYTES, end);
			// Kernels that do not filter dump every rule there is.
			if (attributes.text(NFTA_TABLE) !== table) continue;
			const at = attributes.offset(NFTA_RULE_EXPRESSIONS);
			const length = Math.max(attributes.length(NFTA_RULE_EXPRESSIONS), 0);
			const chain = attributes.text(NFTA_RULE_CHAIN) ?? "";
			yield { family, table, chain, tools, expressions: bytes.subarray(at, at + length) };
		}
	} finally {
		opened.socket.close();
	}
}
