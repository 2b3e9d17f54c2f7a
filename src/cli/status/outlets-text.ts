/** Sinks and KubeArmor's log service as `portward status` tells them. */

import * as v from "valibot";
import { plural } from "../diagnostics.ts";

const counts = v.object({ alerts: v.number(), logs: v.number(), messages: v.number() });

export const kubearmorApiShape = v.object({
	address: v.string(),
	state: v.string(),
	error: v.string(),
	connections: v.number(),
	subscribers: counts,
	sent: counts,
	dropped: v.object({ slow: v.number(), busy: v.number() }),
	errors: v.number(),
});

type KubearmorApi = v.InferOutput<typeof kubearmorApiShape>;

export function kubearmorApiLine(api: KubearmorApi): string {
	const { address, state, connections, subscribers, sent, dropped, errors } = api;
	const sum = ({ alerts, logs, messages }: KubearmorApi["sent"]) => alerts + logs + messages;
	const who = `${connections} ${connections === 1 ? "connection" : "connections"}, ${sum(subscribers)} watching`;
	const what = `${sum(sent)} sent, ${dropped.slow + dropped.busy} dropped, ${errors} failed`;
	return `KubeArmor's log service on ${address}: ${state}, ${who}, ${what}`;
}

export const sinkShape = v.object({
	name: v.string(),
	type: v.string(),
	state: v.string(),
	error: v.string(),
	queued: v.number(),
	queuedBytes: v.number(),
	sent: v.number(),
	dropped: v.object({ full: v.number(), refused: v.number(), lost: v.number() }),
	errors: v.number(),
	lastSuccess: v.nullable(v.string()),
});

export function sinkLine({
	name,
	type,
	state,
	queued,
	sent,
	dropped,
	errors,
	lastSuccess,
}: v.InferOutput<typeof sinkShape>): string {
	const waiting =
		queued === 0 ? "nothing waits" : `${plural(queued, "alert")} ${queued === 1 ? "waits" : "wait"}`;
	const lost = dropped.full + dropped.refused + dropped.lost;
	const parts = [waiting, `${sent} sent`, `${lost} dropped`, `${errors} failed`];
	const last = lastSuccess === null ? "never" : lastSuccess;
	return `sink ${name} (${type}): ${state}, ${parts.join(", ")}, last success ${last}`;
}
