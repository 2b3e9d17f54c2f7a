import { describe, expect, test } from "bun:test";
import { expectRefused, valid } from "../../../engine/support/policy.ts";

function annotated(annotations: string, name = "a"): string {
	return `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata: {name: ${name}, annotations: ${annotations}}
spec: {nodeSelector: {matchLabels: {a: b}}, ingress: [{}]}
`;
}

describe("portward.io/applies-to", () => {
	test.each(["host", "guests"] as const)("%s is read", (value) => {
		expect(valid(annotated(`{portward.io/applies-to: ${value}}`)).appliesTo).toBe(value);
	});

	test.each(["{portward.io/applies-to: all}", "{}", "[a]", "text", "{other.io/applies-to: x, 1: 2}"])(
		"a policy with annotations %s holds for all",
		(annotations) => {
			expect(valid(annotated(annotations)).appliesTo).toBeUndefined();
		},
	);

	test("an alias is followed", () => {
		expect(valid(annotated("*a, labels: &a {portward.io/applies-to: host}")).appliesTo).toBe("host");
	});

	test.each([
		["{portward.io/applies-to: Host}", "bad-annotation", "write host, guests or all, in lower case"],
		["{portward.io/applies-to: 1}", "wrong-type", 'put it in quotes: "1"'],
		["{portward.io/applies-to: [host]}", "wrong-type", "write one value without brackets"],
		["{portward.io/applies-to: host, portward.io/applies-to: guests}", "duplicate-field", "keep one of them"],
	])("%s is refused", (annotations, code, hint) => {
		expectRefused(annotated(annotations), `${code} metadata.annotations["portward.io/applies-to"]`, hint);
	});

	test("a misspelt name is refused, as it would be believed to hold", () => {
		expectRefused(
			annotated("{portward.io/apply-to: host}"),
			'unknown-annotation metadata.annotations["portward.io/apply-to"]',
			"write portward.io/applies-to",
		);
	});
});
