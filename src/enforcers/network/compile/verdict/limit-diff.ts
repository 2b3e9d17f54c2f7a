/** Limits that one of two sets of policies has and the other has not. Verdicts are about what is within them. */

import type { Direction } from "../../../../base/model.ts";
import { formatSuffix } from "../../../../base/suffix.ts";
import { type Atom, interfaceKey } from "../atom.ts";
import type { LimitReason } from "../plan.ts";
import type { DirectionProgram, NetworkModel } from "../program.ts";

export interface LimitChange {
	readonly change: "added" | "removed";
	readonly policy: string;
	/** Position in its direction. */
	readonly rule: number;
	readonly direction: Direction;
	readonly limit: LimitReason["limit"];
	readonly text: string;
	readonly exceedAction: "Block" | "Audit";
}

type Told = Omit<LimitChange, "change">;

/** What is removed, then what is added. A limit stays where a rule of another name matches the same and has it. */
export function diffLimits(before: NetworkModel, after: NetworkModel): LimitChange[] {
	return (["ingress", "egress"] as const).flatMap((direction) => {
		const [old, fresh] = [limitsOf(before[direction]), limitsOf(after[direction])];
		const only = (of: ReadonlyMap<string, Told>, other: ReadonlyMap<string, Told>) =>
			[...of].flatMap(([key, told]) => (other.has(key) ? [] : told));
		return [
			...only(old, fresh).map((told): LimitChange => ({ change: "removed", ...told })),
			...only(fresh, old).map((told): LimitChange => ({ change: "added", ...told })),
		];
	});
}

/** By what the rule matches and the limit says. */
function limitsOf({ rules, atoms }: DirectionProgram): ReadonlyMap<string, Told> {
	const limited = new Map(
		rules.flatMap((rule, rank) => (rule.limits === undefined ? [] : [[rank, rule] as const])),
	);
	const found = new Map<string, Told>();
	if (limited.size === 0) return found;
	const matched = Map.groupBy(
		atoms.filter(({ rank }) => limited.has(rank)),
		({ rank }) => rank,
	);
	for (const [rank, { policy, direction, index, action, limits = [] }] of limited) {
		const matches = (matched.get(rank) ?? []).map(atomText).sort().join(" ");
		for (const { written, exceeded } of limits) {
			const { text, audited } = exceeded.limit ?? { text: "", audited: false };
			const exceedAction = audited ? "Audit" : "Block";
			const told: Told = { policy, rule: index, direction, limit: written.limit, text, exceedAction };
			found.set(JSON.stringify([action, written.limit, text, exceedAction, matches]), told);
		}
	}
	return found;
}

/** What an atom matches, equal where two match the same. */
export function atomText(atom: Atom): string {
	const { family, first, last, suffix, holes, protocol, range, source, sender } = atom;
	const ports = [range, source].map((one) => (one === null ? "" : `${one.first}-${one.last}`));
	const spared = holes.map((hole) => `${hole.first}-${hole.last}`).sort();
	const ends = suffix === undefined ? [] : [formatSuffix(suffix)];
	return [
		family,
		`${first}-${last}`,
		...ends,
		spared.join(),
		interfaceKey(atom.interface),
		protocol,
		...ports,
		...(sender === undefined ? [] : [sender.key]),
	].join("/");
}
