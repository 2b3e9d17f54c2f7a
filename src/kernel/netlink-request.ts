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
	/** `errno` is above 0 where the request was refused as a whole, and 0 where nobody knows what became of it. */
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
	discard(socket);
	const sent = socket.send(request);
	if (!sent.ok) return { ok: false, errno: sent.errno, error: sent.error };
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

/**
 * Reads away what earlier requests left: a refused batch has an answer for each of its messages, of which the first
 * was enough. In a full receive buffer the answer to the next request would be lost.
 */
function discard(socket: NetlinkSocket): void {
	for (;;) {
		const { kind } = socket.receive();
		if (kind === "empty" || kind === "error") return;
	}
}

/** As `ask`, but gives each message to `visit`, during which alone what the cursor shows is good. */
export function askEach(
	socket: NetlinkSocket,
	request: Uint8Array,
	sequence: number,
	visit: (cursor: MessageCursor) => void,
): Answer {
	const answer = ask(socket, request, sequence);
	for (;;) {
		const step = answer.next();
		if (step.done === true) return step.value;
		visit(step.value);
	}
}

/** Runs a request of which only the outcome matters. */
export function perform(socket: NetlinkSocket, request: Uint8Array, sequence: number): Answer {
	return askEach(socket, request, sequence, () => {});
}

/** Requests in one send: their acknowledgements fit into the smallest receive buffer. */
const batchSize = 128;

/**
 * Runs many requests of which only the outcome matters, a batch at a time, and tells the outcome of each.
 * @param write makes the request of an item; it must ask for an acknowledgement and carry the sequence number.
 */
export function performAll<T>(
	socket: NetlinkSocket,
	items: readonly T[],
	write: (item: T, sequence: number) => Uint8Array,
): Answer[] {
	const answers: Answer[] = [];
	const created = Poller.create([socket.fd]);
	for (let from = 0; from < items.length; from += batchSize) {
		const requests = items.slice(from, from + batchSize).map((item, index) => write(item, from + index + 1));
		const outcome = created.ok
			? batch(socket, created.poller, requests, from + 1)
			: requests.map((): Answer => ({ ok: false, errno: 0, error: created.error }));
		for (const answer of outcome) answers.push(answer);
	}
	return answers;
}

function batch(
	socket: NetlinkSocket,
	poller: Poller,
	requests: readonly Uint8Array[],
	first: number,
): Answer[] {
	const failed = (error: string) => (): Answer => ({ ok: false, errno: 0, error });
	const sent = socket.send(Buffer.concat(requests));
	if (!sent.ok) return requests.map(failed(sent.error));
	const answers: (Answer | undefined)[] = requests.map(() => undefined);
	let missing = requests.length;
	const rest = (error: string) => answers.map((answer) => answer ?? failed(error)());
	const deadline = Date.now() + REPLY_TIMEOUT_MS;
	while (missing > 0) {
		const received = socket.receive();
		if (received.kind === "error") return rest(received.error);
		if (received.kind === "overrun") return rest("acknowledgements of the kernel were lost");
		if (received.kind === "empty") {
			const waited = poller.wait(Math.max(0, deadline - Date.now()));
			if (!waited.ok) return rest(waited.error);
			if (Date.now() >= deadline) return rest("the kernel did not answer a netlink request");
			continue;
		}
		const cursor = new MessageCursor(received.bytes);
		while (cursor.advance()) {
			const index = cursor.sequence - first;
			if (cursor.type !== NLMSG_ERROR || !(index in answers) || answers[index] !== undefined) continue;
			const errno = cursor.errorNumber();
			answers[index] = errno > 0 ? failure(errno) : { ok: true, interrupted: false };
			missing -= 1;
		}
	}
	return rest("");
}

function failure(errno: number): Answer {
	const [name, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, "unknown error"];
	return { ok: false, errno, error: `netlink: ${name}: ${text}` };
}
