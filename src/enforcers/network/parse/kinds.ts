/** The kinds of documents that the network enforcer reads. */

import type { PolicyKind } from "../../../document/kind.ts";
import { groupPart, networkPart } from "../model.ts";
import { groupKind, validateAddressGroup } from "./group.ts";
import { addressGroupSchema, networkPolicySchema } from "./json-schema.ts";
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

/** No enforcer's own, so that it is told apart from what decides about packets: a group decides nothing. */
export const addressGroupKind: PolicyKind = {
	name: groupKind,
	list: `${groupKind}List`,
	schema: addressGroupSchema,
	role: "policy",
	read(reader, root) {
		const group = validateAddressGroup(reader, root);
		if (group === null) return null;
		const { name, place } = group;
		// It belongs to every host, since policies of any may name it.
		const nodeSelector = { matchLabels: { "kubernetes.io/hostname": "*" }, place };
		return groupPart.policy({ kind: groupKind, name, place, nodeSelector, action: null }, group);
	},
	lint: () => [],
};
