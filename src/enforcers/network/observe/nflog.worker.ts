/** Worker: reads the packets that the kernel logs to our NFLOG group and posts them in batches. */

import { EAGAIN, EOPNOTSUPP, EPERM, NETLINK_NETFILTER } from "../../../../ffi/constants.ts";
import { Libc } from "../../../../ffi/libc.ts";
import { NetlinkSocket } from "../../../../ffi/netlink.ts";
import { Poller } from "../../../../ffi/wait.ts";
import { Containers } from "../../../kernel/guests/containers.ts";
import { AttributeTable, MessageCursor } from "../../../kernel/netlink-message.ts";
import { perform } from "../../../kernel/netlink-request.ts";
import {
	bindRequest,
	emptyRecord,
	HIGHEST_ATTRIBUTE,
	PACKET_MESSAGE,
	readRecord,
	settingsRequest,
} from "../../../kernel/nflog-message.ts";
import type { ObserverMessage, ObserverStart } from "../../../threads/observer-protocol.ts";
import { Aggregator, DEFAULT_LIMITS } from "./aggregate.ts";
import type { PacketEvent } from "./event.ts";
import { InterfaceNames } from "./interface-names.ts";
import type { NflogReport, NflogSettings } from "./observer-protocol.ts";

declare const self: Worker;

/** Enough for 400 000 records a second while this thread is away for 100 ms. */
const RECEIVE_BUFFER_BYTES = 8 << 20;
/** Link and IPv6 headers with extensions fit; the rest of a packet is of no interest. */
const COPY_BYTES = 160;
const BATCH_BYTES = 65_536;
const BATCH_RECORDS = 64;
const BATCH_HUNDREDTHS = 10;
/** Batches go out at most this often. */
const POST_INTERVAL_MS = 50;
/** Messages that the main thread may be behind before further ones wait. */
const MESSAGES_AHEAD = 16;
/** Receives between two looks at the clock. */
const RECEIVES_PER_ROUND = 32;

const post = (message: ObserverMessage<NflogReport>): void => self.postMessage(message);

self.onmessage = ({ data }: MessageEvent<ObserverStart<NflogSettings>>) => {
	const error = read(data);
	post(error === null ? { kind: "stopped" } : { kind: "failed", error });
	process.exit(0);
};

/** Reads until told to stop. Null, or why it could not go on. */
function read(start: ObserverStart<NflogSettings>): string | null {
	const library = Libc.open();
	if (!library.ok) return library.reason;
	const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, receiveBuffer: RECEIVE_BUFFER_BYTES });
	if (!opened.ok) return opened.error;
	const { socket } = opened;
	try {
		const polling = Poller.create([start.stopFd, socket.fd]);
		if (!polling.ok) return polling.error;
		const refused = bind(socket, start.settings.group);
		if (refused !== null) return refused;
		post({ kind: "ready" });
		// What starting left behind: from here on this thread mostly waits.
		Bun.gc(true);
		const names = new InterfaceNames(
			(index) => library.libc.interfaceName(index),
			() => performance.now(),
		);
		return new Reader(socket, names, start).run(polling.poller);
	} finally {
		// Descriptors outlive the Worker, and an open socket keeps the group from its successor.
		socket.close();
	}
}

/**
 * What the kernel is asked for, one after the other. EAGAIN says that it has just loaded connection tracking's netlink
 * half and wants to be asked again, EOPNOTSUPP that it has none: then packets are logged without what the outside saw.
 */
const tellConntrack = [true, true, false];
const withoutConntrack: ReadonlySet<number> = new Set([EAGAIN, EOPNOTSUPP]);

/** Null, or why the group cannot be had. */
function bind(socket: NetlinkSocket, group: number): string | null {
	let sequence = 1;
	let answer = perform(socket, bindRequest(group, sequence), sequence);
	for (const conntrack of answer.ok ? tellConntrack : []) {
		sequence += 1;
		const settings = {
			group,
			copyBytes: COPY_BYTES,
			batchBytes: BATCH_BYTES,
			threshold: BATCH_RECORDS,
			timeout: BATCH_HUNDREDTHS,
			conntrack,
		};
		answer = perform(socket, settingsRequest(settings, sequence), sequence);
		if (answer.ok || !withoutConntrack.has(answer.errno)) break;
	}
	if (answer.ok) return null;
	// nfnetlink_log answers EPERM where the group is another socket's.
	const hint =
		answer.errno === EPERM
			? "; another process reads this group, or CAP_NET_ADMIN is missing: set nflogGroup to a free group"
			: "";
	return `NFLOG group ${group}: ${answer.error}${hint}`;
}

