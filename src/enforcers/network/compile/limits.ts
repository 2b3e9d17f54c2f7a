/**
 * What rules with limits become: beside the rule itself one for what is beyond each limit, and one for what there is no
 * room to count. These have identities, counters and alerts of their own; precedence knows the rule alone.
 */

import { digest } from "../../../base/digest.ts";
import { limitText, refillSeconds } from "../limit-words.ts";
import type { ConnectionLimit, RateLimit, RuleLimits } from "../model.ts";
import { limitSet, ruleCounter, ruleLogCounter } from "../names.ts";
import type { CompiledLimit, CompiledRule, LimitReason } from "./plan.ts";

/** Sources of which one set keeps what they used: those beyond have no room until others are forgotten. */
export const limitedSources = 65_536;

/** The same limits with other rules. */
export function withLimitRules(
	{ limits }: Pick<CompiledRule, "limits">,
	change: (rule: CompiledRule) => CompiledRule,
): Pick<CompiledRule, "limits"> {
	if (limits === undefined) return {};
	return {
		limits: limits.map((limit) => ({
			...limit,
			exceeded: change(limit.exceeded),
			full: limit.full && change(limit.full),
		})),
	};
}

/** Equal exactly where limits are; "" where there are none. */
export function limitsMeaning(limits: RuleLimits | undefined): string {
	if (limits === undefined) return "";
	const { rate, connections, exceedAction } = limits;
	return ` ${JSON.stringify([rate && limitText(rate), connections && limitText(connections), exceedAction])}`;
}

/** @param meaning what the rule matches: what was used is kept while that and the limit stay. */
export function compileLimits(
	rule: CompiledRule,
	limits: RuleLimits,
	meaning: string,
): readonly CompiledLimit[] {
	const { rate, connections } = limits;
	const of = (written: CompiledLimit["written"]): CompiledLimit => {
		const { policy, direction, index, action } = rule;
		const kept = JSON.stringify([limitText(written), timeoutOf(written) ?? 0, limitedSources]);
		return {
			written,
			set: limitSet(digest(written.limit, policy, direction, String(index), action, meaning, kept)),
			exceeded: beyond(rule, written, "exceeded", limits.exceedAction),
			full: written.per === "rule" ? null : beyond(rule, written, "full", limits.exceedAction),
		};
	};
	return [
		...(rate === undefined ? [] : [of({ limit: "rateLimit", ...rate })]),
		...(connections === undefined ? [] : [of({ limit: "connectionLimit", ...connections })]),
	];
}

/** Seconds after which a source has its whole burst again, so that there is nothing left to remember; null for connections. */
export function timeoutOf(written: RateLimit | ConnectionLimit): number | null {
	if ("max" in written) return null;
	return Math.ceil(refillSeconds(written)) + 1;
}

function beyond(
	rule: CompiledRule,
	written: CompiledLimit["written"],
	reason: LimitReason["reason"],
	exceedAction: RuleLimits["exceedAction"],
): CompiledRule {
	// Who allows a few wants nobody else in; who only watches wants nobody kept out by that.
	const open = reason === "full" && rule.action !== "Allow";
	const audited = exceedAction === "Audit" && !open;
	const id = digest(reason, written.limit, rule.id);
	const text = limitText(written);
	const said =
		reason === "full" ? `no room to count another source for ${written.limit}` : `beyond ${written.limit}`;
	return {
		...rule,
		id,
		action: open || audited ? "Audit" : "Block",
		...(audited ? { wouldBe: "Block" as const } : {}),
		message: [rule.message, `${said} ${text}`].filter((part) => part !== "").join(": "),
		limit: { limit: written.limit, reason, text, audited },
		counter: ruleCounter(id),
		logCounter: ruleLogCounter(id),
	};
}
