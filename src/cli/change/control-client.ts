/** Asks the running daemon for something over its control socket. */

import {
	type ControlReply,
	type ControlRequest,
	longestReply,
	parseReply,
	patienceMs,
	performMsOf,
} from "../../serve/control/control-protocol.ts";
import { connectionError, isAbsent } from "../status/reach.ts";

/** Milliseconds for the way there and back, beside the daemon's own bounds. */
const wayMs = patienceMs + 5000;
/** Connecting is tried so often: a queue that is full of others' connections (EAGAIN, unix(7)) soon has room. */
const connectTries = 50;
const connectPauseMs = 100;

const newline = 0x0a;

export type Answer =
	| { readonly answered: true; readonly reply: ControlReply }
	/** `message`: why there is no answer, for the operator. `absent`: nobody listens there. */
	| { readonly answered: false; readonly absent: boolean; readonly message: string };

/** One request, one reply. Never throws. */
export async function control(path: string, request: ControlRequest): Promise<ControlReply> {
	const answer = await askPatiently(path, request);
	return answer.answered ? answer.reply : { ok: false, message: answer.message };
}

/** Like `control`, with whether there was an answer. Never throws. */
export function askPatiently(path: string, request: ControlRequest): Promise<Answer> {
	return ask(path, request, performMsOf(request.verb) + wayMs);
}

/** Like `control`, for who goes on without a daemon that does not answer within `milliseconds`. Never throws. */
export async function ask(path: string, request: ControlRequest, milliseconds: number): Promise<Answer> {
	const deadline = performance.now() + milliseconds;
	const line = Buffer.from(`${JSON.stringify(request)}\n`);
	for (let tries = 1; ; tries++) {
		const ended = Promise.withResolvers<void>();
		const chunks: Buffer[] = [];
		let length = 0;
		let sent = 0;
		try {
			const socket = await Bun.connect({
				unix: path,
				socket: {
					data: (socket, bytes) => {
						length += bytes.length;
						if (length <= longestReply) chunks.push(Buffer.from(bytes));
						if (length > longestReply || bytes.includes(newline)) socket.terminate();
					},
					drain: (socket) => {
						sent += socket.write(line.subarray(sent));
					},
					close: () => ended.resolve(),
					error: () => ended.resolve(),
				},
			});
			sent += socket.write(line.subarray(sent));
			const timer = setTimeout(() => socket.terminate(), deadline - performance.now());
			await ended.promise;
			clearTimeout(timer);
			const reply = parseReply(Buffer.concat(chunks).toString("utf8").trimEnd());
			return reply === null
				? { answered: false, absent: false, message: "the daemon gave no answer; are both of one version?" }
				: { answered: true, reply };
		} catch (error) {
			const full = error instanceof Error && "code" in error && error.code === "EAGAIN";
			if (full && tries < connectTries && performance.now() < deadline) {
				await Bun.sleep(connectPauseMs);
				continue;
			}
			return {
				answered: false,
				absent: isAbsent(error),
				message: `no daemon answers at ${path} (${connectionError(error)}); is portward running, and are you root?`,
			};
		}
	}
}
