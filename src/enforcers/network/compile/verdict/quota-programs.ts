/** What becomes of packets where every quota is exhausted: each is a program of its own beside the one that decides. */

import type { Action, Direction } from "../../../../base/model.ts";
import { buildModel, type DirectionProgram, type NetworkModel, type Vrf } from "../program.ts";

/**
 * A program for each quota that counts what this host itself receives or sends. It says of a packet what the quota says of
 * what is beyond it, and Allow of what it does not count.
 */
export function quotaPrograms(
	{ quotas = [], ...model }: NetworkModel,
	direction: Direction,
): DirectionProgram[] {
	const { vrfOf, failsafe } = model[direction];
	const nothing = { rules: [], atoms: [] };
	return quotas
		.filter(({ rule }) => rule.direction === direction && rule.appliesTo !== "guests")
		.map(({ rule, atoms }) => {
			const rules = { ingress: nothing, egress: nothing, [direction]: { rules: [rule], atoms } };
			const meaning = { posture: "audit", allowlistScope: "direction", vrfs: vrfsOf(vrfOf) } as const;
			const built = buildModel(rules, { ...meaning, failsafe: { ingress: [], egress: [] } });
			// What failsafe accepts no quota counts.
			return { ...built[direction], failsafe };
		});
}

function vrfsOf(vrfOf: DirectionProgram["vrfOf"]): Vrf[] {
	return [...Map.groupBy(vrfOf, ([, vrf]) => vrf)].map(([name, members]) => ({
		name,
		members: members.map(([member]) => member),
	}));
}

/** @param actions of the program that decides, and of quotas */
export function actionBeyond([decided = "Allow", ...quotas]: readonly Action[]): Action {
	if (decided === "Block" || quotas.includes("Block")) return "Block";
	return quotas.includes("Audit") ? "Audit" : decided;
}
