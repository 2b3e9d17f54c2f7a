/** Tells the ruleset in force which bridges lead to other hosts, without compiling it anew. */

import type { NetworkPlan } from "../compile/plan.ts";
import type { EnforcerOptions } from "./enforcer-options.ts";

/** The plan with the uplinks that it was told; null where they are as they were, or could not be told, which is warned of. */
export async function tellUplinks(
	plan: NetworkPlan | null,
	{ nft, events, uplinks }: Pick<EnforcerOptions, "nft" | "events" | "uplinks">,
): Promise<NetworkPlan | null> {
	if (plan?.forward === undefined) return null;
	const read = uplinks();
	if (read.ok && Bun.deepEquals(read.names, plan.forward.uplinks)) return null;
	const error = read.ok ? await nft.call("setUplinks", read.names) : read.error;
	if (read.ok && error === null) return { ...plan, forward: { ...plan.forward, uplinks: read.names } };
	events.warn(`which bridges lead to other hosts is not up to date: ${error}`);
	return null;
}
