/** NFLOG's netlink messages (linux/netfilter/nfnetlink_log.h): the configuration of a group and the records of packets. */

import type { Family } from "../base/model.ts";
import { type ConntrackTuple, CTA_TUPLE_ORIG, TupleReader } from "./conntrack-tuple.ts";
import {
	AttributeTable,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_ACK,
	NLM_F_REQUEST,
} from "./netlink-message.ts";

const NFNL_SUBSYS_ULOG = 4;
const NFULNL_MSG_PACKET = 0;
const NFULNL_MSG_CONFIG = 1;

/** The type of a record in its netlink header. */
export const PACKET_MESSAGE = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_PACKET;
const CONFIG_MESSAGE = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG;

const NFULA_PACKET_HDR = 1;
const NFULA_TIMESTAMP = 3;
const NFULA_IFINDEX_INDEV = 4;
const NFULA_IFINDEX_OUTDEV = 5;
const NFULA_PAYLOAD = 9;
const NFULA_PREFIX = 10;
const NFULA_SEQ = 12;
const NFULA_CT = 18;
/** The highest attribute type that is read. */
export const HIGHEST_ATTRIBUTE = NFULA_CT;

const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULA_CFG_NLBUFSIZ = 3;
const NFULA_CFG_TIMEOUT = 4;
const NFULA_CFG_QTHRESH = 5;
const NFULA_CFG_FLAGS = 6;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
const NFULNL_CFG_F_SEQ = 1;
const NFULNL_CFG_F_CONNTRACK = 4;

/** linux/netfilter.h */
const NF_INET_FORWARD = 2;

export interface GroupSettings {
	/** 1..65535. */
	readonly group: number;
	/** Bytes of each packet to copy. */
	readonly copyBytes: number;
	/** Bytes of records that the kernel gathers into one message. */
	readonly batchBytes: number;
	/** Records after which a message is sent. */
	readonly threshold: number;
	/** Hundredths of a second after which a message is sent however few records it holds. */
	readonly timeout: number;
	/** Have connection tracking's entry told with each packet; a kernel without its netlink half answers EOPNOTSUPP. */
	readonly conntrack: boolean;
}

/** The request that binds a group to the socket; it is acknowledged. @param group 1..65535. */
export function bindRequest(group: number, sequence: number): Uint8Array {
	return configuration(group, sequence).u8(NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND).finish();
}

/** The request that sets up a bound group; it is acknowledged. */
export function settingsRequest(settings: GroupSettings, sequence: number): Uint8Array {
	const { group, copyBytes, batchBytes, threshold, timeout, conntrack } = settings;
	const mode = [copyBytes >>> 24, (copyBytes >> 16) & 0xff, (copyBytes >> 8) & 0xff, copyBytes & 0xff];
	return configuration(group, sequence)
		.attribute(NFULA_CFG_MODE, [...mode, NFULNL_COPY_PACKET, 0])
		.u32(NFULA_CFG_NLBUFSIZ, batchBytes)
		.u32(NFULA_CFG_TIMEOUT, timeout)
		.u32(NFULA_CFG_QTHRESH, threshold)
		.u16(NFULA_CFG_FLAGS, NFULNL_CFG_F_SEQ | (conntrack ? NFULNL_CFG_F_CONNTRACK : 0))
		.finish();
}

function configuration(group: number, sequence: number): MessageWriter {
	return new MessageWriter(CONFIG_MESSAGE, NLM_F_REQUEST | NLM_F_ACK, sequence).familyHeader(0, group);
}

/** One record, as places in the received bytes; reused from record to record. */
export interface LogRecord {
	/** The log prefix. */
	prefix: string;
	/** Number of the record within the group, modulo 2^32; null when the kernel gave none. */
	sequence: number | null;
	/** Milliseconds since the epoch; null where the kernel gave none, as for locally sent packets. */
	time: number | null;
	/** Index of the input interface, of the output interface for what this host sends; 0 when unknown. */
	interfaceIndex: number;
	/** Of a packet on its way through this host, the index of the output interface; else 0. */
	forwardIndex: number;
	/** Bounds of what connection tracking says of the packet; the same place twice where it says nothing. */
	conntrackStart: number;
	conntrackEnd: number;
	/** Bounds of the captured packet. */
	payloadStart: number;
	payloadEnd: number;
}

export function emptyRecord(): LogRecord {
	return {
		prefix: "",
		sequence: null,
		time: null,
		interfaceIndex: 0,
		forwardIndex: 0,
		conntrackStart: 0,
		conntrackEnd: 0,
		payloadStart: 0,
		payloadEnd: 0,
	};
}

/** Reads the record whose message payload is [start, end) of `bytes` into `record`. */
export function readRecord(
	bytes: Buffer,
	start: number,
	end: number,
	table: AttributeTable,
	record: LogRecord,
): void {
	table.read(bytes, start + FAMILY_HEADER_BYTES, end);
	const prefixAt = table.offset(NFULA_PREFIX);
	// The kernel counts the terminating NUL in the length.
	record.prefix =
		table.length(NFULA_PREFIX) < 1
			? ""
			: bytes.toString("latin1", prefixAt, prefixAt + table.length(NFULA_PREFIX) - 1);
	record.sequence = table.u32(NFULA_SEQ);
	record.time = timestamp(bytes, table);
	// struct nfulnl_msg_packet_hdr: protocol in two bytes, then the hook.
	const hook = table.length(NFULA_PACKET_HDR) < 3 ? 0 : (bytes[table.offset(NFULA_PACKET_HDR) + 2] ?? 0);
	record.interfaceIndex =
		table.u32(hook <= NF_INET_FORWARD ? NFULA_IFINDEX_INDEV : NFULA_IFINDEX_OUTDEV) ?? 0;
	record.forwardIndex = hook === NF_INET_FORWARD ? (table.u32(NFULA_IFINDEX_OUTDEV) ?? 0) : 0;
	record.conntrackStart = table.offset(NFULA_CT);
	record.conntrackEnd = record.conntrackStart + Math.max(table.length(NFULA_CT), 0);
	record.payloadStart = table.offset(NFULA_PAYLOAD);
	record.payloadEnd = record.payloadStart + Math.max(table.length(NFULA_PAYLOAD), 0);
}

/** Reads, out of a record's bytes, the tuple of the flow's first packet before any translation. */
export class OriginalTuple {
	readonly #entry = new AttributeTable(CTA_TUPLE_ORIG);
	readonly #readers: Readonly<Record<Family, TupleReader>> = { 4: new TupleReader(4), 6: new TupleReader(6) };

	/** Null where the record does not hold it whole. */
	read(
		bytes: Uint8Array,
		{ conntrackStart, conntrackEnd }: Pick<LogRecord, "conntrackStart" | "conntrackEnd">,
		family: Family,
	): ConntrackTuple | null {
		this.#entry.read(bytes, conntrackStart, conntrackEnd);
		return this.#readers[family].read(bytes, this.#entry, CTA_TUPLE_ORIG);
	}
}

/** struct nfulnl_msg_packet_timestamp: seconds and microseconds, 64 bits each. */
function timestamp(bytes: Buffer, table: AttributeTable): number | null {
	const seconds = table.u64(NFULA_TIMESTAMP);
	if (seconds === null || table.length(NFULA_TIMESTAMP) < 16) return null;
	return seconds * 1000 + bytes.readUInt32BE(table.offset(NFULA_TIMESTAMP) + 12) / 1000;
}
