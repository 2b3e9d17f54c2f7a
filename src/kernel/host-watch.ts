/**
 * Notices that the host changed under the daemon: its name, its links, what it
 * forwards, its kernel modules. It looks a few times a second and never waits,
 * so it needs no thread of its own: uname(2) tells the name of this UTS
 * namespace at once, and rtnetlink keeps what happened in between.
 */

import { readdirSync } from "node:fs";
import { NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { hostFacts } from "./host.ts";
import { MessageCursor } from "./netlink-message.ts";

/** linux/rtnetlink.h: links, the settings of interfaces, forwarding among them, and routes of both families. */
const groups = [1, 24, 25, 7, 11];
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;

/** Milliseconds between two looks. */
const defaultLookMs = 250;
/** Looks between two at the modules, whose coming and going no event tells us. */
const moduleLooks = 8;
/** Looks between two where the network counts as changed, as an event may have been missed. */
const networkLooks = 120;
/** Messages taken in one look; what is left is there at the next. */
const mostMessages = 1000;

export interface HostWatchEvents {
	/** gethostname(2) gives another name than before. */
	renamed(hostname: string): void;
	/** Links came, went or changed, or forwarding or a default route did; now and then also where nothing is known to have changed. */
	network(): void;
	/** Kernel modules were loaded or unloaded. */
	modules(): void;
	warn(message: string): void;
}

export class HostWatch {
	readonly #events: HostWatchEvents;
	readonly #lookMs: number;
	#socket: NetlinkSocket | null = null;
	#timer: ReturnType<typeof setInterval> | null = null;
	#hostname = hostFacts().hostname;
	#modules = loadedModules();
	#looks = 0;

	constructor(events: HostWatchEvents, lookMs = defaultLookMs) {
		this.#events = events;
		this.#lookMs = lookMs;
	}

	/** Begins to look. What changed since construction is told at the first look. */
	start(): void {
		const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE, groups });
		if (opened.ok) this.#socket = opened.socket;
		else this.#events.warn(`changes of interfaces are noticed late: ${opened.error}`);
		this.#timer = setInterval(() => this.look(), this.#lookMs);
	}

	stop(): void {
		if (this.#timer !== null) clearInterval(this.#timer);
		this.#socket?.close();
		this.#timer = null;
		this.#socket = null;
	}

	/** One look. Tells what changed since the last. */
	look(): void {
		this.#looks += 1;
		const { hostname } = hostFacts();
		if (hostname !== this.#hostname) {
			this.#hostname = hostname;
			this.#events.renamed(hostname);
		}
		if (this.#drain() || this.#looks % networkLooks === 0) this.#events.network();
		if (this.#looks % moduleLooks !== 0) return;
		const modules = loadedModules();
		if (modules === this.#modules) return;
		this.#modules = modules;
		this.#events.modules();
	}

	/** Whether anything was told; what it was the caller reads anew. */
	#drain(): boolean {
		let told = false;
		for (let count = 0; this.#socket !== null && count < mostMessages; count++) {
			const received = this.#socket.receive();
			if (received.kind === "empty") break;
			told ||= received.kind !== "data" || matters(received.bytes);
			if (received.kind === "error") {
				this.#events.warn(`changes of interfaces are noticed late: ${received.error}`);
				this.#socket.close();
				this.#socket = null;
			}
		}
		return told;
	}
}

/** Of a router's many routes only those to everywhere matter. */
function matters(bytes: Uint8Array): boolean {
	const cursor = new MessageCursor(bytes);
	while (cursor.advance()) {
		const { type, start, end } = cursor;
		const route = type === RTM_NEWROUTE || type === RTM_DELROUTE;
		// struct rtmsg: the family, then the length of the destination's prefix.
		if (!route || end - start < 2 || bytes[start + 1] === 0) return true;
	}
	return false;
}

/** The names of modules, those in the kernel's image included as far as they have parameters. */
function loadedModules(): string {
	try {
		return readdirSync("/sys/module").sort().join();
	} catch {
		return "";
	}
}
