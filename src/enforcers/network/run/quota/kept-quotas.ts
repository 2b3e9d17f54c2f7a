/** What is kept of quotas over restarts and boots. */

import { join } from "node:path";
import * as v from "valibot";
import { readState } from "../../../../state/state-file.ts";
import type { UsedQuotas } from "../../apply/used-quotas.ts";
import type { PlannedQuota } from "../../compile/plan.ts";
import { type KeptQuota, QuotaWindows } from "../../report/quota-windows.ts";

const mostKept = 1024;

export function quotaFile(stateDir: string): string {
	return join(stateDir, "quotas.json");
}

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const shape = v.object({
	version: v.literal(1),
	/** Key, start, seconds, used, told. */
	quotas: v.pipe(
		v.array(
			v.tuple([
				v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/u)),
				v.pipe(whole, v.maxValue(8_640_000_000_000_000)),
				v.pipe(whole, v.maxValue(1_000_000_000)),
				whole,
				v.boolean(),
			]),
		),
		v.maxLength(mostKept),
	),
});

/** What is written; the newest are the last. */
export function savedQuotas(kept: readonly KeptQuota[]): v.InferOutput<typeof shape> {
	const quotas = kept
		.slice(-mostKept)
		.map(({ key, start, seconds, used, told }): [string, number, number, number, boolean] => [
			key,
			start,
			seconds,
			used,
			told,
		]);
	return { version: 1, quotas };
}

/** `problem`: why what was kept cannot be used; null where it can, or there is nothing. */
export function readKeptQuotas(stateDir: string): {
	readonly kept: readonly KeptQuota[];
	readonly problem: string | null;
} {
	const file = quotaFile(stateDir);
	const read = readState(file);
	if (!read.ok) return { kept: [], problem: read.reason === "absent" ? null : read.message };
	const parsed = v.safeParse(shape, read.value);
	if (!parsed.success) return { kept: [], problem: `${file} is not what portward wrote` };
	const kept = parsed.output.quotas.map(
		([key, start, seconds, used, told]): KeptQuota => ({ key, start, seconds, used, told }),
	);
	return { kept, problem: read.problem };
}

/** What the quotas of a saved ruleset begin with at boot. @param now milliseconds since the epoch */
export function bootUsage(stateDir: string, rules: readonly PlannedQuota[], now: number): UsedQuotas {
	return new QuotaWindows(readKeptQuotas(stateDir).kept).used(rules, now);
}
