/**
 * The windows of quotas: when each began, what was used in it, and whether its alert was raised. Windows follow each
 * other without a gap from the moment on in which the rule first came into force. Pure.
 */

import type { Direction } from "../../../base/model.ts";
import type { PlannedQuota } from "../compile/plan.ts";
import { quotaKey } from "../names.ts";
import type { CounterValue } from "../observe/counters.ts";
import type { QuotaReading } from "../observe/quotas.ts";

/** What outlives the daemon. */
export interface KeptQuota {
	readonly key: string;
	/** When the window began, in milliseconds since the epoch. */
	readonly start: number;
	/** How long it lasts. */
	readonly seconds: number;
	/** Bytes; at most the limit. */
	readonly used: number;
	/** Its alert was raised. */
	readonly told: boolean;
}

/** What /v1/status says of a quota. */
export interface QuotaStatus {
	readonly policy: string;
	readonly direction: Direction;
	/** Position in its list. */
	readonly index: number;
	/** What becomes of what comes beyond. */
	readonly action: "Audit" | "Block";
	/** Whether its policy is staged, so that nothing is refused. */
	readonly staged: boolean;
	/** As it was written. */
	readonly limit: string;
	readonly limitBytes: number;
	/** Bytes of this window; at most the limit. */
	readonly usedBytes: number;
	readonly exhausted: boolean;
	/** What came beyond the limit in this window. */
	readonly beyond: CounterValue;
	readonly windowSeconds: number;
	/** ISO 8601 */
	readonly windowStart: string;
	readonly windowEnd: string;
}

interface Window extends KeptQuota {
	/** The counter of what came beyond when the window began; null before it was read. */
	readonly base: CounterValue | null;
	readonly over: CounterValue;
}

const nothing: CounterValue = { packets: 0, bytes: 0 };

/** Windows of rules that are not in force any more: one that comes back goes on with what it used. */
const mostRetired = 256;

export class QuotaWindows {
	/** By key. */
	readonly #windows = new Map<string, Window>();
	#rules: readonly PlannedQuota[] = [];

	constructor(kept: readonly KeptQuota[] = []) {
		for (const one of kept) this.#windows.set(one.key, { ...one, base: null, over: nothing });
	}

	/** Those in force. */
	get rules(): readonly PlannedQuota[] {
		return this.#rules;
	}

