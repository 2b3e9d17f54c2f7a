/** Asks the kernel over netlink and reads the whole answer, blocking this thread for at most five seconds a reply. */

import { getSystemErrorMap } from "node:util";
import type { NetlinkSocket } from "../../ffi/netlink.ts";
import { Poller } from "../../ffi/wait.ts";
import { MessageCursor, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from "./netlink-message.ts";

const REPLY_TIMEOUT_MS = 5000;

export type Answer =
	| {
			readonly ok: true;
			/** The dump changed while it was read, so it may miss or repeat entries. */
			readonly interrupted: boolean;
	  }
	| { readonly ok: false; readonly errno: number; readonly error: string };

/**
 * Sends a request and yields every message of the answer, as a cursor that
 * stands on it; what the cursor shows is only good until the next step.
 * @param sequence that of the request, which every reply repeats.
 */
export function* ask(
	socket: NetlinkSocket,
	request: Uint8Array,
	sequence: number,
): Generator<MessageCursor, Answer, void> {
	const created = Poller.create([socket.fd]);
	if (!created.ok) return { ok: false, errno: 0, error: created.error };
	const sent = socket.send(request);
	if (!sent.ok) return { ok: false, errno: 0, error: sent.error };
	let interrupted = false;
	let overrun = false;
	let deadline = Date.now() + REPLY_TIMEOUT_MS;
	for (;;) {
		const received = socket.receive();
		if (received.kind === "error") return { ok: false, errno: 0, error: received.error };
		if (received.kind === "overrun") {
			overrun = true;
			continue;
		}
		if (received.kind === "empty") {
			const left = deadline - Date.now();
			if (left <= 0) return { ok: false, errno: 0, error: "the kernel did not answer a netlink request" };
			const waited = created.poller.wait(left);
			if (!waited.ok) return { ok: false, errno: 0, error: waited.error };
			continue;
		}
		deadline = Date.now() + REPLY_TIMEOUT_MS;
		const cursor = new MessageCursor(received.bytes);
		while (cursor.advance()) {
			if (cursor.sequence !== sequence) continue;
			if ((cursor.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
			if (cursor.type === NLMSG_ERROR || cursor.type === NLMSG_DONE) {
				const errno = cursor.errorNumber();
				return errno > 0 ? failure(errno) : { ok: true, interrupted: interrupted || overrun };
			}
			yield cursor;
		}
	}
}

/** Runs a request of which only the outcome matters. */
export function perform(socket: NetlinkSocket, request: Uint8Array, sequence: number): Answer {
	const answer = ask(socket, request, sequence);
	for (;;) {
		const step = answer.next();
		if (step.done === true) return step.value;
	}
}

function failure(errno: number): Answer {
	const [name, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, "unknown error"];
	return { ok: false, errno, error: `netlink: ${name}: ${text}` };
}
