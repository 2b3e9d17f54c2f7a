/** Asks the running daemon for something over its control socket. */

import {
	type ControlReply,
	type ControlRequest,
	longestLine,
	parseReply,
	patienceMs,
} from "../daemon/control-protocol.ts";
import { errorText } from "./client.ts";

/** One request, one reply. Never throws. */
export async function control(path: string, request: ControlRequest): Promise<ControlReply> {
	const ended = Promise.withResolvers<string>();
	let text = "";
	try {
		const socket = await Bun.connect({
			unix: path,
			socket: {
				data: (_socket, bytes) => {
					if (text.length <= longestLine) text += bytes.toString("utf8");
				},
				close: () => ended.resolve(text),
				error: () => ended.resolve(text),
			},
		});
		socket.write(`${JSON.stringify(request)}\n`);
		const timer = setTimeout(() => socket.terminate(), 2 * patienceMs);
		const reply = parseReply((await ended.promise).trimEnd());
		clearTimeout(timer);
		return reply ?? { ok: false, message: "the daemon gave no answer; are both of one version?" };
	} catch (error) {
		return {
			ok: false,
			message: `no daemon answers at ${path} (${errorText(error)}); is portward running, and are you root?`,
		};
	}
}
