/** `nodeSelector`: which hosts a policy is for. */

import { isMap, isScalar, type Node } from "yaml";
import type { NodeSelector } from "../base/model.ts";
import type { Path } from "../base/path.ts";
import { compilePattern } from "../base/pattern.ts";
import { printable, quote } from "../base/suggest.ts";
import type { Fields, NodeReader, Remedies } from "./nodes.ts";
import { describeTemplate } from "./template.ts";

/** Pseudo-labels whose value is an anchored regular expression over the host name. */
export const hostnamePatternLabels: readonly string[] = [
	"kubearmor.io/hostnamereg",
	"kubernetes.io/hostnamereg",
];

export const selectorFields = ["matchLabels"] as const;

const remedies: Remedies = {
	matchExpressions: {
		code: "unsupported-field",
		message: "matchExpressions is not supported for hosts",
		hint: 'write matchLabels: {LABEL: VALUE}; kubernetes.io/hostname takes "a,b" and "*"',
	},
};

/** Labels that stand in nodeSelector itself. */
function labelRemedies(node: Node): Remedies {
	if (!isMap(node)) return remedies;
	const found: Record<string, Remedies[string]> = Object.assign(Object.create(null), remedies);
	for (const { key, value } of node.items) {
		if (!isScalar(key) || typeof key.value !== "string" || !/[./]/.test(key.value)) continue;
		const text = isScalar(value) && typeof value.value === "string" ? value.value : "VALUE";
		found[key.value] = {
			code: "label-outside",
			message: `the label ${quote(key.value)} stands outside matchLabels`,
			hint: `write nodeSelector: {matchLabels: {${printable(key.value.slice(0, 80))}: ${quote(text)}}}`,
		};
	}
	return found;
}

/** The selector; without a usable one the policy selects nothing, and a warning says so. */
export function readNodeSelector(
	reader: NodeReader,
	spec: Fields,
	specNode: Node,
	specPath: Path,
): NodeSelector {
	const matchLabels: Record<string, string> = Object.create(null);
	const selector = reader.present(spec, "nodeSelector");
	const place = reader.place(selector?.node ?? specNode);
	const fields =
		selector && reader.fields(selector.node, selector.path, selectorFields, labelRemedies(selector.node));
	const labels = fields && reader.present(fields, "matchLabels");
	const entries = labels && reader.entries(labels.node, labels.path);
	for (const [name, field] of entries ?? []) {
		const value = reader.text(field.node, field.path);
		if (value === null) continue;
		matchLabels[name] = value;
		const template = describeTemplate(value);
		if (template !== null) reader.error(field.node, field.path, "template", template.message, template.hint);
		if (!hostnamePatternLabels.includes(name)) continue;
		const pattern = compilePattern(value);
		if (!pattern.ok) {
			const hint = "use letters, digits, ., [ ], ( ), | and the quantifiers * + ? {n,m}";
			reader.error(field.node, field.path, "bad-pattern", `${quote(value)}: ${pattern.message}`, hint);
		}
	}
	if ((entries?.size ?? 0) === 0 && !reader.failed) {
		const message = "without labels in nodeSelector the policy selects no host";
		const hint = 'write nodeSelector: {matchLabels: {kubernetes.io/hostname: "*"}} to select every host';
		reader.warn(selector?.node ?? specNode, selector?.path ?? specPath, "selects-nothing", message, hint);
	}
	return { matchLabels, place };
}
