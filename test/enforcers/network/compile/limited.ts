/** Rules from their text, as the product reads them. */

import { type NetworkPolicy, networkPart } from "../../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";

/** @param rules a YAML list @throws Error where something in it is wrong */
export function parsePolicies(rules: string, name: string, direction = "ingress"): readonly NetworkPolicy[] {
	const list = rules
		.trim()
		.split("\n")
		.map((line) => `  ${line}\n`)
		.join("");
	const text = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata: {name: ${name}}
spec:
  nodeSelector: {matchLabels: {kubernetes.io/hostname: "*"}}
  ${direction}:
${list}`;
	const { documents } = parsePolicyFile("p.yaml", text);
	const wrong = documents.flatMap(({ diagnostics }) =>
		diagnostics.filter(({ severity }) => severity === "error"),
	);
	if (wrong.length > 0) throw new Error(JSON.stringify(wrong));
	return networkPart.of(documents.flatMap(({ policy }) => policy ?? []));
}
