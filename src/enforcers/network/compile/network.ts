/** From the selected policies to the objects that enforce them. */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import { directions, type Enforcement } from "../../../base/model.ts";
import type { NetworkPolicy } from "../model.ts";
import { portCells, suffixCells } from "./complexity.ts";
import { withoutBlocking } from "./enforcement.ts";
import { lintModel } from "./lint/lint.ts";
import { lintGuests } from "./lint/lint-guests.ts";
import { lintLimits } from "./lint/lint-limits.ts";
import { lintRelated } from "./lint/lint-related.ts";
import { checkSenders, namedIn } from "./named.ts";
import { type NetworkPlan, withoutStaged } from "./plan.ts";
import { buildModel, type Meaning, type NetworkModel, type RuleSets, ruleSets } from "./program.ts";
import { checkQuotas, quotasOf, stagedQuotas } from "./quota.ts";
import type { RenderOptions } from "./render/options.ts";
import { renderModel } from "./render/render.ts";
import { checkRules, meaningOf } from "./rules.ts";
import {
	isStaged,
	type StagedPrograms,
	type Staging,
	stagedModel,
	stagedPrograms,
	stagedRules,
} from "./staged.ts";
import { checkSuffixes } from "./suffixes.ts";

export interface CompileOptions extends Meaning, RenderOptions {
	/** Kernel elements that the plan may have, 1..100 000 000. */
	readonly maxElements: number;
	/** Absent: `enforce`. */
	readonly enforcement?: Enforcement;
	/** The default posture that is staged; none where it is left out. */
	readonly stagedPosture?: "block";
}

export type CompileResult =
	| {
			readonly ok: true;
			readonly plan: NetworkPlan;
			readonly model: NetworkModel;
			readonly diagnostics: readonly Diagnostic[];
	  }
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Policies that a refusal names at most. */
const namedPolicies = 5;

/** Cells that become one element are common; this many to one would only cost memory. */
const cellsPerElement = 8;

/**
 * Compiles the policies that this host's labels select. Refused, with errors
 * that have places: an interface name that cannot be rendered, two policies of
 * one name, more kernel elements than `maxElements`.
 * @param stagedCount whether quotas of staged policies may count
 */
export function compileNetwork(
	policies: readonly NetworkPolicy[],
	options: CompileOptions,
	staged: readonly NetworkPolicy[] = [],
	stagedCount = true,
): CompileResult {
	const errors = [
		...checkRules([...policies, ...staged]),
		...checkQuotas(policies),
		...checkSenders(policies, options.resolve),
		...checkSuffixes(policies, options.resolve),
	];
	if (errors.length > 0) return { ok: false, diagnostics: errors };
	const rules = ruleSets(policies, options);
	if (isComplex(rules, options.maxElements))
		return { ok: false, diagnostics: tooComplex(policies, rules, options.maxElements) };
	const ends = tooManyKinds(policies, rules, options.maxElements);
	if (ends.length > 0) return { ok: false, diagnostics: ends };
	const written = buildModel(rules, options);
	const deciding = options.enforcement === "audit" ? withoutBlocking(written) : written;
	const quotas = quotasOf(policies, options.enforcement, meaningOf);
	const model = quotas.length === 0 ? deciding : { ...deciding, quotas };
	const beside = compileStaged(policies, written, staged, options);
	const counting = stagedQuotas(staged, quotas, meaningOf, stagedCount);
	const told = counting.counted.length === 0 ? model : { ...model, quotas: [...quotas, ...counting.counted] };
	const { plan: rendered, cost } = renderModel(told, options, beside.programs);
	const named = namedIn([...policies, ...staged], options.resolve);
	const plan = named.length === 0 ? rendered : { ...rendered, named };
	const enforced = plan.staged?.enforced.elements ?? plan.elements;
	if (enforced > options.maxElements) {
		if (counting.counted.length > 0) return compileNetwork(policies, options, staged, false);
		return { ok: false, diagnostics: tooMany(policies, plan, cost, options.maxElements) };
	}
	const fits = plan.elements <= options.maxElements;
	return {
		ok: true,
		plan: fits ? plan : withoutStaged(plan),
		model: beside.model === null ? model : { ...model, staged: beside.model },
		diagnostics: [
			...(fits && beside.fits ? [] : unevaluated(staged, options.maxElements, beside.names)),
			...lintModel(written),
			...lintRelated(written, options.related),
			...lintGuests(policies, options.guests),
			...counting.diagnostics,
			...lintLimits(policies, options.guests),
		],
	};
}

/** Whether the rules would not even fit in memory while they are compiled. */
function isComplex({ ingress, egress }: RuleSets, maxElements: number): boolean {
	const most = maxElements * cellsPerElement;
	return portCells(ingress.atoms, most) + portCells(egress.atoms, most) > most;
}

interface CompiledStaged {
	readonly model: NetworkModel | null;
	readonly programs: StagedPrograms | null;
	readonly fits: boolean;
	/** Where it names too many senders or suffixes. */
	readonly names?: Diagnostic;
}

