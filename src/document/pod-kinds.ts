/** Kinds of policies for pods, which no host has: each is told so. */

import type { PolicyKind } from "./kind.ts";

function podKind(name: string): PolicyKind {
	return {
		name,
		list: null,
		schema: null,
		role: "policy",
		read(reader, root) {
			const message = "this kind of policy is for pods, and this host has no pods";
			const hint = "write kind: KubeArmorNetworkPolicy with a nodeSelector";
			reader.error(root, { parent: null, key: "kind" }, "no-pods", message, hint);
			return null;
		},
		lint: () => [],
	};
}

export const podKinds: readonly PolicyKind[] = [
	podKind("KubeArmorPolicy"),
	podKind("KubeArmorClusterPolicy"),
];
