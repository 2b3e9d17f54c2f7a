/** The kinds of documents that the USB enforcer reads. */

import type { PolicyKind } from "../../../document/kind.ts";
import { devicePart } from "../model.ts";
import { validateHostPolicy } from "./host-policy.ts";
import { hostPolicySchema } from "./json-schema.ts";

export const hostPolicyKind: PolicyKind = {
	name: "KubeArmorHostPolicy",
	list: "KubeArmorHostPolicyList",
	schema: hostPolicySchema,
	role: "policy",
	read(reader, root) {
		const policy = validateHostPolicy(reader, root);
		return policy && devicePart.policy(policy, policy);
	},
	lint: () => [],
};
