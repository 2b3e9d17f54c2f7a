/** nf_tables' netlink messages (linux/netfilter/nf_tables.h): which table a notification is about, and who did it. */

import { type AttributeTable, FAMILY_HEADER_BYTES, type MessageCursor } from "./netlink-message.ts";

export const NFNL_SUBSYS_NFTABLES = 10;
export const NFT_MSG_GETTABLE = 1;
export const NFT_MSG_GETCHAIN = 4;
export const NFT_MSG_NEWRULE = 6;
export const NFT_MSG_GETRULE = 7;
export const NFT_MSG_GETSET = 10;
export const NFT_MSG_NEWSETELEM = 12;
export const NFT_MSG_GETSETELEM = 13;
const NFT_MSG_NEWGEN = 15;
export const NFT_MSG_GETGEN = 16;
export const NFT_MSG_NEWOBJ = 18;
export const NFT_MSG_GETOBJ = 19;
export const NFT_MSG_GETOBJ_RESET = 21;

/** Attributes of the messages that several readers read. Of every one but NEWGEN the table is the first. */
export const NFTA_TABLE = 1;
export const NFTA_CHAIN_NAME = 3;
export const NFTA_CHAIN_HOOK = 4;
export const NFTA_HOOK_HOOKNUM = 1;
export const NFTA_HOOK_PRIORITY = 2;
export const NFTA_RULE_CHAIN = 2;
export const NFTA_RULE_EXPRESSIONS = 4;
export const NFTA_EXPR_NAME = 1;
export const NFTA_EXPR_DATA = 2;
export const NFTA_DATA_VALUE = 1;
export const NFTA_OBJ_NAME = 2;
export const NFTA_OBJ_TYPE = 3;
export const NFTA_OBJ_DATA = 4;
export const NFT_OBJECT_COUNTER = 1;
export const NFT_OBJECT_QUOTA = 2;

/** enum nf_inet_hooks of linux/netfilter.h, by number. */
export const hookNames = ["prerouting", "input", "forward", "output", "postrouting"] as const;

/** linux/netfilter/nfnetlink.h: the multicast group of nf_tables' notifications. */
export const NFNLGRP_NFTABLES = 7;

/** linux/netfilter.h */
export const NFPROTO_INET = 1;

/** What each message type is called in a drift event; in the order of enum nf_tables_msg_types. */
const TYPE_NAMES: readonly string[] = [
	"newtable",
	"gettable",
	"deltable",
	"newchain",
	"getchain",
	"delchain",
	"newrule",
	"getrule",
	"delrule",
	"newset",
	"getset",
	"delset",
	"newsetelem",
	"getsetelem",
	"delsetelem",
	"newgen",
	"getgen",
	"trace",
	"newobj",
	"getobj",
	"delobj",
	"getobjreset",
	"newflowtable",
	"getflowtable",
	"delflowtable",
];

export const NFTA_GEN_ID = 1;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;
/** The highest attribute type that is read. */
export const HIGHEST_ATTRIBUTE = NFTA_GEN_PROC_NAME;

export type Notification =
	| { readonly kind: "change"; readonly type: string; readonly family: number; readonly table: string }
	/** Ends a transaction. */
	| { readonly kind: "generation"; readonly id: number; readonly pid: number; readonly process: string };

/** Reads the message that the cursor stands on; null when it is none of nf_tables'. */
export function readNotification(cursor: MessageCursor, table: AttributeTable): Notification | null {
	if (cursor.type >> 8 !== NFNL_SUBSYS_NFTABLES) return null;
	const family = cursor.family();
	if (family === null) return null;
	table.read(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
	const type = cursor.type & 0xff;
	if (type === NFT_MSG_NEWGEN) {
		return {
			kind: "generation",
			id: table.u32(NFTA_GEN_ID) ?? 0,
			pid: table.u32(NFTA_GEN_PROC_PID) ?? 0,
			process: table.text(NFTA_GEN_PROC_NAME) ?? "",
		};
	}
	return {
		kind: "change",
		type: TYPE_NAMES[type] ?? `type${type}`,
		family,
		table: table.text(NFTA_TABLE) ?? "",
	};
}