class Reader {
	readonly #aggregator: Aggregator;
	readonly #table = new AttributeTable(HIGHEST_ATTRIBUTE);
	readonly #record = emptyRecord();
	readonly #handled: Int32Array;
	readonly #containers = new Containers(() => performance.now());
	/** Messages so far; the first was `ready`. */
	#posted = 1;
	#nextPost = 0;

	constructor(
		private readonly socket: NetlinkSocket,
		private readonly names: InterfaceNames,
		{ handled, settings }: ObserverStart<NflogSettings>,
	) {
		this.#aggregator = new Aggregator({
			...DEFAULT_LIMITS,
			perSecond: settings.perSecond ?? DEFAULT_LIMITS.perSecond,
		});
		this.#handled = new Int32Array(handled);
	}

	run(poller: Poller): string | null {
		for (;;) {
			const waited = poller.wait(this.#patience());
			if (!waited.ok) return waited.error;
			const [stopped, readable] = waited.ready;
			if (readable === true || stopped === true) {
				const error = this.#receive();
				if (error !== null) return error;
			}
			if (stopped === true) {
				if (this.#aggregator.dirty) this.#post();
				return null;
			}
			if (this.#mayPost()) this.#post();
		}
	}

	/** Milliseconds to wait for packets: for ever, or until what is gathered may be posted. */
	#patience(): number {
		if (!this.#aggregator.dirty) return -1;
		const left = Math.ceil(this.#nextPost - performance.now());
		return left > 0 ? left : this.#mainIsBehind() ? POST_INTERVAL_MS : 0;
	}

	#mayPost(): boolean {
		return this.#aggregator.dirty && performance.now() >= this.#nextPost && !this.#mainIsBehind();
	}

	#mainIsBehind(): boolean {
		return this.#posted - Atomics.load(this.#handled, 0) >= MESSAGES_AHEAD;
	}

	#post(): void {
		const batch = this.#aggregator.take(performance.now());
		const events = batch.events.map((event) => withContainers(event, this.#containers));
		post({ kind: "packets", batch: { ...batch, events } });
		this.#posted++;
		this.#nextPost = performance.now() + POST_INTERVAL_MS;
	}

	#receive(): string | null {
		const now = performance.now();
		const wallTime = Date.now();
		const interfaceName = (index: number): string => this.names.name(index);
		for (let round = 0; round < RECEIVES_PER_ROUND; round++) {
			const received = this.socket.receive();
			if (received.kind === "empty") return null;
			if (received.kind === "error") return received.error;
			if (received.kind === "overrun") {
				this.#aggregator.overrun();
				continue;
			}
			const { buffer, byteOffset, length } = received.bytes;
			const bytes = Buffer.from(buffer, byteOffset, length);
			const cursor = new MessageCursor(bytes);
			while (cursor.advance()) {
				if (cursor.type !== PACKET_MESSAGE) continue;
				readRecord(bytes, cursor.start, cursor.end, this.#table, this.#record);
				this.#aggregator.add(bytes, this.#record, now, wallTime, interfaceName);
			}
		}
		return null;
	}
}

/** Where a guest has the destination, nobody asks whose the source is: strangers would have everything looked through. */
function withContainers(event: PacketEvent, containers: Containers): PacketEvent {
	const { forwarded, packet } = event;
	if (forwarded === undefined) return event;
	const ownersOf = (address: string | null) => (address === null ? [] : containers.ownersOf(address));
	const destination = ownersOf(packet.destination);
	const source = destination.length > 0 ? [] : ownersOf(packet.source);
	return { ...event, forwarded: { ...forwarded, containers: { source, destination } } };
}
