/** What rules with limits left to these, for status and metrics. Pure. */

import type { Action, Direction } from "../../../base/model.ts";
import type { CompiledRule, LimitReason } from "../compile/plan.ts";
import type { CounterValue } from "../observe/counters.ts";

/** One limit of a rule in force, and what the kernel counted. */
export interface LimitCount {
	readonly policy: string;
	/** Position in its direction. */
	readonly rule: number;
	readonly direction: Direction;
	readonly limit: LimitReason["limit"];
	/** What it says, in words. */
	readonly text: string;
	/** What becomes of what is beyond. */
	readonly action: Action;
	/** Packets of new connections beyond the limit. */
	readonly exceeded: number;
	/** Those for whose source there was no room; null where one count is for all. */
	readonly full: number | null;
}

export function limitCounts(
	rules: readonly CompiledRule[],
	counters: Readonly<Record<string, CounterValue>>,
): LimitCount[] {
	const packets = (rule: CompiledRule) => counters[rule.counter]?.packets ?? 0;
	return rules.flatMap(({ policy, index, direction, limits = [] }) =>
		limits.map(({ written, exceeded, full }) => ({
			policy,
			rule: index,
			direction,
			limit: written.limit,
			text: exceeded.limit?.text ?? "",
			action: exceeded.action,
			exceeded: packets(exceeded),
			full: full && packets(full),
		})),
	);
}

/** Such as `web ingress[0] rateLimit 10/minute …: 3 packets beyond it, no room for 0`. */
export function describeLimit(count: Omit<LimitCount, "action">): string {
	const { policy, rule, direction, limit, text, exceeded, full } = count;
	const room = full === null || full === 0 ? "" : `, and ${full} of sources without room`;
	return `${policy} ${direction}[${rule}] ${limit} ${text}: ${exceeded} packet${exceeded === 1 ? "" : "s"} beyond it${room}`;
}
