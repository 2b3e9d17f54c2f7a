/** The rules of the selected policies: their identities, and their atoms. */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import { digest } from "../../../base/digest.ts";
import { type Action, type Cidr, type Direction, postureName } from "../../../base/model.ts";
import { formatSuffix } from "../../../base/suffix.ts";
import { isPlainInterface } from "../../../document/iface.ts";
import type { NetworkPolicy, NetworkRule, PortMatch } from "../model.ts";
import { ruleCounter, ruleLogCounter } from "../names.ts";
import { type Atom, expandRule, interfaceNameBytes, sourceOf } from "./atom.ts";
import { joinedLists } from "./interval.ts";
import { compileLimits, limitsMeaning } from "./limits.ts";
import type { CompiledRule } from "./plan.ts";
import { decides } from "./quota.ts";
import { nobody, type ResolveAccount, sendersOf } from "./sender.ts";

/** Severity of the posture's alerts: no policy says one. */
const postureSeverity = 1;

export interface DirectionRules {
	/** Sorted by policy name (bytes), then rule index; an atom's rank is a position in it. */
	readonly rules: readonly CompiledRule[];
	readonly atoms: readonly Atom[];
}

const ascii = /^[\x20-\x7e]*$/;

function compareBytes(a: string, b: string): number {
	// Of what is all ASCII the units are the bytes.
	if (ascii.test(a) && ascii.test(b)) return a < b ? -1 : Number(a > b);
	return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function identified(
	rule: Omit<CompiledRule, "id" | "counter" | "logCounter">,
	meaning: string,
): CompiledRule {
	const id = digest("rule", rule.policy, rule.direction, String(rule.index), rule.action, meaning);
	return {
		id,
		...rule,
		counter: ruleCounter(id),
		logCounter: rule.action === "Allow" ? null : ruleLogCounter(id),
	};
}

function blockKey({ family, base, prefix }: Cidr): string {
	// The same digits; those of a number are found faster.
	return `${family === 4 ? Number(base) : base}/${prefix}`;
}

function portKey(entry: PortMatch): string {
	const { protocol, range } = entry;
	const source = sourceOf(entry);
	const from = source === null ? "" : ` from ${source.first}-${source.last}`;
	return `${protocol} ${range?.first}-${range?.last}${from}`;
}

/**
 * What the rule matches, as a text that is equal exactly when rules are written alike, order aside. A group counts by its
 * name: the rule and its counters stay what they are while members come and go.
 */
export function meaningOf(rule: NetworkRule): string {
	const peers = (rule.groups?.own ?? rule.peers).map(({ cidr, suffix, except }) => {
		const holes = except.length === 0 ? "" : except.map(blockKey).sort().join();
		const block = suffix === undefined ? blockKey(cidr) : formatSuffix(suffix);
		return `${cidr.family} ${block} ${holes}`;
	});
	const ports = rule.ports.map(portKey);
	const interfaces = rule.interfaces.map(({ name, prefix }) => JSON.stringify([name, prefix]));
	const groups = rule.groups === undefined ? [] : [rule.groups.uses.map(({ name }) => name).sort()];
	const written = [peers.sort(), ports.sort(), interfaces.sort(), ...groups];
	const { sender } = rule;
	if (sender === undefined) return JSON.stringify(written);
	// As it is written: a user who gets another number is still the one who is meant.
	const lists = [sender.users, sender.groups, sender.services].map((list) => list.map(String).sort());
	return JSON.stringify([...written, { sender: lists }]);
}

/** What became of rules the last time, for sets that are compiled one after the other. */
export type KnownRules = WeakMap<NetworkRule, Expanded>;

export function rulesOf(
	policies: readonly NetworkPolicy[],
	direction: Direction,
	known: KnownRules = knownRules,
	resolve: ResolveAccount = nobody,
): DirectionRules {
	const sorted = policies.filter((policy) => policy[direction].length > 0);
	sorted.sort((a, b) => compareBytes(a.name, b.name));
	const rules: CompiledRule[] = [];
	const atoms: (readonly Atom[])[] = [];
	for (const policy of sorted) {
		for (const rule of policy[direction].filter(decides).sort((a, b) => a.index - b.index)) {
			const expanded = expand({ policy, direction, rule, rank: rules.length, known, resolve });
			rules.push(expanded.compiled);
			atoms.push(expanded.atoms);
		}
	}
	return { rules, atoms: joinedLists(atoms) };
}

/** The rules that hold at a place, with ranks of their own; the same object where all do. */
export function holding(all: DirectionRules, place: "host" | "guests"): DirectionRules {
	const holds = ({ appliesTo = place }: CompiledRule) => appliesTo === place;
	if (all.rules.every(holds)) return all;
	const rules = all.rules.filter(holds);
	const ranks = new Map(rules.map((rule, rank) => [rule, rank]));
	const atoms = all.atoms.flatMap((atom) => {
		const rank = ranks.get(atom.rule);
		return rank === undefined ? [] : [{ ...atom, rank }];
	});
	return { rules, atoms };
}

export interface Expanded {
	readonly compiled: CompiledRule;
	readonly atoms: readonly Atom[];
	readonly rank: number;
	/** The senders that it named then, as far as this host knew them; "" where it names none. */
	readonly senders: string;
}

/** What became of a rule the last time: of a set in which one policy changes, the others' rules are the same objects. */
const knownRules: KnownRules = new WeakMap();

interface Expansion {
	readonly policy: NetworkPolicy;
	readonly direction: Direction;
	readonly rule: NetworkRule;
	readonly rank: number;
	readonly known: KnownRules;
	readonly resolve: ResolveAccount;
}

function expand({ policy, direction, rule, rank, known, resolve }: Expansion): Expanded {
	const before = known.get(rule);
	const named = sendersOf(rule, resolve);
	const senders = named === null ? "" : JSON.stringify(named.map(({ key }) => key));
	// Who holds an earlier model goes on with its ranks, so an atom of another rank is another atom.
	const alike =
		before?.compiled.policy === policy.name &&
		before.compiled.direction === direction &&
		before.compiled.appliesTo === scopeOf(policy, rule) &&
		before.senders === senders;
	if (alike && before.rank === rank) return before;
	const compiled = alike ? before.compiled : compile(policy, direction, rule, named?.length === 0);
	const atoms = alike
		? before.atoms.map((atom) => ({ ...atom, rank }))
		: expandRule(rule, compiled, rank, named);
	const expanded = { compiled, atoms, rank, senders };
	known.set(rule, expanded);
	return expanded;
}

/** What is forwarded has no sender, so a rule that names one holds for the host alone. */
function scopeOf({ appliesTo }: NetworkPolicy, { sender }: NetworkRule): CompiledRule["appliesTo"] {
	return sender === undefined ? appliesTo : "host";
}

function compile(
	policy: NetworkPolicy,
	direction: Direction,
	rule: NetworkRule,
	forNobody: boolean,
): CompiledRule {
	const { index, action, severity, tags, message, place, limits } = rule;
	const appliesTo = scopeOf(policy, rule);
	const scope = {
		...(appliesTo === undefined ? {} : { appliesTo }),
		...(forNobody ? { forNobody: true as const } : {}),
	};
	const written = { policy: policy.name, index, direction, action, ...scope, severity, tags, message, place };
	const meaning = meaningOf(rule) + (appliesTo ?? "");
	const compiled = identified(written, meaning + limitsMeaning(limits));
	return limits === undefined ? compiled : { ...compiled, limits: compileLimits(compiled, limits, meaning) };
}

/** The rule that packets of an allowlisting direction meet when no atom matches. */
export function postureRule(direction: Direction, posture: "audit" | "block"): CompiledRule {
	const action: Action = posture === "block" ? "Block" : "Audit";
	const place = null;
	const text = { severity: postureSeverity, tags: [], message: "", place };
	return identified({ policy: postureName, index: -1, direction, action, ...text }, "");
}

/** Interface names that cannot stand in a ruleset, groups that are not known, and rules that cannot be told apart. */
export function checkRules(policies: readonly NetworkPolicy[]): Diagnostic[] {
	const diagnostics: Diagnostic[] = [];
	const names = new Map<string, NetworkPolicy>();
	for (const policy of policies) {
		const other = names.get(policy.name);
		names.set(policy.name, policy);
		if (other !== undefined) {
			diagnostics.push({
				...policy.place,
				path: "metadata.name",
				severity: "error",
				code: "duplicate-name",
				message: `policy name ${JSON.stringify(policy.name)} is also used in ${other.place.file}:${other.place.line}`,
				hint: "give each policy a name of its own",
			});
		}
		for (const direction of ["ingress", "egress"] as const) {
			for (const rule of policy[direction]) {
				diagnostics.push(...checkInterfaces(rule, direction), ...checkGroups(rule));
			}
		}
	}
	return diagnostics;
}

/** Nobody may compile a rule as if its groups were empty. */
function checkGroups({ groups }: NetworkRule): Diagnostic[] {
	const unknown = groups?.uses.filter(({ members }) => members === null) ?? [];
	return unknown.map(({ name, place, path }) => ({
		...place,
		path,
		severity: "error",
		code: "unknown-group",
		message: `it is not known who is in the group ${JSON.stringify(name)}`,
		hint: "read it together with its PortwardAddressGroup",
	}));
}

function checkInterfaces(rule: NetworkRule, direction: Direction): Diagnostic[] {
	return rule.interfaces.flatMap(({ name, prefix }, i) => {
		const wildcard = prefix && name === "";
		if (wildcard || isPlainInterface(name)) return [];
		return {
			...rule.place,
			path: `spec.${direction}[${rule.index}].iface[${i}]`,
			severity: "error" as const,
			code: "bad-interface",
			message: `${JSON.stringify(name)} cannot be used as an interface name`,
			hint: `use 1 to ${interfaceNameBytes} of the characters A-Z a-z 0-9 _ . @ + -, with * only at the end`,
		};
	});
}
