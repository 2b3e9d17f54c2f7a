/** What passes over the control socket: one line of JSON each way, then the connection ends. */

import * as v from "valibot";
import { longestReason } from "../../state/panic.ts";

/** Bytes of a request, with room for the longest path (PATH_MAX, limits.h) in JSON's escapes. */
export const longestRequest = 32 * 1024;

/** Bytes of a reply. */
export const longestReply = 64 * 1024;

/** Milliseconds that a request may take to arrive. */
export const patienceMs = 2000;

/** Milliseconds that the daemon may take over a request; it says so where it takes longer. */
const performMs = 120_000;

/** Milliseconds for a reload, which ends when a million elements are compiled and loaded on a slow machine. */
const reloadMs = 14 * 60_000;

/** Milliseconds that the daemon may take over a request of this kind. */
export function performMsOf(verb: ControlVerb): number {
	return verb === "reload" ? reloadMs : performMs;
}

/** UTF-16 units of panic-open's reason. */
const longestReasonUnits = 2 * longestReason;

/** Seconds that a temporary permission may last. */
export const longestPermission = 24 * 3600;

/** Seconds that a change may wait for its confirmation. */
export const shortestWait = 10;
export const longestWait = 24 * 3600;

/** PATH_MAX (limits.h) with its final NUL. */
const longestPath = 4096;

const absolutePath = v.pipe(
	v.string(),
	v.maxLength(longestPath - 1),
	v.regex(/^\/[^\0]*$/u),
	v.check((path) => path.isWellFormed()),
);

const change = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/u));

/** The SSH connection that the client finds itself in; src/kernel/ssh-session.ts. */
const session = v.strictObject({
	connection: v.pipe(v.string(), v.maxLength(200)),
	opened: v.pipe(v.number(), v.finite(), v.minValue(0)),
	unproven: v.exactOptional(v.literal(true)),
});

const usbPort = v.pipe(v.string(), v.regex(/^[0-9]{1,5}-[0-9]{1,3}(?:\.[0-9]{1,3}){0,6}$/));

/** What root may ask for. A verb has its own fields, and no others. */
const request = v.variant("verb", [
	v.strictObject({
		verb: v.literal("apply"),
		directory: absolutePath,
		/** What the directory is a copy of: the daemon may not see all that the client does. */
		from: absolutePath,
		/** Null for the time that the settings give. */
		seconds: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(shortestWait), v.maxValue(longestWait))),
		session: v.nullable(session),
	}),
	v.strictObject({
		verb: v.literal("confirm"),
		/** Null for whichever is pending. */
		id: v.nullable(change),
		sameSession: v.boolean(),
		session: v.nullable(session),
	}),
	v.strictObject({ verb: v.literal("rollback"), id: v.nullable(change) }),
	v.strictObject({
		verb: v.literal("panic-open"),
		/** The reason, where it could not be recorded on the disk. */
		unrecorded: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(longestReasonUnits))),
	}),
	v.strictObject({ verb: v.literal("resume") }),
	/** `revoke`: no new link to the status page, but an end to all. */
	v.strictObject({ verb: v.literal("page"), revoke: v.boolean() }),
	v.strictObject({ verb: v.literal("reload") }),
	v.strictObject({ verb: v.literal("reset-serial") }),
	v.strictObject({
		verb: v.literal("usb-allow"),
		port: usbPort,
		seconds: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(longestPermission)),
	}),
	v.strictObject({
		verb: v.literal("usb-hand"),
		/** End a temporary permission; refuse a device by hand; end what is refused by hand or by somebody else. */
		what: v.picklist(["end", "block", "unblock"]),
		port: usbPort,
	}),
]);

export type ControlRequest = v.InferOutput<typeof request>;
export type ControlVerb = ControlRequest["verb"];
export type RequestOf<Verb extends ControlVerb> = Extract<ControlRequest, { verb: Verb }>;

const reply = v.variant("ok", [
	v.object({
		ok: v.literal(true),
		message: v.string(),
		/** What of the message a program would look for. */
		values: v.exactOptional(v.record(v.string(), v.union([v.string(), v.number(), v.null()]))),
	}),
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

/** A reply as it is sent: one line of at most `longestReply` bytes. A message that is longer is cut. */
export function formatReply(reply: ControlReply): string {
	const line = `${JSON.stringify(reply)}\n`;
	if (Buffer.byteLength(line) <= longestReply) return line;
	// No character takes more than six bytes in JSON.
	const message = `${reply.message.slice(0, Math.floor(longestReply / 6) - 100).toWellFormed()} …`;
	return `${JSON.stringify({ ...reply, message })}\n`;
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
