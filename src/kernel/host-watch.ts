/**
 * Notices that the host changed under the daemon: its name, its links, what it
 * forwards, its kernel modules. The event loop waits for rtnetlink beside all
 * else, so that neither a thread nor a look is needed while nothing happens.
 * Of a name (uname(2) tells that of this UTS namespace) and of modules no event
 * tells, so they are looked at every few seconds.
 */

import { readdirSync } from "node:fs";
import { hostname } from "node:os";
import { NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { untilTick } from "../base/tick.ts";
import { MessageCursor } from "./netlink-message.ts";

/** linux/rtnetlink.h: links, the settings of interfaces, forwarding among them, and routes of both families. */
const groups = [1, 24, 25, 7, 11];
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;

/** Milliseconds from the first word of a change to the look at what it is: one change has many words. */
const defaultBurstMs = 100;
/** Bursts between two looks of a host at rest, and of one that waits for a module. */
const restingBursts = 100;
const waitingBursts = 20;
/** Bursts between two times that the network counts as changed, where no event tells, and where one may have been missed. */
const deafBursts = 300;
const networkBursts = 3000;
/** Messages taken in one burst; beyond, what comes waits in the kernel, or is lost, which counts as a change. */
const mostMessages = 1000;

export interface HostWatchEvents {
	/** gethostname(2) gives another name than before. */
	renamed(hostname: string): void;
	/** Links came, went or changed, or forwarding or a default route did; now and then also where nothing is known to have changed. */
	network(): void;
	/** Kernel modules were loaded or unloaded. */
	modules(): void;
	/** Whether something is missing that a module may bring. */
	waiting(): boolean;
	warn(message: string): void;
}

/**
 * What rtnetlink says, as a stream of its bytes. For an open socket of Bun.connect the event loop would wake up more
 * than once a second (1.4.5); for a stream it does when there is something to read.
 */
interface Bell {
	read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
	cancel(): Promise<void>;
}

const openRoutes = () => NetlinkSocket.open({ protocol: NETLINK_ROUTE, groups });

export class HostWatch {
	readonly #events: HostWatchEvents;
	readonly #burstMs: number;
	readonly #open: typeof openRoutes;
	/** What keeps it from listening was told. */
	#deaf = false;
	#bell: Bell | null = null;
	#timer: ReturnType<typeof setTimeout> | null = null;
	#burst: ReturnType<typeof setTimeout> | null = null;
	#told = false;
	#messages = 0;
	/** Resolved when the burst that is under way ends. */
	#quiet = Promise.withResolvers<void>();
	#hostname = hostname();
	#modules = loadedModules();
	#networkAt = performance.now();
	#stopped = false;

	constructor(events: HostWatchEvents, burstMs = defaultBurstMs, open = openRoutes) {
		this.#events = events;
		this.#burstMs = burstMs;
		this.#open = open;
	}

	/** Begins to look and to listen. What changed since construction is told at the first look. */
	start(): void {
		this.#listen();
		this.#arm();
	}

	stop(): void {
		this.#stopped = true;
		if (this.#timer !== null) clearTimeout(this.#timer);
		if (this.#burst !== null) clearTimeout(this.#burst);
		this.#bell?.cancel().catch(() => {});
		this.#bell = null;
		// Who waits for the end of a burst that will not end any more would keep the socket.
		this.#quiet.resolve();
	}

	/** One look at what no event tells. */
	look(): void {
		const name = hostname();
		if (name !== this.#hostname) {
			this.#hostname = name;
			this.#events.renamed(name);
		}
		const patience = this.#burstMs * (this.#bell === null ? deafBursts : networkBursts);
		if (performance.now() - this.#networkAt >= patience) {
			if (this.#deaf) this.#listen();
			this.#network();
		}
		if (!this.#events.waiting()) return;
		const modules = loadedModules();
		if (modules === this.#modules) return;
		this.#modules = modules;
		this.#events.modules();
	}

	#arm(): void {
		const bursts = this.#events.waiting() ? waitingBursts : restingBursts;
		this.#timer = setTimeout(
			() => {
				this.look();
				if (!this.#stopped) this.#arm();
			},
			untilTick(performance.now(), bursts * this.#burstMs),
		);
		this.#timer.unref();
	}

	#network(): void {
		this.#networkAt = performance.now();
		this.#events.network();
	}

	#listen(): void {
		const opened = this.#open();
		if (!opened.ok) {
			if (!this.#deaf) this.#events.warn(`changes of interfaces are noticed late: ${opened.error}`);
			this.#deaf = true;
			return;
		}
		this.#deaf = false;
		const bell = Bun.file(opened.socket.fd).stream().getReader();
		this.#bell = bell;
		void this.#hearAll(bell, opened.socket);
	}

	/** Reads until the end, which is the stop, or messages that were lost. Never rejects. */
	async #hearAll(bell: Bell, socket: NetlinkSocket): Promise<void> {
		try {
			for (;;) {
				const { done, value } = await bell.read();
				if (done || value === undefined || this.#stopped) break;
				this.#hear(value);
				// Beyond that, messages wait in the kernel.
				if (this.#messages >= mostMessages) await this.#quiet.promise;
			}
		} catch {
			// The kernel dropped messages (ENOBUFS).
		}
		// The stream does not own the descriptor, and has let go of it.
		socket.close();
		if (this.#stopped) return;
		this.#bell = null;
		this.#told = true;
		this.#endBurst();
	}

	/** One message, or several; what they are the caller reads anew. */
	#hear(bytes: Uint8Array): void {
		const cursor = new MessageCursor(bytes);
		while (cursor.advance()) {
			this.#messages += 1;
			this.#told ||= matters(bytes, cursor);
		}
		// Of a message that was cut nobody knows what it said.
		this.#told ||= cursor.end < bytes.length;
		if (this.#told || this.#messages >= mostMessages) this.#endBurst();
	}

	#endBurst(): void {
		this.#burst ??= setTimeout(() => {
			this.#burst = null;
			this.#messages = 0;
			this.#quiet.resolve();
			this.#quiet = Promise.withResolvers();
			if (this.#bell === null) this.#listen();
			const told = this.#told;
			this.#told = false;
			if (told) this.#network();
		}, this.#burstMs);
	}
}

/** Of a router's many routes only those to everywhere matter. */
function matters(bytes: Uint8Array, { type, start, end }: MessageCursor): boolean {
	const route = type === RTM_NEWROUTE || type === RTM_DELROUTE;
	// struct rtmsg: the family, then the length of the destination's prefix.
	return !route || end - start < 2 || bytes[start + 1] === 0;
}

/** The names of modules, those in the kernel's image included as far as they have parameters. */
function loadedModules(): string {
	try {
		return readdirSync("/sys/module").sort().join();
	} catch {
		return "";
	}
}
