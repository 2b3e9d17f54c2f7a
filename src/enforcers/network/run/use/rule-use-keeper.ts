/** Keeps over restarts when each rule last matched. */

import { join } from "node:path";
import * as v from "valibot";
import { readState, writeState } from "../../../../state/state-file.ts";
import type { CompiledRule } from "../../compile/plan.ts";
import type { CounterValue } from "../../observe/counters.ts";
import { type KeptUse, RuleUses } from "../../report/rule-use.ts";

export const ruleUseFile = "rule-use.json";

/** Milliseconds between two writes; a crash loses what came since. */
const writeMs = 60_000;

/** Rules of which the file tells: it is written on the main thread. The others are counted anew after a restart. */
const mostKept = 20_000;

const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(8_640_000_000_000_000));
const shape = v.object({
	version: v.literal(1),
	/** Id, since, last, packets. */
	rules: v.pipe(
		v.array(
			v.tuple([
				v.pipe(v.string(), v.regex(/^[a-z0-9_]{1,64}$/u)),
				time,
				v.nullable(time),
				v.pipe(v.number(), v.minValue(0)),
			]),
		),
		v.maxLength(mostKept),
	),
});

export class RuleUseKeeper {
	readonly uses: RuleUses;
	/** Why what was kept could not be read; null where it could, or there was nothing. */
	readonly problem: string | null;
	readonly #file: string;
	readonly #warn: (message: string) => void;
	#changed = false;
	/** What could not be written is told once. */
	#failed = false;
	#written = Number.NEGATIVE_INFINITY;

	constructor(stateDir: string, warn: (message: string) => void) {
		this.#file = join(stateDir, ruleUseFile);
		this.#warn = warn;
		const read = readState(this.#file);
		const parsed = read.ok ? v.safeParse(shape, read.value) : null;
		const kept = parsed?.success ? parsed.output.rules : [];
		this.uses = new RuleUses(
			kept.toReversed().map(([id, since, last, packets]): KeptUse => ({ id, since, last, packets })),
		);
		if (!read.ok) this.problem = read.reason === "absent" ? null : read.message;
		else this.problem = parsed?.success ? read.problem : `${this.#file} is not what portward wrote`;
		if (this.problem !== null) warn(`when rules last matched is not known from before: ${this.problem}`);
	}

	/** Takes a reading of the counters, and writes it down unless it did so lately. @param now see performance.now */
	take(
		rules: readonly CompiledRule[],
		counters: Readonly<Record<string, CounterValue>>,
		now = performance.now(),
	): void {
		this.#changed = this.uses.take(rules, counters, Date.now()) || this.#changed;
		if (now - this.#written >= writeMs) this.#write(now);
	}

	/** Writes down what is new. */
	stop(): void {
		this.#write(performance.now());
	}

	#write(now: number): void {
		if (!this.#changed) return;
		this.#changed = false;
		this.#written = now;
		const rules = this.uses.kept
			.slice(0, mostKept)
			.map(({ id, since, last, packets }) => [id, since, last, packets]);
		const error = writeState(this.#file, { version: 1, rules });
		if (error !== null && !this.#failed) this.#warn(`when rules last matched could not be kept: ${error}`);
		this.#failed = error !== null;
		this.#changed ||= this.#failed;
	}
}