/** What is staged; it must not keep what is enforced from being so, and is left out where it is too much. */
function compileStaged(
	policies: readonly NetworkPolicy[],
	written: NetworkModel,
	staged: readonly NetworkPolicy[],
	options: CompileOptions,
): CompiledStaged {
	const staging: Staging = { policies: staged, posture: options.stagedPosture ?? null };
	const nothing = { model: null, programs: null };
	if (!isStaged(staging, options)) return { ...nothing, fits: true };
	const all = [...policies, ...staged];
	const [names] = [...checkSenders(all, options.resolve), ...checkSuffixes(all, options.resolve)];
	if (names !== undefined) return { ...nothing, fits: false, names };
	const rules = stagedRules(policies, staged, options);
	if (isComplex(rules, options.maxElements)) return { ...nothing, fits: false };
	const [ends] = tooManyKinds(all, rules, options.maxElements);
	if (ends !== undefined) return { ...nothing, fits: false, names: ends };
	const model = stagedModel(rules, staging, options);
	return { model, programs: stagedPrograms(written, model, staged), fits: true };
}

function unevaluated(staged: readonly NetworkPolicy[], limit: number, names?: Diagnostic): Diagnostic[] {
	const why =
		names === undefined
			? `with what is staged the policies need more kernel elements than maxElements (${limit})`
			: `with what is staged ${names.message}`;
	const instead = names === undefined ? "raise maxElements in the configuration" : names.hint;
	return staged.slice(0, namedPolicies).map((policy) => ({
		...policy.place,
		path: "spec",
		severity: "warning",
		code: "not-evaluated",
		message: `the policy is staged and not evaluated: ${why}`,
		hint: `stage fewer policies at a time, or ${instead}`,
	}));
}

function tooMany(
	policies: readonly NetworkPolicy[],
	plan: NetworkPlan,
	cost: ReadonlyMap<string, number>,
	limit: number,
): Diagnostic[] {
	const byPolicy = new Map<string, number>();
	for (const rule of plan.rules) {
		byPolicy.set(rule.policy, (byPolicy.get(rule.policy) ?? 0) + (cost.get(rule.id) ?? 0));
	}
	const costly = [...policies].sort((a, b) => (byPolicy.get(b.name) ?? 0) - (byPolicy.get(a.name) ?? 0));
	return costly.slice(0, namedPolicies).map((policy) => ({
		...policy.place,
		path: "spec",
		severity: "error",
		code: "too-many-elements",
		message:
			`the policies together need ${plan.elements} kernel elements, more than maxElements (${limit}); ` +
			`policy ${JSON.stringify(policy.name)} needs ${byPolicy.get(policy.name) ?? 0} of them`,
		hint: "join neighbouring address blocks and port ranges, or raise maxElements in the configuration",
	}));
}

/** Refuses what would not even fit in memory while it is compiled; the policies with the most port-limited cells come first. */
function tooComplex(policies: readonly NetworkPolicy[], rules: RuleSets, limit: number): Diagnostic[] {
	const atoms = [...rules.ingress.atoms, ...rules.egress.atoms].filter((atom) => atom.layer === "P");
	const byPolicy = Map.groupBy(atoms, (atom) => atom.rule.policy);
	const size = (policy: NetworkPolicy) => byPolicy.get(policy.name)?.length ?? 0;
	const costly = policies.filter((policy) => size(policy) > 0).sort((a, b) => size(b) - size(a));
	return costly.slice(0, namedPolicies).map((policy) => ({
		...policy.place,
		path: "spec",
		severity: "error",
		code: "too-many-elements",
		message:
			`the overlapping port ranges of the policies cannot be told apart within maxElements (${limit}); ` +
			`policy ${JSON.stringify(policy.name)} has ${size(policy)} combinations of address block and port range`,
		hint: "join overlapping port ranges and address blocks, or raise maxElements in the configuration",
	}));
}

/** The same where each kind of addresses that suffixes tell apart has lookups of its own of many blocks. */
function tooManyKinds(policies: readonly NetworkPolicy[], rules: RuleSets, limit: number): Diagnostic[] {
	return directions.flatMap((direction) => {
		if (suffixCells(rules[direction].atoms) <= limit * cellsPerElement) return [];
		const named = policies
			.flatMap((policy) => policy[direction].flatMap(({ peers }) => peers))
			.find(({ suffix }) => suffix !== undefined);
		if (named === undefined) return [];
		return [
			{
				...named.place,
				path: `spec.${direction}`,
				severity: "error",
				code: "too-many-suffixes",
				message: `the suffixes of addresses that rules of ${direction} name need lookups of their own of all IPv6 blocks, which are too many for maxElements (${limit})`,
				hint: "name fewer suffixes or fewer IPv6 blocks, or raise maxElements in the configuration",
			},
		];
	});
}
