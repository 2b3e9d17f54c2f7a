/** What is to be dropped, coarsely, between somebody else's change and its repair. Pure. */

import type { NetworkPlan } from "../compile/plan.ts";
import type { NftCalls } from "./calls.ts";

/** Changes that take no rule of ours away, as far as is known. */
const added: ReadonlySet<string> = new Set([
	"newtable",
	"newchain",
	"newrule",
	"newset",
	"newsetelem",
	"newobj",
	"unknown",
]);

/** @param changes names of the messages that the change was made of */
export function guardRequest(
	{ defaultDrop, failsafe, egressHook, guard, forward }: NetworkPlan,
	changes: readonly string[],
): Parameters<NftCalls["guard"]>[0] {
	return {
		defaultDrop,
		failsafe,
		...(egressHook === undefined ? {} : { egressHook }),
		...(guard === undefined ? {} : { guard }),
		...(forward === undefined ? {} : { forward }),
		lostRules: changes.some((change) => !added.has(change)),
	};
}
