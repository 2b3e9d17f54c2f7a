/** Policy texts for tests, and findings in one line each. */

import { expect } from "bun:test";
import type { Diagnostic } from "../../../src/policy/diagnostic.ts";
import type { NetworkPolicy } from "../../../src/policy/model.ts";
import { type ParsedDocument, parsePolicyFile } from "../../../src/policy/parse.ts";

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
	const { policy, diagnostics } = only(text);
	if (policy?.kind !== "KubeArmorNetworkPolicy") throw new Error(`refused: ${brief(diagnostics).join("; ")}`);
	return policy;
}

/** "severity code path" of each finding. */
export function brief(diagnostics: readonly Diagnostic[]): string[] {
	return diagnostics.map((d) => `${d.severity} ${d.code} ${d.path}`);
}
