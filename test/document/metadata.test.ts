import { expect, test } from "bun:test";
import { brief, only, policyText } from "../engine/support/policy.ts";

test("metadata.namespace is ignored", () => {
	const text = policyText("ingress: [{}]").replace(
		"  name: p",
		"  name: p\n  namespace: default\n  annotations: {a: b}",
	);
	expect(brief(only(text).diagnostics)).toEqual(["warning namespace-ignored metadata.namespace"]);
});

test.each([
	["  name: p", "  name: My Policy_1", "bad-name metadata.name", "write name: my-policy-1"],
	["  name: p", `  name: ${"a".repeat(254)}`, "bad-name metadata.name", `write name: ${"a".repeat(253)}`],
	["  name: p", "  name: ../../etc/passwd", "bad-name metadata.name", "write name: "],
	["  name: p", "  name: 7", "wrong-type metadata.name", 'put it in quotes: "7"'],
	// No part of it may be taken for the whole.
	["  name: p", `  name: ${"1".repeat(100)}`, "wrong-type metadata.name", "put it in quotes"],
	["  name: p", "  nmae: p", "unknown-field metadata.nmae", "did you mean name?"],
	["  name: p", "  labels: {}", "missing-field metadata", "name"],
	["metadata:\n  name: p\n", "", "missing-field ", "metadata"],
	[
		"security.kubearmor.com/v1",
		"security.kubearmor.com/v2",
		"bad-api-version apiVersion",
		"security.kubearmor.com/v1",
	],
	["apiVersion: security.kubearmor.com/v1\n", "", "missing-field ", "apiVersion"],
])("%j → %j", (before, after, finding, hint) => {
	const text = policyText("ingress: [{}]");
	expect(text).toContain(before);
	const errors = only(text.replace(before, after)).diagnostics.filter((d) => d.severity === "error");
	expect(errors.map((d) => `${d.code} ${d.path}`)).toContain(finding);
	expect(errors.map((d) => d.hint).join("\n")).toContain(hint);
});
