import { expect, test } from "bun:test";
import { only, policyText } from "../engine/support/policy.ts";

test.each([
	"",
	"  nodeSelector:\n",
	"  nodeSelector: {}\n",
	"  nodeSelector: {matchLabels: {}}\n",
	"  nodeSelector: {matchLabels: }\n",
])("nodeSelector %j selects nothing (N15)", (selector) => {
	const text = policyText("ingress: [{}]").replace(/ {2}nodeSelector:[\s\S]*"\*"\n/, selector);
	const document = only(text);
	expect(document.diagnostics.map((d) => d.code)).toContain("selects-nothing");
	expect(Object.keys(document.policy?.nodeSelector.matchLabels ?? { none: "" })).toEqual([]);
});

test.each([
	[
		'      kubernetes.io/hostname: "*"',
		"      role: 1",
		"wrong-type spec.nodeSelector.matchLabels.role",
		"quotes",
	],
	[
		'      kubernetes.io/hostname: "*"',
		"      kubernetes.io/hostnamereg: '(a'",
		'bad-pattern spec.nodeSelector.matchLabels["kubernetes.io/hostnamereg"]',
		"quantifiers",
	],
	[
		"    matchLabels:",
		"    matchExpressions:",
		"unsupported-field spec.nodeSelector.matchExpressions",
		"matchLabels",
	],
])("%j → %j", (before, after, finding, hint) => {
	const text = policyText("ingress: [{}]");
	expect(text).toContain(before);
	const errors = only(text.replace(before, after)).diagnostics.filter((d) => d.severity === "error");
	expect(errors.map((d) => `${d.code} ${d.path}`)).toContain(finding);
	expect(errors.map((d) => d.hint).join("\n")).toContain(hint);
});
