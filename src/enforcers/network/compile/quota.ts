/**
 * Rules with a `limit` and a `duration`. A quota stands beside what decides: it counts every packet that its rule matches
 * and that passed, whichever rule let it pass and whether its flow is open already, and refuses or tells of what comes
 * beyond. So it opens nothing. An `Allow` is a rule like any other as well; a `Block` or an `Audit` with a quota is
 * nothing else.
 */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import { digest } from "../../../base/digest.ts";
import { type Direction, directions, type Enforcement } from "../../../base/model.ts";
import type { NetworkPolicy, NetworkRule } from "../model.ts";
import { overCounter, quotaObject } from "../names.ts";
import { type Atom, expandRule } from "./atom.ts";
import type { PlannedQuota } from "./plan.ts";

/** Rules with quotas that one set may have: each packet asks about all of its direction. */
export const mostQuotas = 64;

/** A quota, and what its rule matches. */
export interface CompiledQuota extends PlannedQuota {
	readonly written: NetworkRule;
	readonly atoms: readonly Atom[];
}

/** Whether a rule decides about packets, and does not only count them. */
export function decides({ action, quota }: Pick<NetworkRule, "action" | "quota">): boolean {
	return quota === undefined || action === "Allow";
}

/** The quotas of these policies, sorted by policy name and rule. @param meaningOf see rules.ts */
export function quotasOf(
	policies: readonly NetworkPolicy[],
	enforcement: Enforcement | undefined,
	meaningOf: (rule: NetworkRule) => string,
): readonly CompiledQuota[] {
	const all = policies.flatMap((policy) =>
		directions.flatMap((direction) =>
			policy[direction].flatMap((rule) => {
				if (rule.quota === undefined) return [];
				return compiled(policy, direction, rule, enforcement === "audit", meaningOf(rule));
			}),
		),
	);
	const text = ({ rule }: CompiledQuota) => `${rule.policy}\0${rule.direction}\0${1e9 + rule.index}`;
	return all.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function compiled(
	policy: NetworkPolicy,
	direction: Direction,
	written: NetworkRule,
	audit: boolean,
	meaning: string,
): CompiledQuota[] {
	const { quota } = written;
	if (quota === undefined) return [];
	const { index, severity, tags, message, place, action } = written;
	const { appliesTo } = policy;
	const blocks = action !== "Audit";
	const spared = blocks && audit;
	// Without its limit and what becomes of the rest, so that what was used stays used when those change.
	const key = digest("quota", policy.name, direction, String(index), meaning, appliesTo ?? "");
	const id = digest("over", key, String(blocks), String(spared), quota.limit, String(quota.seconds));
	const rule = {
		id,
		policy: policy.name,
		index,
		direction,
		action: blocks && !spared ? ("Block" as const) : ("Audit" as const),
		...(spared ? { wouldBe: "Block" as const } : {}),
		...(appliesTo === undefined ? {} : { appliesTo }),
		severity,
		tags,
		message,
		place,
		counter: overCounter(id),
		logCounter: null,
	};
	const { bytes, limit, seconds } = quota;
	const own = { key, object: quotaObject(key, bytes), rule, bytes, limit, seconds };
	return [{ ...own, written, atoms: expandRule(written, rule, 0) }];
}

/** Where there are more than can be asked about: the rules beyond the last. */
export function checkQuotas(policies: readonly NetworkPolicy[]): Diagnostic[] {
	const all = policies.flatMap((policy) =>
		directions.flatMap((direction) =>
			policy[direction]
				.filter(({ quota }) => quota !== undefined)
				.map(({ place, index }) => ({ place, path: `spec.${direction}[${index}].limit` })),
		),
	);
	return all.slice(mostQuotas, mostQuotas + 1).map(({ place, path }) => ({
		...place,
		path,
		severity: "error",
		code: "too-many-quotas",
		message: `the policies have ${all.length} rules with a limit, more than ${mostQuotas}: every packet asks about each`,
		hint: "join rules that may share one limit, or leave some of them out",
	}));
}

/** The quotas of staged policies, which count and tell, and refuse nothing. */
export interface StagedQuotas {
	readonly counted: readonly CompiledQuota[];
	/** Those that count nothing, as that would touch what is in force. */
	readonly diagnostics: readonly Diagnostic[];
}

/**
 * They count with numbers of their own: once the policy is in force its windows begin anew. What they have no room for beside
 * those in force is left out.
 * @param enforced the quotas in force @param possible false where nothing staged may count
 */
export function stagedQuotas(
	staged: readonly NetworkPolicy[],
	enforced: readonly CompiledQuota[],
	meaningOf: (rule: NetworkRule) => string,
	possible: boolean,
): StagedQuotas {
	const all = quotasOf(staged, "audit", (rule) => `staged ${meaningOf(rule)}`).map(asStaged);
	// Where the output is counted moves behind translations with the first rule that names an interface.
	const atOutput = ({ rule }: CompiledQuota) => rule.direction === "egress" && rule.appliesTo !== "guests";
	const output = enforced.filter(atOutput);
	const moves = output.length > 0 && output.every(({ written }) => written.interfaces.length === 0);
	const fits = possible
		? all.filter((quota) => !(moves && atOutput(quota) && quota.written.interfaces.length > 0))
		: [];
	const counted = fits.slice(0, Math.max(0, mostQuotas - enforced.length));
	const known = new Set(counted);
	return { counted, diagnostics: all.filter((quota) => !known.has(quota)).map(uncounted) };
}

function asStaged({ rule, ...quota }: CompiledQuota): CompiledQuota {
	return { ...quota, rule: { ...rule, staged: [rule.policy] }, staged: true };
}

function uncounted({ rule, written }: CompiledQuota): Diagnostic {
	return {
		...written.place,
		path: `spec.${rule.direction}[${rule.index}].limit`,
		severity: "warning",
		code: "quota-not-counted",
		message:
			"the quota of this staged policy counts nothing: it has no room beside those in force, or would move where these count",
		hint: "stage fewer quotas at a time, or name no interface in them",
	};
}

/** The same as values for the running half. */
export function plannedQuota({ written: _, atoms: __, ...planned }: CompiledQuota): PlannedQuota {
	return planned;
}
