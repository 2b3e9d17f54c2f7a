/** The kinds of documents that the network enforcer reads. */

import type { AsideKind, PolicyKind } from "../../../document/kind.ts";
import { networkPart } from "../model.ts";
import { networkPolicySchema, policyTestSchema } from "./json-schema.ts";
import { lintNetworkPolicy } from "./lint.ts";
import { validateNetworkPolicy } from "./network.ts";
import { testKind, validatePolicyTest } from "./test-document.ts";
import type { PolicyTest } from "./test-model.ts";

export const networkPolicyKind: PolicyKind = {
	name: "KubeArmorNetworkPolicy",
	list: "KubeArmorNetworkPolicyList",
	schema: networkPolicySchema,
	role: "policy",
	read(reader, root) {
		const policy = validateNetworkPolicy(reader, root);
		return policy && networkPart.policy(policy, policy);
	},
	lint: (policy) => networkPart.of([policy]).flatMap(lintNetworkPolicy),
};

/** Test cases say what becomes of packets, so they are this enforcer's. */
export const policyTestKind: AsideKind<PolicyTest> = {
	name: testKind,
	list: null,
	schema: policyTestSchema,
	role: "aside",
	read: validatePolicyTest,
};
