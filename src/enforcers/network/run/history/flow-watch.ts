/** Watches which flows this host has: has the kernel's sets read now and then, and asks what the policies say about what is new. */

import { untilTick } from "../../../../base/tick.ts";
import type { Config } from "../../../../config/model.ts";
import type { HostIdentity } from "../../../../report/alert.ts";
import { errorReply, jsonType, type Reply } from "../../../../report/reply.ts";
import type { AlertSink } from "../../../../report/sinks/alert-sink.ts";
import type { WorkerClient } from "../../../../threads/rpc.ts";
import { flowRowsType } from "../../history/flow-rows.ts";
import { moreNewFlowsAlert, newFlowAlert } from "../../report/history/new-flow-alert.ts";
import { type ObservingStatus, watchingNothing } from "../../report/history/observing.ts";
import type { JudgeCalls } from "../calls.ts";
import type { PolicySource } from "../enforcer-options.ts";
import {
	type HistoryCalls,
	type HistoryFacts,
	muchAsked,
	type Polled,
	type SeenAnswer,
	type SeenQuestion,
} from "./history-calls.ts";

const pollMs = 10_000;

/** Where nothing came for so long, looks are rarer: each wakes two threads, and what idles is to sleep. */
const quietAfterMs = 60_000;
const quietPollMs = 30_000;

/** Alerts of new flows a minute, and then one that says how many more there were. */
const alertsPerMinute = 5;
const minuteMs = 60_000;

/** Questions that one look asks in rounds, so that a flood of strangers does not hold up the thread that compiles. */
const mostRounds = 20;

/** Milliseconds that an answer waits. */
const defaultWaitMs = 10_000;

/** Milliseconds that a stop or a reload waits for the last look, and that a stop waits for the disk. */
const lastLookMs = 500;
const lastSaveMs = 1500;

export interface FlowWatchOptions {
	readonly config: () => Pick<Config, "observe" | "guests" | "stateDir" | "table">;
	/** Counts what was put in force; 0: nothing yet. */
	readonly generation: () => number;
	/** Whether the ruleset in force counts new flows. */
	readonly counts: () => boolean;
	readonly createClient: () => Pick<WorkerClient<HistoryCalls>, "call" | "stop">;
	readonly judge: Pick<WorkerClient<JudgeCalls>, "call">;
	readonly policies: Pick<PolicySource, "recall" | "askedMuch">;
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
	readonly warn: (message: string) => void;
	readonly waitMs?: number;
}

export class FlowWatch {
	readonly #options: FlowWatchOptions;
	#client: Pick<WorkerClient<HistoryCalls>, "call" | "stop"> | null = null;
	#facts: HistoryFacts | null = null;
	#timer: ReturnType<typeof setTimeout> | null = null;
	#polling: Promise<void> | null = null;
	/** When a look learnt something, and how much there was to learn then. */
	#learntAt = performance.now();
	#changes = 0;
	#told = 0;
	#untold = 0;
	#minute = Number.NEGATIVE_INFINITY;
	#problem = "";
	#stopped = false;

	constructor(options: FlowWatchOptions) {
		this.#options = options;
	}

