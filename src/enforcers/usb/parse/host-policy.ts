/** Validates one KubeArmorHostPolicy document: its `device` block, and what else portward does not enforce. */

import type { Node } from "yaml";
import type { Action } from "../../../base/model.ts";
import { readMetadata } from "../../../document/metadata.ts";
import type { Field, Fields, NodeReader, Remedies } from "../../../document/nodes.ts";
import { type RuleDefaults, readDefaults } from "../../../document/rule-defaults.ts";
import { readNodeSelector } from "../../../document/selector.ts";
import type { DeviceEntry, HostDevicePolicy } from "../model.ts";
import { readDeviceEntry } from "./entry.ts";

/** The reference's defaults. */
const defaults: RuleDefaults = { action: "Block", severity: 1, tags: [], message: "" };

export const documentFields = ["apiVersion", "kind", "metadata", "spec", "status"] as const;
export const deviceFields = ["matchDevice", "action", "severity", "tags", "message"] as const;

/** Blocks of a host policy that are for other enforcers. */
export const otherBlocks = ["process", "file", "network", "capabilities", "syscalls", "apparmor"] as const;
const ownFields = ["nodeSelector", "severity", "tags", "message", "action", "device"] as const;
export const specFields = [...ownFields, ...otherBlocks] as const;

const networkField = {
	code: "wrong-kind",
	message: "this field belongs to another kind of policy",
	hint: "write ingress and egress in a KubeArmorNetworkPolicy; a KubeArmorHostPolicy has device",
};

const unnestedEntry = {
	code: "bad-nesting",
	message: "matchDevice stands outside device",
	hint: "write device: and, indented below it, matchDevice:",
};

const specRemedies: Remedies = { ingress: networkField, egress: networkField, matchDevice: unnestedEntry };

/** Reads the whole document; null when anything in it is an error, all of which is reported. */
export function validateHostPolicy(reader: NodeReader, root: Node): HostDevicePolicy | null {
	const entries = reader.entries(root, null);
	if (entries === null || reportIndentation(reader, entries)) return null;
	const fields = reader.fields(root, null, documentFields);
	if (fields === null) return null;
	const name = readMetadata(reader, root, fields);
	const spec = reader.present(fields, "spec");
	if (spec === null) {
		const hint = "write spec: with nodeSelector, action and device";
		reader.error(root, null, "missing-field", "spec is missing", hint);
		return null;
	}
	const specPart = reader.fields(spec.node, spec.path, specFields, specRemedies);
	if (specPart === null) return null;
	const nodeSelector = readNodeSelector(reader, specPart, spec.node, spec.path);
	const policyDefaults = readDefaults(reader, specPart, defaults);
	const notEnforced = reportOtherBlocks(reader, specPart);
	const device = readDevice(reader, specPart, policyDefaults);
	if (device.entries.length === 0 && notEnforced.length === 0 && !reader.failed) {
		const hint = "write device: {matchDevice: [{class: MASS-STORAGE}]}";
		reader.warn(spec.node, spec.path, "no-rules", "the policy matches no device, so it does nothing", hint);
	}
	if (reader.failed || name === null) return null;
	return {
		kind: "KubeArmorHostPolicy",
		name,
		place: reader.place(root),
		nodeSelector,
		...device,
	};
}

/** A sample that was published without indentation puts the fields of metadata and spec at the margin. */
function reportIndentation(reader: NodeReader, entries: ReadonlyMap<string, Field>): boolean {
	const outside = [...entries].filter(([key]) => key === "name" || isIn(specFields, key));
	const [first] = outside;
	if (first === undefined) return false;
	const names = outside.map(([key]) => key);
	const inSpec = names.filter((key) => key !== "name");
	const parts: string[] = [];
	if (names.includes("name")) parts.push("name below metadata:");
	if (inSpec.length > 0) parts.push(`${inSpec.join(", ")} below spec:`);
	const message = `${names.join(", ")} must be indented: as it stands, metadata or spec ends before`;
	const hint = `indent by two spaces ${parts.join(" and ")}, and whatever is nested in them by two more`;
	reader.error(first[1].key, first[1].path, "bad-indentation", message, hint);
	return true;
}

function reportOtherBlocks(reader: NodeReader, spec: Fields): readonly string[] {
	const present = [...spec].filter(([key]) => isIn(otherBlocks, key));
	for (const [key, field] of present) {
		const message = `${key} is not enforced by portward`;
		const hint = "portward enforces the device block; leave the rest to an enforcer that has it";
		reader.warn(field.key, field.path, "not-enforced", message, hint);
	}
	return present.map(([key]) => key);
}

function readDevice(
	reader: NodeReader,
	spec: Fields,
	policy: RuleDefaults,
): { readonly action: Action; readonly entries: readonly DeviceEntry[] } {
	const device = reader.present(spec, "device");
	const fields = device && reader.fields(device.node, device.path, deviceFields);
	if (fields === null) return { action: policy.action, entries: [] };
	const inherited = readDefaults(reader, fields, policy);
	const list = reader.present(fields, "matchDevice");
	const entries: DeviceEntry[] = [];
	const items = list === null ? [] : reader.items(list.node, list.path, "- class: MASS-STORAGE");
	for (const item of items) {
		const entry = readDeviceEntry(reader, item, inherited);
		if (entry !== null) entries.push(entry);
	}
	return { action: inherited.action, entries };
}

function isIn(names: readonly string[], name: string): boolean {
	return names.includes(name);
}
