/** Connection tracking over netlink (linux/netfilter/nfnetlink_conntrack.h): lists the entries, makes one, deletes one. */

import { AF_INET, AF_INET6, EEXIST, ENOENT, NETLINK_NETFILTER } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import type { Family } from "../base/model.ts";
import { tcp } from "../base/protocol.ts";
import {
	type ConntrackTuple,
	CTA_TUPLE_ORIG,
	CTA_TUPLE_REPLY,
	TupleReader,
	writeTuple,
} from "./conntrack-tuple.ts";
import {
	AttributeTable,
	FAMILY_HEADER_BYTES,
	type MessageCursor,
	MessageWriter,
	NLM_F_ACK,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLM_F_EXCL,
	NLM_F_REQUEST,
} from "./netlink-message.ts";
import { type Answer, ask, askEach, performAll } from "./netlink-request.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_NEW = 0;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const IPCTNL_MSG_CT_GET_STATS = 5;
const CTA_STATUS = 3;
const CTA_PROTOINFO = 4;
const CTA_TIMEOUT = 7;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_PROTOINFO_TCP = 1;
const CTA_PROTOINFO_TCP_STATE = 1;
const CTA_PROTOINFO_TCP_FLAGS_ORIGINAL = 4;
const CTA_PROTOINFO_TCP_FLAGS_REPLY = 5;
const CTA_STATS_GLOBAL_ENTRIES = 1;

/** linux/netfilter/nf_conntrack_common.h; without IPS_CONFIRMED the kernel answers EBUSY. */
const IPS_SEEN_REPLY = 0x2;
const IPS_ASSURED = 0x4;
const IPS_CONFIRMED = 0x8;
/** linux/netfilter/nf_conntrack_tcp.h */
const TCP_CONNTRACK_ESTABLISHED = 3;
const TCP_CONNTRACK_CLOSE_WAIT = 5;
const TCP_CONNTRACK_TIME_WAIT = 7;
const TCP_CONNTRACK_CLOSE = 8;
const IP_CT_TCP_FLAG_BE_LIBERAL = 0x8;

/** What the kernel gives by default (net.netfilter.nf_conntrack_tcp_timeout_*); the next packet sets it anew. */
const ESTABLISHED_SECONDS = 432_000;
const CLOSE_WAIT_SECONDS = 60;

/** A 32 KiB dump message is answered with the next one only once it was read, so a small buffer does. */
const RECEIVE_BUFFER_BYTES = 1 << 20;

export interface ConntrackEntry {
	readonly family: Family;
	/** IP protocol number. */
	readonly protocol: number;
	/** Of ICMP and ICMPv6 alone: the type of the first packet. */
	readonly icmpType?: number;
	readonly original: ConntrackTuple;
	/** The tuple of replies, after address translation. */
	readonly reply: ConntrackTuple;
	/** Packets of both directions were seen. */
	readonly replied: boolean;
	/** It has lasted, so that the kernel does not give it up for a new one. */
	readonly assured: boolean;
	/** TCP that has ended, of which the kernel remembers the tuple for a while; absent for all else. */
	readonly ended?: true;
	/** Tells an entry from a later one with the same tuple. */
	readonly id: number;
	/** 0 when the entry is in no zone of its own. */
	readonly zone: number;
	/** CTA_TUPLE_ORIG as the kernel wrote it, by which the entry is deleted. */
	readonly key: Uint8Array;
}

/** A TCP connection whose entry is to be made. `original` is the client's tuple. */
export interface EstablishedConnection {
	readonly family: Family;
	readonly original: ConntrackTuple;
	/** One end at least has said that it sends no more. */
	readonly closing: boolean;
}

type Failure = { readonly ok: false; readonly error: string };

export class Conntrack {
	readonly #socket: NetlinkSocket;
	#sequence = 0;

	private constructor(socket: NetlinkSocket) {
		this.#socket = socket;
	}

