/** Policy texts for tests, and findings in one line each. */

import { expect } from "bun:test";
import type { Diagnostic } from "../../../src/base/diagnostic.ts";
import type { ParsedDocument } from "../../../src/document/parse.ts";
import { type NetworkPolicy, type NetworkRule, networkPart } from "../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";

/** A policy whose `spec` (after nodeSelector) is the given lines, indented by two. */
export function policyText(spec: string, name = "p"): string {
	const lines = spec.split("\n").map((line) => (line === "" ? "" : `  ${line}`));
	return `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: ${name}
spec:
  nodeSelector:
    matchLabels:
      kubernetes.io/hostname: "*"
${lines.join("\n")}
`;
}

/** The one document of a text. */
export function only(text: string): ParsedDocument {
	const { documents } = parsePolicyFile("p.yaml", text);
	expect(documents).toHaveLength(1);
	const [document] = documents;
	if (document === undefined) throw new Error("no document");
	return document;
}

/** The policy of a text that must be valid. */
export function valid(text: string): NetworkPolicy {
	const { policy: read, diagnostics } = only(text);
	const [policy] = networkPart.in([{ policy: read }]);
	if (policy === undefined) throw new Error(`refused: ${brief(diagnostics).join("; ")}`);
	return policy;
}

/** "severity code path" of each finding. */
export function brief(diagnostics: readonly Diagnostic[]): string[] {
	return diagnostics.map((d) => `${d.severity} ${d.code} ${d.path}`);
}

/** The first ingress rule of a policy with this spec, which must be valid. */
export function firstRule(spec: string): NetworkRule {
	const [rule] = valid(policyText(spec)).ingress;
	if (rule === undefined) throw new Error("no rule");
	return rule;
}

/** Exactly one error, given as "code path", whose hint contains `hint`; and no policy. */
export function expectRefused(text: string, finding: string, hint: string): void {
	const document = only(text);
	const errors = document.diagnostics.filter((d) => d.severity === "error");
	expect(errors.map((d) => `${d.code} ${d.path}`)).toEqual([finding]);
	expect(errors[0]?.hint).toContain(hint);
	expect(document.policy).toBeNull();
}

/** Exactly one warning, given as "code path", on a valid policy. */
export function expectWarned(text: string, finding: string): void {
	const document = only(text);
	expect(brief(document.diagnostics)).toEqual([`warning ${finding}`]);
	expect(document.policy).not.toBeNull();
}
