/**
 * Where every alert goes: the ring, stdout, the file, other systems, and the live streams. No
 * outlet can hold up another or the daemon; what one could not take is counted.
 */

import { postureName } from "../../base/model.ts";
import { escapeJson } from "../../base/terminal.ts";
import { type Alert, plainAction } from "../alert.ts";
import type { AlertLine, AlertRing } from "./alert-ring.ts";
import type { FileWriteResult } from "./rotating-file.ts";

/** Why an alert did not reach an outlet. */
export type DropReason = "stdout" | "file" | "stream" | "sinks";

/** A live stream. Returns how many of `lines` it had no room for. Must not throw. */
export type AlertSubscriber = (lines: readonly AlertLine[]) => number;

export interface AlertSinkOptions {
	readonly ring: AlertRing;
	/** Null: alerts.stdout is off. Returns how many lines were dropped. */
	readonly stdout: { write(lines: readonly string[]): number } | null;
	/** Null: no alerts.file. */
	readonly file: {
		/** Takes one line for each of `alerts`. */
		write(lines: readonly string[], alerts: readonly AlertLine[]): FileWriteResult;
	} | null;
	/** Other systems, which have queues of their own. Returns how many alerts did not even come to these. */
	readonly sinks?: { write(lines: readonly AlertLine[]): number };
	/** Holds back alerts of policies that raise too many. */
	readonly throttle?: { admit(alerts: readonly Alert[]): readonly Alert[]; readonly held: number };
	/** Called when writing the file begins to fail and when it works again ("" then). */
	readonly onFileState: (error: string) => void;
}

export interface AlertCount {
	readonly policy: string;
	readonly action: Alert["Action"];
	readonly count: number;
}

/** Alerts of one kind, by fields that have few values. */
export interface AlertKindCount {
	readonly type: Alert["Type"];
	readonly operation: Alert["Operation"];
	readonly severity: Alert["Severity"];
	readonly count: number;
}

/** Counts that are kept; those of policies that have raised no alert for longest make room for new ones, many at a time. */
const mostCounts = 10_000;
const roomMade = 1000;

/** Kinds that are counted: more than there can be, as severities are 1 to 10 and the rest is of our own making. */
const mostKinds = 1000;

/** Milliseconds for which the counts of a policy that is gone are kept, for whoever asks seldom. */
const keptWhenGone = 3_600_000;

interface Counted {
	readonly policy: string;
	readonly action: Alert["Action"];
	count: number;
	/** Alerts published before its newest. */
	newest: number;
	/** Since when the policy is gone, in milliseconds on a clock that only goes forward; null while it is there. */
	gone: number | null;
}

export class AlertSink {
	readonly #options: AlertSinkOptions;
	readonly #subscribers = new Set<AlertSubscriber>();
	/** By policy and action. */
	readonly #counts = new Map<string, Counted>();
	/** By type, operation and severity. */
	readonly #kinds = new Map<string, { -readonly [Key in keyof AlertKindCount]: AlertKindCount[Key] }>();
	#published = 0;
	#retired = 0;
	readonly #dropped: Record<DropReason, number> = { stdout: 0, file: 0, stream: 0, sinks: 0 };
	#fileError = "";

	constructor(options: AlertSinkOptions) {
		this.#options = options;
	}

	/** Sends alerts, oldest first, to every outlet. */
	publish(raised: readonly Alert[]): void {
		for (const alert of raised) this.#count(alert);
		const alerts = this.#options.throttle?.admit(raised) ?? raised;
		if (alerts.length === 0) return;
		const lines = alerts.map(alertLine);
		for (const line of lines) this.#options.ring.add(line);
		const { stdout, file, sinks } = this.#options;
		const text = stdout === null && file === null ? [] : lines.map((line) => `${line.json}\n`);
		if (stdout !== null) this.#dropped.stdout += stdout.write(text);
		if (file !== null) {
			const result = file.write(text, lines);
			this.#dropped.file += result.dropped;
			if ((result.error === "") !== (this.#fileError === "")) this.#options.onFileState(result.error);
			this.#fileError = result.error;
		}
		if (sinks !== undefined) this.#dropped.sinks += sinks.write(lines);
		for (const subscriber of this.#subscribers) this.#dropped.stream += subscriber(lines);
	}

	/** Adds a live stream; the returned function removes it. */
	subscribe(subscriber: AlertSubscriber): () => void {
		this.#subscribers.add(subscriber);
		return () => this.#subscribers.delete(subscriber);
	}

	/** Alerts published since the start, by policy and action; see {@link retire} for those of policies that are gone. */
	counts(): AlertCount[] {
		return [...this.#counts.values()].map(({ policy, action, count }) => ({ policy, action, count }));
	}

	/** The same by kind; none of these is let go of. */
	kinds(): AlertKindCount[] {
		return [...this.#kinds.values()].map((kind) => ({ ...kind }));
	}

	/**
	 * Lets go of counts whose policy has been gone for an hour. `policies` are those that there are; `now` is in
	 * milliseconds on a clock that only goes forward. The posture and the daemon itself are always there.
	 */
	retire(policies: ReadonlySet<string>, now: number): void {
		for (const [key, entry] of this.#counts) {
			const there = policies.has(entry.policy) || entry.policy === "" || entry.policy === postureName;
			entry.gone = there ? null : (entry.gone ?? now);
			if (entry.gone === null || now - entry.gone < keptWhenGone) continue;
			this.#counts.delete(key);
			this.#retired++;
		}
	}

	/** Counts that were let go of since the start. */
	get retired(): number {
		return this.#retired;
	}

	/** Alerts that went to no outlet, as their policies raise too many. */
	get throttled(): number {
		return this.#options.throttle?.held ?? 0;
	}

	/** Alerts that an outlet could not take since the start. */
	dropped(): Readonly<Record<DropReason, number>> {
		return { ...this.#dropped };
	}

	#count(alert: Alert): void {
		const { PolicyName: policy, Action } = alert;
		this.#countKind(alert);
		const action = plainAction(Action);
		const key = `${action} ${policy}`;
		const entry = this.#counts.get(key) ?? { policy, action, count: 0, newest: 0, gone: null };
		entry.count++;
		entry.newest = this.#published++;
		this.#counts.set(key, entry);
		if (this.#counts.size <= mostCounts) return;
		const oldest = [...this.#counts].toSorted(([, a], [, b]) => a.newest - b.newest).slice(0, roomMade);
		for (const [old] of oldest) this.#counts.delete(old);
		this.#retired += oldest.length;
	}

	#countKind({ Type: type, Operation: operation, Severity: severity }: Alert): void {
		const key = `${type} ${severity} ${operation}`;
		const kind = this.#kinds.get(key);
		if (kind !== undefined) kind.count++;
		else if (this.#kinds.size < mostKinds) this.#kinds.set(key, { type, operation, severity, count: 1 });
	}
}

/** An alert of the daemon itself may be about a policy; which kind it is then stands for the rule. */
function alertLine(alert: Alert): AlertLine {
	const { PolicyName, Action, Resource, Tags, EventData } = alert;
	const own = PolicyName === "";
	return {
		policy: own ? (EventData.Policy ?? "") : PolicyName,
		rule: `${own ? Tags : Resource} ${EventData.RuleIndex ?? ""}`,
		action: plainAction(Action),
		json: escapeJson(JSON.stringify(alert)),
	};
}
