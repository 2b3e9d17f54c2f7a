/**
 * `enforcement: audit`: rules decide as they are written, and what they, or
 * the default posture, would drop is accepted and alerted instead. Precedence
 * is settled before, so that the alerts say what enforcing would do.
 */

import { digest } from "../../../base/digest.ts";
import type { Direction } from "../../../base/model.ts";
import { ruleCounter, ruleLogCounter } from "../names.ts";
import { withLimitRules } from "./limits.ts";
import type { CompiledRule } from "./plan.ts";
import { type DirectionProgram, guestModel, type NetworkModel, type Programs } from "./program.ts";

/** What `guests.forwarded` makes of the policies for what is forwarded; null where they are not asked. */
export function forwardedModel(
	model: NetworkModel,
	forwarded: "off" | "audit" | "enforce",
): NetworkModel | null {
	const guests = guestModel(model);
	return guests !== null && forwarded === "audit" ? withoutBlocking(guests) : guests;
}

/** Why they are not. */
export const forwardedUnasked = "guests.forwarded is off, so policies are not asked about what is forwarded";

/** The model that drops nothing by policy; rules keep their ranks. Failsafe rules stay as they are. */
export function withoutBlocking(model: NetworkModel): NetworkModel {
	const own = softened(model);
	const { guests } = model;
	if (guests === undefined) return own;
	const same = guests.ingress === model.ingress && guests.egress === model.egress;
	return { ...own, guests: same ? own : softened(guests) };
}

function softened(programs: Programs): Programs {
	const soften = (direction: Direction): DirectionProgram => {
		const program = programs[direction];
		const { rules, posture } = program;
		return { ...program, rules: rules.map(audited), posture: posture && audited(posture) };
	};
	return { ingress: soften("ingress"), egress: soften("egress") };
}

/** An identity of its own, so that passed packets are never counted with dropped ones. */
function audited(rule: CompiledRule): CompiledRule {
	if (rule.limits !== undefined) return { ...rule, ...withLimitRules(rule, audited) };
	if (rule.action !== "Block") return rule;
	const id = digest("audited", rule.id);
	return {
		...rule,
		id,
		action: "Audit",
		wouldBe: "Block",
		counter: ruleCounter(id),
		logCounter: ruleLogCounter(id),
	};
}
