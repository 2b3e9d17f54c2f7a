/** The network enforcer, as the registry knows it. */

import type { Enforcer } from "../contract.ts";
import { type NetworkPolicy, networkPart } from "./model.ts";
import { networkPolicyKind, policyTestKind } from "./parse/kinds.ts";

export const networkEnforcer: Enforcer<NetworkPolicy> = {
	name: networkPart.enforcer,
	part: networkPart,
	kinds: [networkPolicyKind],
	asides: [policyTestKind],
};
