import { expect, test } from "bun:test";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { policyText } from "../engine/support/policy.ts";

const count = (text: string, ignoreUnknownKinds: boolean) =>
	parsePolicyFile("f.yaml", text, { ignoreUnknownKinds }).documents.length;

test.each([
	["a kustomization", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n"],
	["Helm's values", "admins: [10.0.0.0/8]\nreplicas: 2\n"],
	["a Kubernetes object", "apiVersion: v1\nkind: ConfigMap\ndata: {}\n"],
	[
		"Kubernetes' own policy",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {podSelector: {}}\n",
	],
])("%s is refused, or passed over where the settings say so", (_what, text) => {
	expect([count(text, false), count(text, true)]).toEqual([1, 0]);
	const mixed = `${text}---\n${policyText("ingress: [{}]")}`;
	expect(
		parsePolicyFile("f.yaml", mixed, { ignoreUnknownKinds: true }).documents.map(({ index, name }) => [
			index,
			name,
		]),
	).toEqual([[0, "p"]]);
});

test.each([
	[
		"a typo in the kind",
		policyText("ingress: [{}]").replace("KubeArmorNetworkPolicy", "KubeArmorNetworkPolcy"),
	],
	["a typo in the group", policyText("ingress: [{}]").replace("security.", "securty.")],
	["another kind of ours", policyText("ingress: [{}]").replace("KubeArmorNetworkPolicy", "KubeArmorPolicy")],
	[
		"a policy without apiVersion and kind",
		policyText("ingress: [{}]").replace(/^(apiVersion|kind).*\n/gm, ""),
	],
	["a half-written file", "apiVersion: [\n"],
	["text", "just text\n"],
])("%s is never passed over", (_what, text) => {
	expect(count(text, true)).toBe(1);
});

test.each(["networking.k8s.io/v1", "cilium.io/v2", "projectcalico.org/v3"])(
	"a policy of %s is told how to convert it",
	(version) => {
		const { documents } = parsePolicyFile("f.yaml", `apiVersion: ${version}\nkind: NetworkPolicy\n`);
		expect(documents[0]?.diagnostics).toMatchObject([
			{ code: "other-policy", hint: expect.stringContaining("convert it by hand") },
		]);
	},
);
