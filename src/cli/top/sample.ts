/** What `top` shows, as the daemon answers at one moment. */

import * as v from "valibot";
import { groupFlows } from "../journey/flow-groups.ts";
import type { HistoryRead } from "../journey/read-history.ts";
import { parseJson, type Reply } from "../status/client.ts";
import { wholeStatus } from "../status/whole-status.ts";

const count = v.pipe(v.number(), v.minValue(0));
const statusShape = v.object({
	hostname: v.string(),
	ready: v.object({ ready: v.boolean(), body: v.string() }),
	enforcers: v.object({
		network: v.looseObject({
			posture: v.string(),
			invalidPackets: v.object({ ingress: count, egress: count, forward: v.optional(count, 0) }),
		}),
	}),
	unmatched: v.object({ ingress: count, egress: count }),
	policies: v.array(
		v.looseObject({
			name: v.string(),
			rules: v.nullable(
				v.array(
					v.looseObject({
						direction: v.string(),
						index: v.number(),
						action: v.string(),
						packets: count,
						lastMatch: v.nullable(v.string()),
					}),
				),
			),
		}),
	),
});

const alertsShape = v.object({
	alerts: v.array(
		v.object({
			UpdatedTime: v.string(),
			PolicyName: v.string(),
			Action: v.string(),
			Result: v.optional(v.string()),
			Resource: v.string(),
			Message: v.string(),
			Operation: v.optional(v.string()),
			Enforcer: v.string(),
			EventData: v.optional(v.record(v.string(), v.string())),
		}),
	),
});

export type TopAlert = v.InferOutput<typeof alertsShape>["alerts"][number];

export interface TopRule {
	readonly policy: string;
	readonly direction: string;
	readonly index: number;
	readonly action: string;
	readonly packets: number;
	/** RFC 3339; null where it matched nothing since counting began. */
	readonly lastMatch: string | null;
}

export interface Talker {
	readonly remote: string;
	/** New flows since watching began, and of these the blocked ones. */
	readonly count: number;
	readonly blocked: number;
	/** Milliseconds since the epoch. */
	readonly lastSeen: number;
}

export interface TopSample {
	/** Milliseconds since the epoch, and on a clock that only goes forwards. */
	readonly time: number;
	readonly clock: number;
	readonly hostname: string;
	readonly ready: { readonly ready: boolean; readonly body: string };
	readonly rules: readonly TopRule[];
	/** Packets since counting began: dropped by Block rules, met by the posture, and of no flow. */
	readonly blocked: number;
	readonly unmatched: number;
	readonly invalid: number;
	/** What the posture does. */
	readonly posture: string;
	/** Who was seen lately; null where flows cannot be had. */
	readonly talkers: readonly Talker[] | null;
	/** The newest first. */
	readonly alerts: readonly TopAlert[];
}

export type Sampled =
	| { readonly ok: true; readonly sample: TopSample }
	/** A sentence for the operator, not escaped. */
	| { readonly ok: false; readonly message: string };

export interface TopSource {
	/** GETs a path from the daemon. */
	ask(path: string): Promise<Reply>;
	/** Flows last seen at or after a time. */
	flows(since: number): Promise<HistoryRead>;
}

/** Alerts that are looked through for the newest of each kind. */
const alertsAsked = 200;

/** Milliseconds in which somebody was seen who is called a talker. */
const recentMs = 5 * 60_000;

/** Milliseconds between two questions for flows: the daemon asks the kernel no more often. */
const flowsMs = 5000;

const mismatch = "what answers there sent no status; is it portward, and of this version?";

export class Sampler {
	readonly #source: TopSource;
	#talkers: readonly Talker[] | null = null;
	#asked = Number.NEGATIVE_INFINITY;

	constructor(source: TopSource) {
		this.#source = source;
	}

	async take(): Promise<Sampled> {
		const reply = await wholeStatus((path) => this.#source.ask(path));
		if (!reply.ok) return reply;
		const parsed = v.safeParse(statusShape, reply.document);
		if (!parsed.success) return { ok: false, message: mismatch };
		const { hostname, ready, enforcers, unmatched, policies } = parsed.output;
		const { invalidPackets, posture } = enforcers.network;
		const rules = policies.flatMap(({ name, rules: own }) =>
			(own ?? []).map(({ direction, index, action, packets, lastMatch }): TopRule => {
				return { policy: name, direction, index, action, packets, lastMatch };
			}),
		);
		const time = Date.now();
		await this.#refreshTalkers(time);
		return {
			ok: true,
			sample: {
				time,
				clock: performance.now(),
				hostname,
				ready,
				rules,
				blocked: rules.reduce((sum, { action, packets }) => sum + (action === "Block" ? packets : 0), 0),
				unmatched: unmatched.ingress + unmatched.egress,
				invalid: invalidPackets.ingress + invalidPackets.egress + invalidPackets.forward,
				posture,
				talkers: this.#talkers,
				alerts: await this.#alerts(),
			},
		};
	}

	async #alerts(): Promise<readonly TopAlert[]> {
		const reply = await this.#source.ask(`/v1/alerts?limit=${alertsAsked}`);
		if (!reply.ok) return [];
		const parsed = v.safeParse(alertsShape, parseJson(await reply.response.text()));
		return parsed.success ? parsed.output.alerts : [];
	}

	async #refreshTalkers(time: number): Promise<void> {
		if (performance.now() - this.#asked < flowsMs) return;
		this.#asked = performance.now();
		const read = await this.#source.flows(time - recentMs);
		this.#talkers =
			read.ok && read.from === "daemon"
				? groupFlows(read.history.flows, "remote").map(({ key, count: all, blocked, lastSeen }) => {
						return { remote: key, count: all, blocked, lastSeen };
					})
				: null;
	}
}