	get kept(): readonly KeptQuota[] {
		return [...this.#windows.values()].map(({ key, start, seconds, used, told }) => ({
			key,
			start,
			seconds,
			used,
			told,
		}));
	}

	/** The quota whose packets bear this id in the log. */
	byId(id: string): PlannedQuota | undefined {
		return this.#rules.find(({ rule }) => rule.id === id);
	}

	/**
	 * What these quotas are to begin with where the kernel has none of their names, by name.
	 * @param now milliseconds since the epoch, on a clock that may have jumped
	 */
	used(rules: readonly PlannedQuota[], now: number): Record<string, number> {
		return Object.fromEntries(
			rules.flatMap(({ key, object, seconds }) => {
				const known = this.#windows.get(key);
				const runs = known !== undefined && !isOver({ ...known, seconds }, now);
				return runs && known.used > 0 ? [[object, known.used]] : [];
			}),
		);
	}

	/** These are in force. */
	began(rules: readonly PlannedQuota[], now: number): void {
		this.#rules = rules;
		for (const { key, seconds } of rules) {
			const known = this.#windows.get(key);
			// At the end: the first are forgotten first.
			this.#windows.delete(key);
			const anew = { key, start: now, seconds, used: 0, told: false, base: nothing, over: nothing };
			this.#windows.set(
				key,
				known === undefined ? anew : { ...known, seconds, start: Math.min(known.start, now) },
			);
		}
		const inForce = new Set(rules.map(({ key }) => key));
		for (const [key, window] of this.#windows) {
			if (inForce.has(key)) continue;
			if (isOver(window, now) || this.#windows.size > inForce.size + mostRetired) this.#windows.delete(key);
		}
	}

	/** Takes what the kernel says, whose own numbers win. A quota that it does not have keeps what was known. */
	take({ used, over }: QuotaReading, now: number): void {
		const inForce = new Map(this.#rules.map(({ key, object }) => [key, object]));
		for (const [object, bytes] of Object.entries(used)) {
			const key = quotaKey(object);
			// Beside one of another limit, the one before it stays until it is collected.
			if (key === null || (inForce.get(key) ?? object) !== object) continue;
			const known = this.#windows.get(key);
			const anew = { key, start: now, seconds: 0, told: false, base: null, over: nothing };
			// Of one that nobody knows, the window begins now; how long it lasts its rule will say.
			if (known === undefined) this.#windows.set(key, { ...anew, used: bytes });
			else this.#windows.set(key, { ...known, used: bytes, start: Math.min(known.start, now) });
		}
		for (const { key, rule } of this.#rules) {
			const window = this.#windows.get(key);
			const count = over[rule.counter];
			if (window === undefined || count === undefined) continue;
			// A counter that fell began anew.
			const fell = window.base !== null && count.packets < window.base.packets;
			const base = fell ? nothing : (window.base ?? count);
			const beyond = { packets: count.packets - base.packets, bytes: count.bytes - base.bytes };
			this.#windows.set(key, { ...window, base, over: beyond });
		}
	}

	/** The quotas in force whose windows are over. */
	over(now: number): readonly PlannedQuota[] {
		return this.#rules.filter(({ key }) => {
			const window = this.#windows.get(key);
			return window !== undefined && isOver(window, now);
		});
	}

	/** These quotas were reset: their next windows run. */
	restarted(rules: readonly Pick<PlannedQuota, "key">[], now: number): void {
		for (const { key } of rules) {
			const window = this.#windows.get(key);
			if (window === undefined) continue;
			const { start, seconds, base, over } = window;
			const length = seconds * 1000;
			const behind = Math.floor((now - start) / length) * length;
			const next = base && { packets: base.packets + over.packets, bytes: base.bytes + over.bytes };
			const begun = behind > 0 ? start + behind : now;
			this.#windows.set(key, { ...window, start: begun, used: 0, told: false, base: next, over: nothing });
		}
	}

	/** Whether the alert of this window is still to be raised; from then on it is not. */
	tell(key: string): boolean {
		const window = this.#windows.get(key);
		if (window === undefined || window.told) return false;
		this.#windows.set(key, { ...window, told: true });
		return true;
	}

	/** The quotas beyond whose limit something came in this window, and whose alert was not raised. */
	untold(): readonly PlannedQuota[] {
		return this.#rules.filter(({ key }) => {
			const window = this.#windows.get(key);
			return window !== undefined && !window.told && window.over.packets > 0;
		});
	}

	/** When the next window ends, in milliseconds since the epoch; null without quotas. */
	get nextEnd(): number | null {
		const ends = this.#rules.flatMap(({ key }) => {
			const window = this.#windows.get(key);
			return window === undefined ? [] : [endOf(window)];
		});
		return ends.length === 0 ? null : Math.min(...ends);
	}

	get status(): readonly QuotaStatus[] {
		return this.#rules.flatMap(({ key, rule, bytes, limit, staged }): QuotaStatus[] => {
			const window = this.#windows.get(key);
			if (window === undefined) return [];
			const used = Math.min(window.used, bytes);
			return [
				{
					policy: rule.policy,
					direction: rule.direction,
					index: rule.index,
					action: rule.action === "Block" ? "Block" : "Audit",
					staged: staged === true,
					limit,
					limitBytes: bytes,
					usedBytes: used,
					exhausted: used >= bytes,
					beyond: window.over,
					windowSeconds: window.seconds,
					windowStart: new Date(window.start).toISOString(),
					windowEnd: new Date(endOf(window)).toISOString(),
				},
			];
		});
	}
}

function endOf({ start, seconds }: Pick<KeptQuota, "start" | "seconds">): number {
	return start + seconds * 1000;
}

function isOver(window: Pick<KeptQuota, "start" | "seconds">, now: number): boolean {
	return now >= endOf(window);
}
