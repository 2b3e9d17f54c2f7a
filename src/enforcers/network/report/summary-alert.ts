/** Alerts that sum up the packets of rules for which there was no room for alerts of their own. Pure. */

import type { Alert, HostIdentity } from "../../../report/alert.ts";
import { systemAlert } from "../../../report/system-alert.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { LogOutcomes } from "./log-accounting.ts";

/** Rules that get a summary of their own at a time; the others share one. */
const mostSummaries = 64;

/** What became of a rule's packets since the last summary, where that was no alert. */
export interface WithheldPackets {
	readonly rule: Pick<CompiledRule, "policy" | "index" | "direction" | "action">;
	/** Held back, as alerts came faster than they may. */
	readonly suppressed: number;
	/** Never read, as they came faster than they can be. */
	readonly lost: number;
}

/** Remembers what was summed up already. */
export class Withheld {
	#told = new Map<string, Pick<LogOutcomes, "suppressed" | "lost">>();

	/** What is new of each rule, the largest number first. Rules that are not asked about are forgotten. */
	take(
		rules: readonly CompiledRule[],
		outcomes: (id: string) => Pick<LogOutcomes, "suppressed" | "lost"> | null,
	): WithheldPackets[] {
		const told = new Map<string, Pick<LogOutcomes, "suppressed" | "lost">>();
		const found: WithheldPackets[] = [];
		for (const rule of rules) {
			const now = rule.logCounter === null ? null : outcomes(rule.id);
			if (now === null || now.suppressed + now.lost === 0) continue;
			told.set(rule.id, now);
			const before = this.#told.get(rule.id) ?? { suppressed: 0, lost: 0 };
			// Counters that began anew count from nothing.
			const anew = now.suppressed < before.suppressed || now.lost < before.lost;
			const suppressed = now.suppressed - (anew ? 0 : before.suppressed);
			const lost = now.lost - (anew ? 0 : before.lost);
			if (suppressed + lost > 0) found.push({ rule, suppressed, lost });
		}
		this.#told = told;
		return found.toSorted((a, b) => b.suppressed + b.lost - (a.suppressed + a.lost));
	}
}

/** `time` is in milliseconds since the epoch. */
export function summaryAlerts(
	withheld: readonly WithheldPackets[],
	time: number,
	host: HostIdentity,
): Alert[] {
	const own = withheld.slice(0, mostSummaries).map(({ rule, suppressed, lost }) =>
		summary(
			{
				time,
				resource: rule.direction === "ingress" ? "INGRESS" : "EGRESS",
				message: `${packets(suppressed + lost)} of ${rule.policy} raised no alert of their own, as alerts came too fast`,
				action: rule.action,
				eventData: {
					Policy: rule.policy,
					RuleIndex: rule.index < 0 ? "" : String(rule.index),
					...counts(suppressed, lost),
				},
			},
			host,
		),
	);
	const rest = withheld.slice(mostSummaries);
	if (rest.length === 0) return own;
	const suppressed = rest.reduce((sum, each) => sum + each.suppressed, 0);
	const lost = rest.reduce((sum, each) => sum + each.lost, 0);
	const message = `${packets(suppressed + lost)} of ${rest.length} other rules raised no alert of their own, as alerts came too fast`;
	const eventData = { Rules: String(rest.length), ...counts(suppressed, lost) };
	return [...own, summary({ time, resource: "rules", message, action: "Audit", eventData }, host)];
}

function summary(
	event: Pick<Parameters<typeof systemAlert>[0], "time" | "resource" | "message" | "action" | "eventData">,
	host: HostIdentity,
): Alert {
	return systemAlert({ ...event, severity: 3, tags: ["SUMMARY"], enforcer: "NetworkPolicyEnforcer" }, host);
}

function packets(count: number): string {
	return count === 1 ? "1 packet" : `${count} packets`;
}

function counts(suppressed: number, lost: number): Record<string, string> {
	return {
		Packets: String(suppressed + lost),
		Suppressed: String(suppressed),
		...(lost === 0 ? {} : { Lost: String(lost) }),
	};
}
