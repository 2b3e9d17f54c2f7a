/** Validates one PortwardAddressGroup document. Its file is not read here. */

import { isScalar, type Node } from "yaml";
import { formatCidr } from "../../../base/cidr.ts";
import { quote } from "../../../base/suggest.ts";
import { readMetadata } from "../../../document/metadata.ts";
import type { Fields, NodeReader, Remedies } from "../../../document/nodes.ts";
import type { AddressGroup, GroupFeed, WrittenBlock } from "../model.ts";
import { readCidr } from "./peers.ts";

export const groupKind = "PortwardAddressGroup";
export const groupVersion = "portward.io/v1";

export const groupFields = ["apiVersion", "kind", "metadata", "spec", "status"] as const;
export const groupSpecFields = ["cidrs", "file", "except", "maxShrink", "unsigned"] as const;

/** A feed that lost more than this at once has more likely been cut off than shrunk. */
const defaultMaxShrink = 50;

const specRemedies: Remedies = {
	group: {
		code: "nested-group",
		message: "a group cannot name another group",
		hint: "name both groups in the rule: from: [{group: ONE}, {group: OTHER}]",
	},
	groups: {
		code: "nested-group",
		message: "a group cannot name other groups",
		hint: "name all of them in the rule: from: [{group: ONE}, {group: OTHER}]",
	},
	cidr: {
		code: "unknown-field",
		message: "a group has a list of blocks",
		hint: "write cidrs: [10.0.1.0/24]",
	},
	nodeSelector: {
		code: "unknown-field",
		message: "a group belongs to every host",
		hint: "write nodeSelector in the policies that name the group",
	},
};

/** Reads the whole document; null when anything in it is an error, all of which is reported. */
export function validateAddressGroup(reader: NodeReader, root: Node): AddressGroup | null {
	const fields = reader.fields(root, null, groupFields);
	if (fields === null) return null;
	const name = readMetadata(reader, root, fields, groupVersion);
	const spec = reader.present(fields, "spec");
	if (spec === null) {
		reader.error(root, null, "missing-field", "spec is missing", "write spec: {cidrs: [10.0.1.0/24]}");
		return null;
	}
	const parts = reader.fields(spec.node, spec.path, groupSpecFields, specRemedies);
	if (parts === null) return null;
	if (!parts.has("cidrs") && !parts.has("file")) {
		const hint = "write cidrs: [10.0.1.0/24], or file: NAME of a list with one block a line";
		reader.error(spec.node, spec.path, "missing-field", "the group has neither cidrs nor a file", hint);
	}
	const cidrs = readBlocks(reader, parts, "cidrs");
	const except = readBlocks(reader, parts, "except").map(({ cidr }) => cidr);
	const feed = readFeed(reader, parts);
	if (feed === null && cidrs.length === 0 && !reader.failed) {
		const message =
			"the group is empty: rules that block or audit match nobody by it, and an Allow must not name it";
		reader.warn(spec.node, spec.path, "empty-group", message, "write cidrs: [10.0.1.0/24]");
	}
	if (reader.failed || name === null) return null;
	return { kind: groupKind, name, place: reader.place(root), cidrs, except, feed };
}

const anyHint = "write 0.0.0.0/0 and ::/0 as two blocks";

function readBlocks(reader: NodeReader, parts: Fields, field: "cidrs" | "except"): WrittenBlock[] {
	const list = reader.present(parts, field);
	if (list === null) return [];
	const blocks: WrittenBlock[] = [];
	const known = new Set<string>();
	for (const { node, path } of reader.items(list.node, list.path, "[10.0.1.0/24]")) {
		const block = readCidr(reader, node, path, anyHint);
		if (block === null) continue;
		const text = formatCidr(block);
		if (known.has(text))
			reader.warn(node, path, "duplicate-block", `${text} is written twice`, "keep one of them");
		else blocks.push({ cidr: block, place: reader.place(node) });
		known.add(text);
	}
	return blocks;
}

function readFeed(reader: NodeReader, parts: Fields): GroupFeed | null {
	const field = reader.present(parts, "file");
	const maxShrink = readShrink(reader, parts);
	const unsigned = readFlag(reader, parts, "unsigned");
	for (const name of field === null ? (["maxShrink", "unsigned"] as const) : []) {
		const extra = parts.get(name);
		if (extra === undefined || !parts.has("cidrs")) continue;
		const message = `${name} is about the file of a group, and this group has none`;
		reader.warn(extra.key, extra.path, "no-feed", message, `leave ${name} out, or name the file`);
	}
	const file = field && reader.text(field.node, field.path);
	if (field === null || file === null) return null;
	if (file === "" || file.includes("\0") || file.endsWith("/")) {
		const hint = "write the path of a list with one block a line, absolute or relative to this file";
		reader.error(field.node, field.path, "bad-path", `${quote(file)} is not the path of a file`, hint);
		return null;
	}
	return { file, place: reader.place(field.node), maxShrink, unsigned };
}

function readShrink(reader: NodeReader, parts: Fields): number {
	const field = reader.present(parts, "maxShrink");
	if (field === null) return defaultMaxShrink;
	const { node, path } = field;
	const text = isScalar(node) && typeof node.value === "string" ? node.value : null;
	if (text === null) return reader.integer(node, path, 0, 100) ?? defaultMaxShrink;
	const percent = /^(\d|[1-9]\d|100) ?%$/.exec(text)?.[1];
	if (percent !== undefined) return Number(percent);
	const hint = "write a percentage from 0% to 100%, such as 50%";
	reader.error(node, path, "bad-percentage", `${quote(text)} is not a percentage`, hint);
	return defaultMaxShrink;
}

function readFlag(reader: NodeReader, parts: Fields, name: "unsigned"): boolean {
	const field = reader.present(parts, name);
	if (field === null) return false;
	const { node, path } = field;
	if (isScalar(node) && typeof node.value === "boolean") return node.value;
	reader.wrongType(node, path, "true or false", node, `write ${name}: true, or leave it out`);
	return false;
}
