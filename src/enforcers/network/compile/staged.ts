/**
 * What staged policies would do. The set is compiled once more as if they were in force; packets that passed what is
 * enforced are judged by that, and where it would block them they are counted and told of, and go on. A packet that
 * meets a Block there and passed before meets one of what is staged: more rules take packets from those in force, and
 * never give them any.
 */

import { digest } from "../../../base/digest.ts";
import { type Direction, directions } from "../../../base/model.ts";
import type { NetworkPolicy } from "../model.ts";
import { evaluatedCounter, ruleCounter, ruleLogCounter } from "../names.ts";
import { withLimitRules } from "./limits.ts";
import { type CompiledRule, limitRules, type StagedPolicy } from "./plan.ts";
import {
	buildModel,
	type DirectionProgram,
	decidePacket,
	type Meaning,
	type NetworkModel,
	type Packet,
	type Programs,
	type RuleSets,
	ruleSets,
} from "./program.ts";
import type { KnownRules } from "./rules.ts";

/** What is staged beside the policies in force. */
export interface Staging {
	readonly policies: readonly NetworkPolicy[];
	/** The default posture that is staged; null: that in force. */
	readonly posture: "block" | null;
}

/** Of the rules that do not change, the same atoms the next time; those of what is in force have ranks of their own. */
const known: KnownRules = new WeakMap();

/** Whether anything is staged that could change a verdict. */
export function isStaged({ policies, posture }: Staging, meaning: Pick<Meaning, "posture">): boolean {
	return policies.length > 0 || (posture === "block" && meaning.posture !== "block");
}

/** The rules of what is in force and of what is staged. */
export function stagedRules(
	enforced: readonly NetworkPolicy[],
	staged: readonly NetworkPolicy[],
	meaning: Pick<Meaning, "resolve"> = {},
): RuleSets {
	return ruleSets([...enforced, ...staged], meaning, known);
}

/** The model as if everything that is staged were in force. @param rules see stagedRules */
export function stagedModel(
	rules: RuleSets,
	{ posture }: Pick<Staging, "posture">,
	meaning: Meaning,
): NetworkModel {
	return buildModel(rules, { ...meaning, posture: posture ?? meaning.posture });
}

/** The programs whose rules would block or let pass without a word; absent where nothing is staged for such packets. */
export interface StagedPrograms {
	readonly host: Partial<Programs>;
	readonly guests: Partial<Programs>;
	readonly policies: readonly StagedPolicy[];
	/** Counters of the packets that are asked about: another set of staged policies begins with others, at zero. */
	readonly evaluated: Readonly<Record<"host" | "guests", Readonly<Record<Direction, string>>>>;
	/** What would block, each once. */
	readonly rules: readonly CompiledRule[];
}

const places = ["host", "guests"] as const;

/** @param written what is in force, as it is written @param model see stagedModel */
export function stagedPrograms(
	written: NetworkModel,
	model: NetworkModel,
	staged: readonly NetworkPolicy[],
): StagedPrograms {
	const programs: Record<(typeof places)[number], { -readonly [D in Direction]?: DirectionProgram }> = {
		host: {},
		guests: {},
	};
	const rules = new Map<string, CompiledRule>();
	const meanings = new Map(staged.map(({ name }) => [name, meaningOf(name, model)]));
	const set = digest(...[...meanings].flat());
	const counter = (place: "host" | "guests", direction: Direction) => evaluatedCounter(place, direction, set);
	const evaluated = new Map<string, string[]>(staged.map(({ name }) => [name, []]));
	for (const place of places) {
		const [before, after] = place === "host" ? [written, model] : [written.guests, model.guests];
		if (before === undefined || after === undefined) continue;
		for (const direction of directions) {
			const asked = staged.filter(
				(policy) => policy[direction].length > 0 && (policy.appliesTo ?? place) === place,
			);
			const posture = stagedPosture(before, after, direction);
			if (asked.length === 0 && posture === null) continue;
			const names = new Set(staged.map(({ name }) => name));
			const told = after[direction].rules.map((rule) => asStaged(rule, names.has(rule.policy)));
			const own = { ...after[direction], rules: told, posture };
			programs[place][direction] = own;
			const meant = told.flatMap((rule) => [rule, ...limitRules(rule)]);
			for (const rule of posture === null ? meant : [...meant, posture])
				if (rule.staged !== undefined) rules.set(rule.id, rule);
			const causes = new Set([...asked.map(({ name }) => name), ...(posture?.staged ?? [])]);
			for (const name of causes) evaluated.get(name)?.push(counter(place, direction));
		}
	}
	const policies = staged.map(({ name }) => ({
		name,
		meaning: meanings.get(name) ?? "",
		evaluated: evaluated.get(name) ?? [],
		rules: [...rules.values()].flatMap((rule) => (rule.staged?.includes(name) === true ? rule.id : [])),
	}));
	const counters = (place: "host" | "guests") => ({
		ingress: counter(place, "ingress"),
		egress: counter(place, "egress"),
	});
	const asked = { host: counters("host"), guests: counters("guests") };
	return { ...programs, policies, evaluated: asked, rules: [...rules.values()] };
}

