/**
 * KubeArmorHostPolicy: the head that its blocks share. Each block, such as `device`, is for one enforcer, which registers
 * it; a block that nobody registered is told as not enforced.
 */

import type { Node } from "yaml";
import type { Action } from "../base/model.ts";
import { Annotations, modeAnnotation, modeSchema, readMode } from "./annotation.ts";
import {
	anything,
	head,
	type JsonSchema,
	mapping,
	neededFields,
	nodeSelector,
	ruleDefaults,
} from "./json-schema.ts";
import type { Part, Policy, PolicyHead, PolicyKind } from "./kind.ts";
import { readMetadata } from "./metadata.ts";
import type { Field, Fields, NodeReader, Remedies } from "./nodes.ts";
import { type RuleDefaults, readDefaults } from "./rule-defaults.ts";
import { readNodeSelector } from "./selector.ts";

/** What one block says. */
export interface BlockRead {
	/** What its rules do that say nothing else. */
	readonly action: Action;
	/** It has no rule. */
	readonly isEmpty: boolean;
	part(head: PolicyHead): Part;
}

/** One field of `spec` that is for one enforcer. */
export interface HostBlock {
	readonly field: string;
	readonly schema: JsonSchema;
	/** What to say of fields that belong into the block and stand outside it. */
	readonly remedies: Remedies;
	/** What to say where no block has a rule. */
	readonly nothing: { readonly message: string; readonly hint: string };
	/** Reads it out of `spec`, where it may be absent. */
	read(reader: NodeReader, spec: Fields, defaults: RuleDefaults): BlockRead;
}

/** The reference's defaults. */
const defaults: RuleDefaults = { action: "Block", severity: 1, tags: [], message: "" };

const documentFields = ["apiVersion", "kind", "metadata", "spec", "status"];
const headFields = ["nodeSelector", "severity", "tags", "message", "action"];

/** Every block that the reference has but `device`. */
const knownBlocks = ["process", "file", "network", "capabilities", "syscalls", "apparmor"];

export const hostPolicyName = "KubeArmorHostPolicy";

/** The kind with these blocks, of which there is one at least. */
export function hostPolicyKind(blocks: readonly [HostBlock, ...HostBlock[]]): PolicyKind {
	return {
		name: hostPolicyName,
		list: `${hostPolicyName}List`,
		schema: schemaOf(blocks),
		role: "policy",
		read: (reader, root) => readHostPolicy(reader, root, blocks),
		lint: () => [],
	};
}

function otherBlocks(blocks: readonly HostBlock[]): readonly string[] {
	return knownBlocks.filter((known) => !blocks.some(({ field }) => field === known));
}

function specFields(blocks: readonly HostBlock[]): readonly string[] {
	return [...headFields, ...blocks.map(({ field }) => field), ...otherBlocks(blocks)];
}

function schemaOf(blocks: readonly HostBlock[]): JsonSchema {
	const spec: Record<string, JsonSchema> = { nodeSelector, ...ruleDefaults };
	for (const { field, schema } of blocks) spec[field] = schema;
	for (const field of otherBlocks(blocks)) spec[field] = anything;
	const annotations = { properties: modeSchema };
	const fields = {
		...head(hostPolicyName, undefined, annotations),
		spec: mapping(specFields(blocks), spec),
		status: anything,
	};
	return mapping<string>(documentFields, fields, neededFields);
}

/** Null when anything in it is an error, all of which is reported. */
function readHostPolicy(
	reader: NodeReader,
	root: Node,
	blocks: readonly [HostBlock, ...HostBlock[]],
): Policy | null {
	const known = specFields(blocks);
	const entries = reader.entries(root, null);
	if (entries === null || reportIndentation(reader, entries, known)) return null;
	const fields = reader.fields(root, null, documentFields);
	if (fields === null) return null;
	const policy = readMetadata(reader, root, fields);
	const mode = readMode(new Annotations(reader, fields, [modeAnnotation]));
	const spec = reader.present(fields, "spec");
	const names = blocks.map(({ field }) => field);
	if (spec === null) {
		const hint = `write spec: with nodeSelector, action and ${names.join(" or ")}`;
		reader.error(root, null, "missing-field", "spec is missing", hint);
		return null;
	}
	const specPart = reader.fields(spec.node, spec.path, known, remediesOf(blocks));
	if (specPart === null) return null;
	const selector = readNodeSelector(reader, specPart, spec.node, spec.path);
	const policyDefaults = readDefaults(reader, specPart, defaults);
	const others = reportOthers(reader, specPart, blocks);
	const [first, ...more] = blocks;
	const read = first.read(reader, specPart, policyDefaults);
	const all = [read, ...more.map((block) => block.read(reader, specPart, policyDefaults))];
	if (all.every(({ isEmpty }) => isEmpty) && others === 0 && !reader.failed)
		reader.warn(spec.node, spec.path, "no-rules", first.nothing.message, first.nothing.hint);
	if (reader.failed || policy === null) return null;
	const place = reader.place(root);
	const { action } = all.find(({ isEmpty }) => !isEmpty) ?? read;
	const policyHead = { kind: hostPolicyName, name: policy, place, nodeSelector: selector, action, ...mode };
	return { ...policyHead, parts: all.map((one) => one.part(policyHead)) };
}

function remediesOf(blocks: readonly HostBlock[]): Remedies {
	const names = blocks.map(({ field }) => field).join(" and ");
	const networkField = {
		code: "wrong-kind",
		message: "this field belongs to another kind of policy",
		hint: `write ingress and egress in a KubeArmorNetworkPolicy; a KubeArmorHostPolicy has ${names}`,
	};
	return Object.assign(
		{ ingress: networkField, egress: networkField },
		...blocks.map(({ remedies }) => remedies),
	);
}

/** A sample that was published without indentation puts the fields of metadata and spec at the margin. */
function reportIndentation(
	reader: NodeReader,
	entries: ReadonlyMap<string, Field>,
	known: readonly string[],
): boolean {
	const outside = [...entries].filter(([key]) => key === "name" || known.includes(key));
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

/** How many blocks there are that nobody enforces. */
function reportOthers(reader: NodeReader, spec: Fields, blocks: readonly HostBlock[]): number {
	const others = otherBlocks(blocks);
	const present = [...spec].filter(([key]) => others.includes(key));
	const names = blocks.map(({ field }) => field);
	const ours = names.length === 1 ? `the ${names[0]} block` : `the blocks ${names.join(", ")}`;
	for (const [key, field] of present) {
		const message = `${key} is not enforced by portward`;
		const hint = `portward enforces ${ours}; leave the rest to an enforcer that has it`;
		reader.warn(field.key, field.path, "not-enforced", message, hint);
	}
	return present.length;
}