	get status(): ObservingStatus {
		const { observe } = this.#options.config();
		if (!observe.enabled) return { ...watchingNothing, reason: "observe.enabled is false" };
		if (this.#options.generation() > 0 && !this.#options.counts())
			return { ...watchingNothing, reason: "the kernel cannot count flows in sets" };
		if (this.#client === null || this.#facts === null)
			return { ...watchingNothing, enabled: true, reason: this.#problem || "starting" };
		const { problem, unsaved, ...counts } = this.#facts;
		return { enabled: true, reason: problem || unsaved, maxFlows: observe.maxFlows, ...counts };
	}

	get warnings(): readonly string[] {
		const problem = this.#problem || (this.#facts?.problem ?? "");
		return problem === "" ? [] : [`flows are not watched as they should be: ${problem}`];
	}

	/** Milliseconds between two looks that nobody asked for. @param now as performance.now() */
	pauseMs(now: number): number {
		return now - this.#learntAt < quietAfterMs ? pollMs : quietPollMs;
	}

	/** Begins, once policies may be in force. */
	start(): void {
		this.#open();
		if (this.#timer === null) this.#lookLater();
	}

	#lookLater(): void {
		const now = performance.now();
		this.#timer = setTimeout(
			() => {
				this.#lookLater();
				this.#look();
			},
			untilTick(now, this.pauseMs(now)),
		);
		this.#timer.unref();
	}

	/** A thread that ended is made anew. */
	#look(): void {
		if (this.#client === null) this.#open();
		else void this.poll();
	}

	#open(): void {
		const { config, createClient, warn } = this.#options;
		if (!config().observe.enabled || this.#client !== null || this.#stopped) return;
		const { stateDir, table, observe } = config();
		this.#client = createClient();
		this.#client
			.call("open", { stateDirectory: stateDir, table, maxFlows: observe.maxFlows })
			.then((notice) => {
				if (notice !== "") warn(`flows: ${notice}`);
				return this.poll();
			})
			.catch(() => {});
	}

	/** Looks at what the kernel counted; one look at a time. Never rejects. */
	poll(): Promise<void> {
		this.#polling ??= this.#poll()
			.catch((error: Error) => this.#fail(error))
			.finally(() => {
				this.#polling = null;
			});
		return this.#polling;
	}

	/** A look that nobody waits for long: it may wait itself, behind a reading of the policies. Never rejects. */
	async lastLook(): Promise<void> {
		await Promise.race([this.poll(), Bun.sleep(lastLookMs)]);
	}

	/** The answer to /v1/flows. @param accept the type that the client wants; "" where it takes any */
	async flows(query: string, accept = ""): Promise<Reply> {
		// Somebody may ask before the first ruleset is settled.
		this.#open();
		const client = this.#client;
		const { enabled, reason } = this.status;
		if (client === null || !enabled)
			return errorReply(503, `flows are not watched: ${reason}`, "see observe in the settings");
		// What came a moment ago is in it, where the threads have time.
		const form = accept === flowRowsType ? "rows" : "json";
		const answer = this.poll().then(() => client.call("flows", { query, form }));
		const late = Promise.withResolvers<null>();
		const timer = setTimeout(() => late.resolve(null), this.#options.waitMs ?? defaultWaitMs);
		const said = await Promise.race([answer, late.promise]).catch(() => null);
		// A timer that still waits would keep the answer, tens of megabytes, in memory.
		clearTimeout(timer);
		if (said === null) return errorReply(503, "the thread that keeps the flows is busy", "ask again");
		if (!said.ok) return errorReply(400, said.message, said.hint);
		return { status: 200, type: form === "rows" ? flowRowsType : jsonType, body: said.body };
	}

	/** Takes a last look, and saves, as far as there is time: the unit kills what takes longer. Never rejects. */
	async stop(): Promise<void> {
		this.#stopped = true;
		if (this.#timer !== null) clearTimeout(this.#timer);
		const client = this.#client;
		if (client === null) return;
		await this.lastLook();
		await Promise.race([client.call("save", null).catch(() => ""), Bun.sleep(lastSaveMs)]);
		this.#client = null;
		client.stop();
	}

	/** The thread ended by itself. */
	gone(reason: string): void {
		this.#problem = `the thread that keeps the flows ended: ${reason}`;
		this.#client = null;
	}

	async #poll(): Promise<void> {
		const client = this.#client;
		const generation = this.#options.generation();
		if (client === null || generation === 0) return;
		let polled = await client.call("poll", { generation });
		let asked = 0;
		for (let round = 0; ; round++) {
			this.#take(polled);
			const { questions } = polled;
			if (questions.length === 0 || round >= mostRounds) break;
			const answers = await this.#ask(questions.map(({ question }) => question));
			if (answers === null) break;
			asked += questions.length;
			const rows = questions.map(({ row }) => row);
			polled = await client.call("decided", { generation, rows, answers });
		}
		if (asked >= muchAsked) this.#options.policies.askedMuch();
	}

	async #ask(questions: readonly SeenQuestion[]): Promise<readonly SeenAnswer[] | null> {
		const { judge, policies, config } = this.#options;
		const argument = { questions, spared: config().guests.forwarded === "audit" };
		const answers = await judge.call("judgeSeen", argument);
		if (answers !== null) return answers;
		await policies.recall();
		return judge.call("judgeSeen", argument);
	}

	#take({ facts, changes, news, moreNews }: Polled): void {
		// That a disk is full the status warns of already, whatever it keeps from being written.
		if (facts.unsaved !== "" && facts.unsaved !== this.#facts?.unsaved) this.#options.warn(facts.unsaved);
		this.#facts = facts;
		this.#problem = "";
		const now = performance.now();
		if (changes !== this.#changes) this.#learnt(now);
		this.#changes = changes;
		if (now - this.#minute >= minuteMs) this.#nextMinute(now);
		const { sink, identity } = this.#options;
		const room = Math.max(0, alertsPerMinute - this.#told);
		const alerts = news.slice(0, room).map((flow) => newFlowAlert(flow, Date.now(), identity));
		this.#told += alerts.length;
		this.#untold += moreNews + news.length - alerts.length;
		if (alerts.length > 0) sink.publish(alerts);
	}

	/** What begins to come is looked at sooner than what would have gone on to stay away. */
	#learnt(now: number): void {
		const wasQuiet = this.pauseMs(now) === quietPollMs;
		this.#learntAt = now;
		if (!wasQuiet || this.#timer === null || this.#stopped) return;
		clearTimeout(this.#timer);
		this.#lookLater();
	}

	#nextMinute(now: number): void {
		const { sink, identity } = this.#options;
		if (this.#untold > 0) sink.publish([moreNewFlowsAlert(this.#untold, Date.now(), identity)]);
		this.#minute = now;
		this.#told = 0;
		this.#untold = 0;
	}

	#fail(error: Error): void {
		if (this.#client !== null) this.#problem = error.message.split("\n", 1)[0] ?? "";
	}
}
