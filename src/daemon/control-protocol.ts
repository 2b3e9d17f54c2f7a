/** What passes over the control socket: one line of JSON each way, then the connection ends. */

import * as v from "valibot";

/** Bytes of a request or a reply. */
export const longestLine = 4096;

/** Milliseconds that a request may take to arrive. */
export const patienceMs = 2000;

/** Seconds that a temporary permission may last. */
export const longestPermission = 24 * 3600;

const request = v.strictObject({
	verb: v.literal("usb-allow"),
	port: v.pipe(v.string(), v.regex(/^[0-9]{1,5}-[0-9]{1,3}(?:\.[0-9]{1,3}){0,6}$/)),
	seconds: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(longestPermission)),
});

export type ControlRequest = v.InferOutput<typeof request>;

const reply = v.variant("ok", [
	v.object({ ok: v.literal(true), message: v.string() }),
	v.object({ ok: v.literal(false), message: v.string() }),
]);

export type ControlReply = v.InferOutput<typeof reply>;

/** Null for what is no request of this version. */
export function parseRequest(line: string): ControlRequest | null {
	const parsed = v.safeParse(request, parse(line));
	return parsed.success ? parsed.output : null;
}

/** Null for what is no reply of this version. */
export function parseReply(line: string): ControlReply | null {
	const parsed = v.safeParse(reply, parse(line));
	return parsed.success ? parsed.output : null;
}

function parse(line: string): unknown {
	try {
		return JSON.parse(line);
	} catch {
		return undefined;
	}
}

/** Where a daemon with this state directory listens. */
export function controlPath(stateDirectory: string): string {
	return `${stateDirectory}/control.sock`;
}