	static open(): { readonly ok: true; readonly conntrack: Conntrack } | Failure {
		const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, receiveBuffer: RECEIVE_BUFFER_BYTES });
		return opened.ok ? { ok: true, conntrack: new Conntrack(opened.socket) } : opened;
	}

	/**
	 * Yields the entries of a family one by one as the kernel hands them out, so
	 * that a large table is never held at once. Entries that come or go meanwhile
	 * may be missed. Finish the dump before any other call.
	 */
	*dump(family: Family): Generator<ConntrackEntry, Answer, void> {
		const request = this.#message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, addressFamily(family)).finish();
		const reader = new EntryReader(family);
		const answer = ask(this.#socket, request, this.#sequence);
		for (;;) {
			const step = answer.next();
			if (step.done === true) return step.value;
			const entry = reader.read(step.value);
			if (entry !== null) yield entry;
		}
	}

	/** Deletes an entry. One that is gone already, or whose tuple a newer connection took, is no failure. */
	delete(entry: ConntrackEntry): { readonly ok: true } | Failure {
		const { error } = this.deleteAll([entry]);
		return error === "" ? { ok: true } : { ok: false, error };
	}

	/** Deletes entries, hundreds a system call; see `delete`. `error` is why some are still there, or "". */
	deleteAll(entries: readonly ConntrackEntry[]): { readonly deleted: number; readonly error: string } {
		const answers = performAll(this.#socket, entries, ({ family, key, id, zone }, sequence) => {
			const message = conntrackMessage(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, sequence, addressFamily(family))
				.nested(CTA_TUPLE_ORIG, key)
				.u32(CTA_ID, id);
			return (zone === 0 ? message : message.u16(CTA_ZONE, zone)).finish();
		});
		const { done, error } = outcomes(answers, ENOENT);
		return { deleted: done, error };
	}

	/**
	 * Makes the entries of TCP connections that both ends have established. One that is there already, of this
	 * direction or the other, stays as it is. `error` is why some could not be made, or "".
	 */
	establishAll(connections: readonly EstablishedConnection[]): {
		readonly failed: number;
		readonly error: string;
	} {
		const flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
		const answers = performAll(this.#socket, connections, ({ family, original, closing }, sequence) =>
			writeEstablished(
				conntrackMessage(IPCTNL_MSG_CT_NEW, flags, sequence, addressFamily(family)),
				original,
				closing,
			).finish(),
		);
		const { done, error } = outcomes(answers, EEXIST);
		return { failed: connections.length - done, error };
	}

	/** Entries of this network namespace, both families. */
	count(): { readonly ok: true; readonly count: number } | Failure {
		const request = this.#message(IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, 0).finish();
		const table = new AttributeTable(CTA_STATS_GLOBAL_ENTRIES);
		let count = 0;
		const answer = askEach(this.#socket, request, this.#sequence, ({ bytes, start, end }) => {
			count = table.read(bytes, start + FAMILY_HEADER_BYTES, end).u32(CTA_STATS_GLOBAL_ENTRIES) ?? count;
		});
		return answer.ok ? { ok: true, count } : { ok: false, error: answer.error };
	}

	/** Closes the socket. A second call does nothing. */
	close(): void {
		this.#socket.close();
	}

	#message(type: number, flags: number, family: number): MessageWriter {
		this.#sequence = (this.#sequence + 1) >>> 0;
		return conntrackMessage(type, flags, this.#sequence, family);
	}
}

function conntrackMessage(type: number, flags: number, sequence: number, family: number): MessageWriter {
	return new MessageWriter((NFNL_SUBSYS_CTNETLINK << 8) | type, NLM_F_REQUEST | flags, sequence).familyHeader(
		family,
	);
}

