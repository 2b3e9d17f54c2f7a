/** Worker: waits for USB events of the kernel and posts them as they come. */

import { Poller } from "../../../../ffi/wait.ts";
import type { ObserverMessage, ObserverStart } from "../../../threads/observer-protocol.ts";
import type { UeventReport, UeventSettings } from "./observer.ts";
import type { UsbEvent } from "./uevent.ts";
import { openUeventSource, type UeventSource } from "./uevent-source.ts";

declare const self: Worker;

/** Events in one message. */
const batchEvents = 256;
/** Reads between two posts, as events of other subsystems may come without end. */
const readsPerRound = 1024;
/** Messages that the main thread may be behind before events wait in the kernel's buffer. */
const messagesAhead = 64;
/** Milliseconds between two looks at how far behind the main thread is. */
const behindMs = 5;

const post = (message: ObserverMessage<UeventReport>): void => self.postMessage(message);

self.onmessage = ({ data }: MessageEvent<ObserverStart<UeventSettings>>) => {
	const error = read(data);
	post(error === null ? { kind: "stopped" } : { kind: "failed", error });
	process.exit(0);
};

/** Reads until told to stop. Null, or why it could not go on. */
function read(start: ObserverStart<UeventSettings>): string | null {
	const opened = openUeventSource(start.settings);
	if (!opened.ok) return opened.error;
	const { source } = opened;
	try {
		const polling = Poller.create([start.stopFd, source.fd]);
		if (!polling.ok) return polling.error;
		post({ kind: "ready" });
		// What starting left behind: from here on this thread mostly waits.
		Bun.gc(true);
		return run(source, polling.poller, new Int32Array(start.handled));
	} finally {
		source.close();
	}
}

function run(source: UeventSource, poller: Poller, handled: Int32Array): string | null {
	/** The first message was `ready`. */
	let posted = 1;
	for (;;) {
		const behind = posted - Atomics.load(handled, 0) >= messagesAhead;
		const waited = poller.wait(behind ? behindMs : -1);
		if (!waited.ok) return waited.error;
		if (waited.ready[0] === true) return null;
		if (behind) continue;
		const { events, lost, error } = drain(source);
		if (lost) post({ kind: "lost" });
		if (events.length > 0) post({ kind: "events", events });
		posted += Number(lost) + Number(events.length > 0);
		if (error !== null) return error;
	}
}

function drain(source: UeventSource): { events: UsbEvent[]; lost: boolean; error: string | null } {
	const events: UsbEvent[] = [];
	let lost = false;
	for (let reads = 0; reads < readsPerRound && events.length < batchEvents; reads++) {
		const next = source.next();
		if (next.kind === "event") events.push(next.event);
		else if (next.kind === "overrun") lost = true;
		else if (next.kind === "empty") break;
		else if (next.kind === "error") return { events, lost, error: next.error };
	}
	return { events, lost, error: null };
}
