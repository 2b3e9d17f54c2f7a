/** Documents of other products that lie beside policies: Kubernetes' own policies, kustomizations, Helm's values. */

import { isMap, type Node } from "yaml";
import { quote } from "../base/suggest.ts";
import type { Kinds } from "./kind.ts";

const ourGroup = /^(security\.kubearmor\.com|portward\.io)(\/|$)/;
/** Ours whether or not it is registered: a host that has no use for a kind says so. */
const ourKind = /^KubeArmor/;

/** What is similar enough to be taken for a policy. */
const otherPolicies: readonly { readonly group: RegExp; readonly whose: string }[] = [
	{ group: /^(policy\.)?networking\.k8s\.io(\/|$)/, whose: "Kubernetes' own" },
	{ group: /^cilium\.io(\/|$)/, whose: "Cilium's" },
	{ group: /^(crd\.)?projectcalico\.org(\/|$)/, whose: "Calico's" },
];

function textAt(root: Node, key: string): string | null {
	const value: unknown = isMap(root) ? root.get(key) : null;
	return typeof value === "string" ? value : null;
}

/**
 * Whether a document is plainly no policy of ours: it has another apiVersion
 * and no kind of ours, or is a mapping with neither and without a spec.
 */
export function isForeign(root: Node, kinds: Kinds): boolean {
	if (!isMap(root)) return false;
	const version = textAt(root, "apiVersion");
	const kind = textAt(root, "kind");
	if (kind !== null && (ourKind.test(kind) || kinds.get(kind) !== undefined)) return false;
	if (version !== null) return !ourGroup.test(version);
	return !root.has("apiVersion") && !root.has("kind") && !root.has("spec");
}

/** What to say about a network policy of another product; null for the rest. */
export function otherPolicy(root: Node): { readonly message: string; readonly hint: string } | null {
	const version = textAt(root, "apiVersion") ?? "";
	const other = otherPolicies.find(({ group }) => group.test(version));
	if (other === undefined) return null;
	const kind = textAt(root, "kind") ?? "policy";
	return {
		message: `${other.whose} ${quote(kind)} is about pods and is another format, which cannot be read`,
		hint:
			`${version.startsWith("networking.k8s.io") ? "portward convert FILE writes it in this form; or " : ""}convert it by hand: ` +
			"apiVersion: security.kubearmor.com/v1, kind: KubeArmorNetworkPolicy, nodeSelector in place of podSelector, " +
			"no policyTypes, and action: Allow, after which its direction drops what no rule allows",
	};
}
