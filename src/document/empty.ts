/**
 * Lists that say what a rule matches and are written without an element, as a
 * template leaves them that rendered nothing. They would mean anything, which
 * nobody who writes an Allow has in mind.
 */

import { isSeq, type Node } from "yaml";
import type { Action } from "../base/model.ts";
import type { Path } from "../base/path.ts";
import { type Fields, isEmptyNode, type NodeReader } from "./nodes.ts";

const meanings = {
	from: "any address",
	to: "any address",
	iface: "any interface",
	ports: "every protocol and port",
	user: "any sender",
	group: "any sender",
	service: "any sender",
} as const;

/** The list of that name, or null where it is left out or empty; an empty one is an error in an Allow, else a warning. */
export function presentList(
	reader: NodeReader,
	fields: Fields,
	name: keyof typeof meanings,
	action: Action,
): { node: Node; path: Path } | null {
	const meaning = meanings[name];
	const say = (node: Node, path: Path, code: string, what: string): void => {
		const severity = action === "Allow" ? "error" : "warning";
		const message = `${name} is ${what}, which would mean ${meaning}`;
		const hint = `leave ${name} out for ${meaning}, or write what the rule is about`;
		reader.report(severity, reader.place(node), path, code, message, hint);
	};
	const list = reader.present(fields, name, ({ key, path }) =>
		say(key, path, "empty-field", "written without a value"),
	);
	if (list === null || !isSeq(list.node) || list.node.items.length > 0) return list;
	say(list.node, list.path, "empty-list", "an empty list");
	return null;
}

/** Refuses conditions of an entry that are written without a value, which in an Allow would let more pass than is meant. */
export function refuseEmptyConditions(
	reader: NodeReader,
	fields: Fields,
	names: readonly string[],
	action: Action,
): void {
	if (action !== "Allow") return;
	for (const name of names) {
		const field = fields.get(name);
		if (field === undefined || (field.node !== null && !isEmptyNode(field.node))) continue;
		const message = `${name} is written without a value, which would mean every one`;
		const hint = `leave ${name} out for every one, or write which is allowed`;
		reader.error(field.key, field.path, "empty-field", message, hint);
	}
}
