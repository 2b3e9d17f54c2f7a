/** Validates one KubeArmorNetworkPolicy document. */

import type { Node } from "yaml";
import type { Direction } from "../../../base/model.ts";
import { Annotations, modeAnnotation, readMode } from "../../../document/annotation.ts";
import { readMetadata } from "../../../document/metadata.ts";
import type { Fields, NodeReader, Remedies } from "../../../document/nodes.ts";
import { type RuleDefaults, readDefaults } from "../../../document/rule-defaults.ts";
import { readNodeSelector } from "../../../document/selector.ts";
import type { AppliesTo, NetworkPolicy, NetworkRule } from "../model.ts";
import { appliesToAnnotation, readAppliesTo } from "./applies-to.ts";
import { readLevel } from "./quota.ts";
import { readRule } from "./rule.ts";

/** The reference's default: the lowest severity. */
const defaults: RuleDefaults = { action: "Block", severity: 1, tags: [], message: "" };

export const documentFields = ["apiVersion", "kind", "metadata", "spec", "status"] as const;
export const specFields = [
	"nodeSelector",
	"severity",
	"tags",
	"message",
	"action",
	"level",
	"ingress",
	"egress",
] as const;

const hostPolicyField = {
	code: "wrong-kind",
	message: "this field belongs to another kind of policy",
	hint: "a KubeArmorNetworkPolicy has ingress and egress; USB devices go into a KubeArmorHostPolicy",
};

const limitField = {
	code: "misplaced-limit",
	message: "limits are those of a rule, not of a policy",
	hint: "write rateLimit, connectionLimit and exceedAction into a rule of ingress or egress",
};

const quotaInSpec = {
	code: "quota-in-spec",
	message: "a quota belongs to a rule, and not to the whole policy",
	hint: "write it into the rule: egress: [{limit: 500MB, duration: 1d}]",
};

const specRemedies: Remedies = {
	limit: quotaInSpec,
	duration: quotaInSpec,
	selector: {
		code: "no-pods",
		message: "selector selects pods, and this host has no pods",
		hint: "write nodeSelector: {matchLabels: {kubernetes.io/hostname: NAME}} to select hosts",
	},
	network: {
		code: "match-protocols",
		message: "network.matchProtocols is not a form that a KubeArmorNetworkPolicy has",
		hint: 'write the rules as: egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{protocol: TCP, port: "443"}]}]',
	},
	matchProtocols: {
		code: "match-protocols",
		message: "matchProtocols is not a form that a KubeArmorNetworkPolicy has",
		hint: 'write the rules as: egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{protocol: TCP, port: "443"}]}]',
	},
	rateLimit: limitField,
	connectionLimit: limitField,
	exceedAction: limitField,
	policyTypes: {
		code: "policy-types",
		message: "policyTypes is Kubernetes' way to say that what no rule matches is dropped",
		hint: "leave it out: one rule with action: Allow has that effect in its direction; to drop everything there, write ingress: [{}] (or egress) with action: Block",
	},
	podSelector: {
		code: "no-pods",
		message: "podSelector selects pods, and this host has no pods",
		hint: 'write nodeSelector: {matchLabels: {kubernetes.io/hostname: "*"}} to select hosts',
	},
	process: hostPolicyField,
	file: hostPolicyField,
	capabilities: hostPolicyField,
	syscalls: hostPolicyField,
	device: hostPolicyField,
};

/** Reads the whole document; null when anything in it is an error, all of which is reported. */
export function validateNetworkPolicy(reader: NodeReader, root: Node): NetworkPolicy | null {
	const fields = reader.fields(root, null, documentFields);
	if (fields === null) return null;
	const name = readMetadata(reader, root, fields);
	const annotations = new Annotations(reader, fields, [appliesToAnnotation, modeAnnotation]);
	const appliesTo = readAppliesTo(annotations);
	const mode = readMode(annotations);
	const spec = reader.present(fields, "spec");
	if (spec === null) {
		const hint = "write spec: with nodeSelector, action and ingress or egress";
		reader.error(root, null, "missing-field", "spec is missing", hint);
		return null;
	}
	const specPart = reader.fields(spec.node, spec.path, specFields, specRemedies);
	if (specPart === null) return null;
	const nodeSelector = readNodeSelector(reader, specPart, spec.node, spec.path);
	const policyDefaults = readDefaults(reader, specPart, defaults);
	readLevel(reader, specPart);
	const ingress = readRules(reader, specPart, "ingress", policyDefaults, appliesTo);
	const egress = readRules(reader, specPart, "egress", policyDefaults, appliesTo);
	if (ingress.length + egress.length === 0 && !reader.failed) {
		const message = "the policy has no ingress and no egress rules, so it does nothing";
		reader.warn(
			spec.node,
			spec.path,
			"no-rules",
			message,
			"write ingress or egress; - {} matches everything",
		);
	}
	if (reader.failed || name === null) return null;
	return {
		kind: "KubeArmorNetworkPolicy",
		name,
		place: reader.place(root),
		nodeSelector,
		action: policyDefaults.action,
		...(appliesTo === "all" ? {} : { appliesTo }),
		...mode,
		ingress,
		egress,
	};
}

function readRules(
	reader: NodeReader,
	spec: Fields,
	direction: Direction,
	policy: RuleDefaults,
	appliesTo: AppliesTo,
): readonly NetworkRule[] {
	const list = reader.present(spec, direction);
	if (list === null) return [];
	const rules: NetworkRule[] = [];
	for (const item of reader.items(list.node, list.path, "[{}] for everything")) {
		const rule = readRule(reader, item, direction, policy, appliesTo);
		if (rule !== null) rules.push(rule);
	}
	return rules;
}
