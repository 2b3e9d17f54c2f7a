/** Why a packet gets its verdict, for `portward explain`. */

import { decide, type Overridden } from "../../../../base/precedence.ts";
import { type Address, type Atom, atomOrder, interfaceMatches, matchesAddress } from "../atom.ts";
import type { CompiledRule } from "../plan.ts";
import {
	decideByPolicies,
	decidePacket,
	type NetworkModel,
	namesOf,
	type Packet,
	type Verdict,
} from "../program.ts";
import type { CompiledQuota } from "../quota.ts";
import { noSender, senderMatches } from "../sender.ts";

export interface OverriddenRule {
	readonly rule: CompiledRule;
	/** Of its atoms, the one that precedence compared; absent for the posture. */
	readonly atom?: Atom;
	/** `failsafe`: the policies would have decided so, but are not asked. */
	readonly reason: Overridden<Atom>["reason"] | "failsafe";
	/** The rule that it yielded to; can be of the same policy. */
	readonly by: CompiledRule;
}

export interface Explanation extends Verdict {
	/** The deciding rule's atom that did it; absent where a failsafe rule, the posture or no rule decides. */
	readonly atom?: Atom;
	/** Matching rules that did not decide; each once. */
	readonly overridden: readonly OverriddenRule[];
}

function matches(atom: Atom, packet: Packet, names: readonly string[]): boolean {
	if (atom.family !== packet.family || !interfaceMatches(atom.interface, names)) return false;
	if (!senderMatches(atom.sender, packet.sender ?? noSender)) return false;
	if (atom.protocol !== null && atom.protocol !== packet.protocol) return false;
	if (atom.range !== null && (packet.port < atom.range.first || packet.port > atom.range.last)) return false;
	const { source } = packet;
	if (atom.source !== null && (source === null || source < atom.source.first || source > atom.source.last))
		return false;
	const address: Address = packet.family === 4 ? Number(packet.address) : packet.address;
	return matchesAddress(atom, address);
}

/**
 * The Allow that makes a direction an allow-list, where `rule` is the posture that this brings about: the first of
 * the direction itself, else of the other; null for every other rule.
 */
export function allowBehind(model: NetworkModel, rule: CompiledRule | null): CompiledRule | null {
	if (rule === null || rule.index >= 0) return null;
	const directions =
		rule.direction === "ingress" ? [model.ingress, model.egress] : [model.egress, model.ingress];
	return directions.flatMap(({ rules }) => rules).find(({ action }) => action === "Allow") ?? null;
}

/** The quotas that a packet counts for if it passes, in their order. */
export function quotasAt(
	model: NetworkModel,
	packet: Packet,
	place: "host" | "guests",
): readonly CompiledQuota[] {
	const names = namesOf(model[packet.direction], packet.interface);
	return (model.quotas ?? []).filter(
		({ rule, atoms }) =>
			rule.direction === packet.direction &&
			(rule.appliesTo ?? place) === place &&
			atoms.some((atom) => matches(atom, packet, names)),
	);
}

/**
 * The verdict of the compiled model with the precedence that led to it.
 *
 * @throws Error when precedence and the compiled model disagree, which is a bug of the compiler.
 */
export function explain(model: NetworkModel, packet: Packet): Explanation {
	const program = model[packet.direction];
	const first = decidePacket(model, packet);
	const verdict = decideByPolicies(program, packet);
	const names = namesOf(program, packet.interface);
	const matching = program.atoms.filter((atom) => matches(atom, packet, names));
	const decision = decide(matching, atomOrder);
	// The program's own rules: under `enforcement: audit` they do other than the atoms say.
	const ruleOf = (atom: Atom): CompiledRule => program.rules[atom.rank] ?? atom.rule;
	const winner = decision === null ? program.posture : ruleOf(decision.winner);
	if (winner !== verdict.rule) {
		throw new Error(`the compiled model gives ${verdict.rule?.id} where precedence gives ${winner?.id}`);
	}
	const overridden = new Map<string, OverriddenRule>();
	for (const { item, reason, by } of decision?.overridden ?? []) {
		const rule = ruleOf(item);
		if (rule !== winner && !overridden.has(rule.id)) {
			overridden.set(rule.id, { rule, atom: item, reason, by: ruleOf(by) });
		}
	}
	const others = [...overridden.values()];
	const by = decision === null ? {} : { atom: decision.winner };
	if (first.rule === null || first.rule === verdict.rule) return { ...verdict, ...by, overridden: others };
	const beaten =
		verdict.rule === null ? [] : [{ rule: verdict.rule, ...by, reason: "failsafe", by: first.rule } as const];
	return { ...first, overridden: [...beaten, ...others] };
}
