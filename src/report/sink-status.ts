/** What is told of each sink: its queue, and what became of its alerts. Pure. */

import type { SinkType } from "../config/sinks.ts";
import type { Alert, HostIdentity } from "./alert.ts";
import { systemAlert } from "./system-alert.ts";

/** Why alerts never reached a receiver. `full`: the queue. `refused`: by the receiver. `lost`: on disk, or with the sink. */
export type SinkDrop = "full" | "refused" | "lost";

export interface SinkState {
	readonly name: string;
	readonly type: SinkType;
	/** `failing`: what was tried last did not work. */
	readonly state: "idle" | "sending" | "failing";
	/** Why it is failing, or what was wrong last; "" for nothing. */
	readonly error: string;
	/** Why the disk took nothing when it was last asked; "" where it does, or is not used. */
	readonly diskError: string;
	/** Alerts that wait, and their bytes. */
	readonly queued: number;
	readonly queuedBytes: number;
	/** Since the start. */
	readonly sent: number;
	/** Of `sent`: those that were cut, as no message may be so long. */
	readonly cut: number;
	readonly dropped: Readonly<Record<SinkDrop, number>>;
	/** Attempts that did not work. */
	readonly errors: number;
	/** When alerts were sent last, in milliseconds since the epoch; null for never. */
	readonly lastSuccess: number | null;
	/** When the certificate ends that it last showed its receiver, in milliseconds since the epoch; null for none. */
	readonly certificateExpires: number | null;
	/** What its receiver's name led to when it was last looked up; none where it has no name. */
	readonly addresses: readonly string[];
	/** Which egress policy blocks its receiver, as the policies in force say; "" for none. */
	readonly blocked: string;
}

/** A sink as /v1/status shows it. */
export interface SinkStatus extends Omit<SinkState, "lastSuccess" | "certificateExpires" | "addresses"> {
	/** RFC 3339 in UTC; null for never. */
	readonly lastSuccess: string | null;
}

export function sinkStatus(state: SinkState): SinkStatus {
	const { lastSuccess, certificateExpires: _, addresses: __, ...shown } = state;
	return { ...shown, lastSuccess: lastSuccess === null ? null : new Date(lastSuccess).toISOString() };
}

export function droppedOf({ dropped }: Pick<SinkState, "dropped">): number {
	return dropped.full + dropped.refused + dropped.lost;
}

/** A sink of which nothing has been heard yet. */
export function unheardSink({ name, type }: Pick<SinkState, "name" | "type">): SinkState {
	return {
		name,
		type,
		state: "idle",
		error: "",
		diskError: "",
		queued: 0,
		queuedBytes: 0,
		sent: 0,
		cut: 0,
		dropped: { full: 0, refused: 0, lost: 0 },
		errors: 0,
		lastSuccess: null,
		certificateExpires: null,
		addresses: [],
		blocked: "",
	};
}

/** What the operator should know about sinks. */
export function sinkWarnings(sinks: readonly SinkState[]): string[] {
	return sinks.flatMap(({ name, state, error, diskError, queued, blocked }) => [
		...(blocked === "" ? [] : [`the policies cut off sink ${name}: ${blocked}`]),
		...(state === "failing"
			? [
					`alerts do not reach sink ${name}: ${error}; ${queued} ${queued === 1 ? "waits" : "wait"} in its queue`,
				]
			: []),
		...(diskError === ""
			? []
			: [`the queue of sink ${name} is in memory alone, as the disk does not take it: ${diskError}`]),
	]);
}

/** The alert for what a sink had to drop. `time` is in milliseconds since the epoch. */
export function sinkAlert(
	sink: Pick<SinkState, "name" | "error" | "queued">,
	grown: Readonly<Record<SinkDrop, number>>,
	time: number,
	host: HostIdentity,
): Alert {
	const count = droppedOf({ dropped: grown });
	return systemAlert(
		{
			time,
			resource: `sink ${sink.name}`,
			message: `${count} ${count === 1 ? "alert" : "alerts"} did not reach sink ${sink.name} and never will`,
			severity: 7,
			tags: ["SINK"],
			action: "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: {
				Sink: sink.name,
				Full: String(grown.full || ""),
				Refused: String(grown.refused || ""),
				Lost: String(grown.lost || ""),
				Queued: String(sink.queued),
				Error: sink.error,
			},
		},
		host,
	);
}
