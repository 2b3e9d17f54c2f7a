/** Validates one PortwardTest document. What its cases about anything but packets say, their own reader knows. */

import type { Node } from "yaml";
import { isMap } from "yaml";
import { readMetadata } from "../../../document/metadata.ts";
import type { Fields, Item, NodeReader } from "../../../document/nodes.ts";
import { readPacketCase } from "./test-case.ts";
import type { PolicyTest } from "./test-model.ts";
import { readTable } from "./test-table.ts";

export const testKind = "PortwardTest";
export const testVersion = "portward.io/v1";

export const testFields = ["apiVersion", "kind", "metadata", "spec"] as const;
export const testSpecFields = ["nodeLabels", "settings", "cases", "tables"] as const;

const example = "- {direction: ingress, protocol: tcp, address: 10.0.1.5, port: 5432, expect: Allow}";

/** Cases that are about something else than packets: those that have this field. */
export interface OtherCases<Case> {
	readonly field: string;
	/** Null when anything in it is an error, all of which is reported. */
	read(reader: NodeReader, item: Item): Case | null;
}

/** Reads the whole document; null when anything in it is an error, all of which is reported. */
export function validatePolicyTest<Other>(
	reader: NodeReader,
	root: Node,
	other: OtherCases<Other>,
): PolicyTest<Other> | null {
	const fields = reader.fields(root, null, testFields);
	if (fields === null) return null;
	const name = readMetadata(reader, root, fields, testVersion);
	const spec = reader.present(fields, "spec");
	if (spec === null) {
		reader.error(root, null, "missing-field", "spec is missing", "write spec: with cases");
		return null;
	}
	const parts = reader.fields(spec.node, spec.path, testSpecFields);
	if (parts === null) return null;
	if (!parts.has("cases") && !parts.has("tables")) {
		const message = "cases is missing, so the test tests nothing";
		reader.error(spec.node, spec.path, "missing-field", message, `write cases: and below it ${example}`);
		return null;
	}
	const items = itemsOf(reader, parts, "cases", example);
	const packets = items.filter((item) => !isOther(item, other));
	const others = items.filter((item) => isOther(item, other));
	const cases = packets.flatMap((item) => readPacketCase(reader, item) ?? []);
	const otherCases = others.flatMap((item) => other.read(reader, item) ?? []);
	const tables = itemsOf(
		reader,
		parts,
		"tables",
		"- {direction: ingress, columns: [tcp 22], rows: …}",
	).flatMap((item) => readTable(reader, item) ?? []);
	const nodeLabels = readLabels(reader, parts);
	const settings = readSettings(reader, parts);
	if (reader.failed || name === null) return null;
	return { name, place: reader.place(root), nodeLabels, settings, cases, tables, otherCases };
}

function itemsOf(reader: NodeReader, parts: Fields, name: string, sample: string): readonly Item[] {
	const list = reader.present(parts, name);
	if (list === null) return [];
	const items = reader.items(list.node, list.path, sample);
	if (items.length === 0 && !reader.failed)
		reader.error(
			list.node,
			list.path,
			"no-cases",
			`there is no ${name === "cases" ? "case" : "table"}`,
			`write ${sample}`,
		);
	return items;
}

function isOther<Other>({ node }: Item, { field }: OtherCases<Other>): boolean {
	return isMap(node) && node.has(field);
}

function readLabels(reader: NodeReader, parts: Fields): Readonly<Record<string, string>> {
	const labels = reader.present(parts, "nodeLabels");
	const entries = labels && reader.entries(labels.node, labels.path);
	const result: Record<string, string> = Object.create(null);
	for (const [key, { node, path }] of entries ?? []) {
		const text = reader.text(node, path);
		if (text !== null) result[key] = text;
	}
	return result;
}

/** The settings are checked where settings are known; here they only have to be a mapping. */
function readSettings(reader: NodeReader, parts: Fields): string {
	const settings = reader.present(parts, "settings");
	if (settings === null) return "{}";
	if (!isMap(settings.node)) {
		reader.wrongType(settings.node, settings.path, "settings", settings.node);
		return "{}";
	}
	return JSON.stringify(settings.node.toJSON());
}
