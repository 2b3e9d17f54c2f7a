/** The kinds of documents that the network enforcer reads. */

import type { PolicyKind } from "../../../document/kind.ts";
import { networkPart } from "../model.ts";
import { networkPolicySchema } from "./json-schema.ts";
import { lintNetworkPolicy } from "./lint.ts";
import { validateNetworkPolicy } from "./network.ts";

export const networkPolicyKind: PolicyKind = {
	name: "KubeArmorNetworkPolicy",
	list: "KubeArmorNetworkPolicyList",
	schema: networkPolicySchema,
	role: "policy",
	read(reader, root) {
		const policy = validateNetworkPolicy(reader, root);
		return policy && networkPart.policy(policy, policy);
	},
	lint: (policy) => networkPart.all([policy]).flatMap(lintNetworkPolicy),
};