/** How many requests ended well; `none` is an error number that means that there was nothing to do. */
function outcomes(
	answers: readonly Answer[],
	none: number,
): { readonly done: number; readonly error: string } {
	const failures = answers.filter((answer) => !answer.ok && answer.errno !== none);
	const last = failures.at(-1);
	return { done: answers.length - failures.length, error: last?.ok === false ? last.error : "" };
}

/** Reads entries out of dump messages; its tables are reused from entry to entry. */
export class EntryReader {
	readonly #entry = new AttributeTable(CTA_ZONE);
	readonly #info = new AttributeTable(CTA_PROTOINFO_TCP);
	readonly #state = new AttributeTable(CTA_PROTOINFO_TCP_STATE);
	readonly #tuple: TupleReader;

	constructor(private readonly family: Family) {
		this.#tuple = new TupleReader(family);
	}

	/** Null for a message that is no whole entry of the family. */
	read(cursor: MessageCursor): ConntrackEntry | null {
		this.#entry.read(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
		const original = this.#tuple.read(cursor.bytes, this.#entry, CTA_TUPLE_ORIG);
		const { protocol, icmpType } = this.#tuple;
		const reply = this.#tuple.read(cursor.bytes, this.#entry, CTA_TUPLE_REPLY);
		const key = this.#entry.copy(CTA_TUPLE_ORIG);
		const id = this.#entry.u32(CTA_ID);
		if (original === null || reply === null || protocol === null || key === null || id === null) return null;
		const status = this.#entry.u32(CTA_STATUS) ?? 0;
		const entry = {
			family: this.family,
			protocol,
			original,
			reply,
			replied: (status & IPS_SEEN_REPLY) !== 0,
			assured: (status & IPS_ASSURED) !== 0,
			id,
			zone: this.#entry.u16(CTA_ZONE) ?? 0,
			key,
		};
		if (protocol === tcp && this.#hasEnded()) return { ...entry, ended: true };
		return icmpType === null ? entry : { ...entry, icmpType };
	}

	#hasEnded(): boolean {
		this.#info.readNested(this.#entry, CTA_PROTOINFO);
		const state = this.#state.readNested(this.#info, CTA_PROTOINFO_TCP).u8(CTA_PROTOINFO_TCP_STATE) ?? 0;
		return state === TCP_CONNTRACK_TIME_WAIT || state === TCP_CONNTRACK_CLOSE;
	}
}

function addressFamily(family: Family): number {
	return family === 4 ? AF_INET : AF_INET6;
}

/**
 * The attributes of an established TCP connection. Its sequence numbers are
 * not known, so the kernel is told not to check windows.
 * @throws RangeError for text that is no address.
 */
export function writeEstablished(
	message: MessageWriter,
	original: ConntrackTuple,
	closing: boolean,
): MessageWriter {
	const reply: ConntrackTuple = {
		source: original.destination,
		destination: original.source,
		sourcePort: original.destinationPort,
		destinationPort: original.sourcePort,
	};
	// struct nf_ct_tcp_flags: the flags, and which of them are meant.
	const liberal = [IP_CT_TCP_FLAG_BE_LIBERAL, IP_CT_TCP_FLAG_BE_LIBERAL];
	return message
		.nest(CTA_TUPLE_ORIG, (tuple) => writeTuple(tuple, original))
		.nest(CTA_TUPLE_REPLY, (tuple) => writeTuple(tuple, reply))
		.u32(CTA_STATUS, IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED)
		.nest(CTA_PROTOINFO, (info) =>
			info.nest(CTA_PROTOINFO_TCP, (state) =>
				state
					.u8(CTA_PROTOINFO_TCP_STATE, closing ? TCP_CONNTRACK_CLOSE_WAIT : TCP_CONNTRACK_ESTABLISHED)
					.attribute(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, liberal)
					.attribute(CTA_PROTOINFO_TCP_FLAGS_REPLY, liberal),
			),
		)
		.u32(CTA_TIMEOUT, closing ? CLOSE_WAIT_SECONDS : ESTABLISHED_SECONDS);
}
