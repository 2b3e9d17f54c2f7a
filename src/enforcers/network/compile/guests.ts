/** What decides which forwarded packets are judged: those to and from what lives behind this host. */

import type { InterfaceMatch } from "../../../base/model.ts";

export interface GuestOptions {
	/** `audit`: what would be dropped is told of, and passes. */
	readonly forwarded: "audit" | "enforce";
	/** Further interfaces behind which guests are; bridges that are no uplinks lead to guests anyway. */
	readonly interfaces: readonly InterfaceMatch[];
	/** Bridges that lead to other hosts, as far as they are known when the ruleset is made. */
	readonly uplinks: readonly string[];
}

/** Bridges that Kubernetes' networks route by: what passes them is judged by those. */
export const knownUplinks: readonly string[] = ["cni0", "kube-bridge", "weave"];