/** A text that is equal exactly while a policy says the same. */
function meaningOf(name: string, { guests, ...host }: NetworkModel): string {
	const programs = [host, ...(guests === undefined ? [] : [guests])];
	const ids = programs.flatMap((program) =>
		directions.flatMap((direction) =>
			program[direction].rules.flatMap(({ id, policy }) => (policy === name ? id : [])),
		),
	);
	return digest(name, ...ids);
}

/** The posture where it would block what passes now; null where it would not. */
function stagedPosture(before: Programs, after: Programs, direction: Direction): CompiledRule | null {
	const { posture } = after[direction];
	if (posture?.action !== "Block" || before[direction].posture?.action === "Block") return null;
	return wouldBlock(posture, allowing(before, after, direction));
}

/** The staged policies whose Allow makes a direction an allow-list; none where it is one already. */
function allowing(before: Programs, after: Programs, direction: Direction): string[] {
	if (before[direction].allowlistMode) return [];
	// None of those in force has an Allow that counts here.
	const allows = (of: Direction) =>
		after[of].rules.flatMap(({ action, policy }) => (action === "Allow" ? policy : []));
	const own = allows(direction);
	// Without one here, the scope of an Allow of the other direction is the whole host.
	const found = own.length > 0 ? own : allows(direction === "ingress" ? "egress" : "ingress");
	return [...new Set(found)].sort();
}

/** An identity of its own, so that packets that would be dropped are never counted with those that were. */
function wouldBlock(rule: CompiledRule, staged: readonly string[]): CompiledRule {
	const id = digest("staged", rule.id, ...staged);
	const counters = { counter: ruleCounter(id), logCounter: ruleLogCounter(id) };
	return { ...rule, id, action: "Audit", wouldBe: "Block", staged, ...counters };
}

/** What blocks and is staged would block; of everything else nothing is told. */
function asStaged(rule: CompiledRule, staged: boolean): CompiledRule {
	if (staged && rule.action === "Block") return wouldBlock(rule, [rule.policy]);
	const { limits, ...others } = silent(rule);
	// What is in force was within its limits, or it would not be here.
	if (!staged || limits === undefined || limitRules(rule).every(({ action }) => action !== "Block"))
		return others;
	return { ...others, ...withLimitRules(rule, (beyond) => asStaged(beyond, true)) };
}

/** Whatever else it says, nothing is counted or told of. */
function silent(rule: CompiledRule): CompiledRule {
	return { ...rule, action: "Allow", logCounter: null };
}

/** What is staged that would block a packet, which passes now. */
export interface WouldBlock {
	readonly rule: CompiledRule;
	/** The staged policies that it takes; none where the staged posture does alone. */
	readonly policies: readonly string[];
}

/** The answer about one packet; null where nothing that is staged would block it, or where it is blocked already. */
export function stagedVerdict(model: NetworkModel, packet: Packet): WouldBlock | null {
	const { staged } = model;
	if (staged === undefined || decidePacket(model, packet).action === "Block") return null;
	const { action, rule } = decidePacket(staged, packet);
	if (action !== "Block" || rule === null) return null;
	// Under `enforcement: audit` what is in force would block, too, and lets pass.
	const { rules, posture } = model[packet.direction];
	const own =
		rule.index < 0 ? posture?.wouldBe === "Block" : rules.some(({ policy }) => policy === rule.policy);
	if (own) return null;
	return { rule, policies: rule.index < 0 ? allowing(model, staged, packet.direction) : [rule.policy] };
}
