/** Quotas in which two sets of policies differ. Verdicts are about what is within them. */

import type { Direction } from "../../../../base/model.ts";
import { quotaText } from "../describe.ts";
import type { NetworkModel } from "../program.ts";
import type { CompiledQuota } from "../quota.ts";
import { atomText } from "./limit-diff.ts";

/** What a quota says beside what it counts. */
export interface QuotaTerms {
	readonly limitBytes: number;
	readonly windowSeconds: number;
	/** What becomes of what is beyond. */
	readonly action: "Block" | "Audit";
	/** The limit and the window in words. */
	readonly text: string;
}

export interface QuotaChange extends QuotaTerms {
	readonly change: "added" | "removed" | "changed";
	readonly policy: string;
	/** Position in its direction. */
	readonly rule: number;
	readonly direction: Direction;
	/** What it said before, of what is changed alone. */
	readonly before?: QuotaTerms;
}

/** Two quotas are one, which changed at most, where their rules match the same; what rules are called does not matter. */
export function diffQuotas(before: NetworkModel, after: NetworkModel): QuotaChange[] {
	const [old, fresh] = [byMatches(before), byMatches(after)];
	return [...new Set([...old.keys(), ...fresh.keys()])].flatMap((matches) =>
		diffAlike(old.get(matches) ?? [], fresh.get(matches) ?? []),
	);
}

/** Those of rules that match the same. */
function diffAlike(old: readonly CompiledQuota[], fresh: readonly CompiledQuota[]): QuotaChange[] {
	const left = [...old];
	const unmet = fresh.filter((one) => {
		const same = left.findIndex((other) => termsKey(other) === termsKey(one));
		if (same >= 0) left.splice(same, 1);
		return same < 0;
	});
	const changed = unmet.slice(0, left.length).map((one, index) => {
		const was = left[index];
		return told("changed", one, was === undefined ? {} : { before: terms(was) });
	});
	const removed = left.slice(unmet.length).map((one) => told("removed", one));
	return [...removed, ...changed, ...unmet.slice(left.length).map((one) => told("added", one))];
}

function told(
	change: QuotaChange["change"],
	quota: CompiledQuota,
	more: Pick<QuotaChange, "before"> = {},
): QuotaChange {
	const { policy, index, direction } = quota.rule;
	return { change, policy, rule: index, direction, ...terms(quota), ...more };
}

function terms({ rule, written, bytes, seconds }: CompiledQuota): QuotaTerms {
	const action = (rule.wouldBe ?? rule.action) === "Block" ? "Block" : "Audit";
	return { limitBytes: bytes, windowSeconds: seconds, action, text: quotaText(written) };
}

function termsKey(quota: CompiledQuota): string {
	const { limitBytes, windowSeconds, action } = terms(quota);
	return JSON.stringify([limitBytes, windowSeconds, action]);
}

function byMatches({ quotas = [] }: NetworkModel): Map<string, CompiledQuota[]> {
	return Map.groupBy(quotas, ({ rule, atoms }) =>
		JSON.stringify([rule.direction, rule.appliesTo ?? null, ...atoms.map(atomText).sort()]),
	);
}
