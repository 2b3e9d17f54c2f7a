import { expect, test } from "bun:test";
import { brief, only, policyText } from "../engine/support/policy.ts";

test.each([
	["Helm", policyText("ingress:\n{{- range .Values.rules }}\n- ports: [{port: 22}]\n{{- end }}")],
	["Helm in a value", policyText("ingress:\n- ports:\n  - port: {{ .Values.port | default 22 }}")],
	["Jinja", policyText("{% for x in y %}\ningress: [{}]\n{% endfor %}")],
])("%s: one error, whatever YAML makes of it", (_what, text) => {
	const { diagnostics, policy } = only(text);
	expect(brief(diagnostics)).toHaveLength(1);
	expect(diagnostics[0]?.code).toBe("template");
	expect(diagnostics[0]?.hint).toContain("render it first");
	expect(policy).toBeNull();
});

const variable = (name: string) => `$${`{${name}}`}`;

test("a shell's variables: one error a line, and the others stand", () => {
	const text = policyText(
		`action: Adit\ningress:\n- from: [{ipBlock: {cidr: "${variable("ADMIN")}"}}]\n  iface: ["${variable("IFACE")}"]\n  ports: [{port: "${variable("PORT")}"}]`,
	);
	expect(brief(only(text).diagnostics)).toEqual([
		"error bad-action spec.action",
		"error template spec.ingress[0].from[0].ipBlock.cidr",
		"error template spec.ingress[0].iface[0]",
		"error template spec.ingress[0].ports[0].port",
	]);
	const named = policyText("ingress: [{}]", variable("NAME"));
	expect(brief(only(named).diagnostics)).toEqual(["error template metadata.name"]);
	const selected = policyText("ingress: [{}]").replace('"*"', variable("HOST"));
	expect(brief(only(selected).diagnostics)).toEqual([
		'error template spec.nodeSelector.matchLabels["kubernetes.io/hostname"]',
	]);
});

test("a text may speak of templates, and an earlier mistake is not blamed on one", () => {
	const message = 'message: "seen by {{ rule }}"';
	expect(only(policyText(`${message}\ningress: [{}]`)).diagnostics).toEqual([]);
	expect(brief(only(policyText(`ingress: [{}\n${message}`)).diagnostics)).not.toContain("error template ");
	expect(brief(only(policyText(`# {{ .Values.x }}\naction: Adit\ningress: [{}]`)).diagnostics)).toEqual([
		"error bad-action spec.action",
	]);
});
