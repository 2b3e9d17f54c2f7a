/** `action` of a policy, rule or entry. */

import type { Node } from "yaml";
import type { Action } from "../base/model.ts";
import type { Path } from "../base/path.ts";
import { quote, suggest } from "../base/suggest.ts";
import type { NodeReader } from "./nodes.ts";
import { describeTemplate } from "./template.ts";

const actions: Record<string, Action> = { allow: "Allow", audit: "Audit", block: "Block" };

/** Every action, as policies write it. */
export const actionNames: readonly Action[] = Object.values(actions);

/** What other firewalls call them. */
const otherWords: Record<Action, readonly string[]> = {
	Allow: ["accept", "accepted", "permit", "permitted", "pass", "grant", "open", "enable", "yes", "whitelist"],
	Audit: ["log", "warn", "alert", "monitor", "report", "notify", "observe", "count"],
	Block: [
		"deny",
		"denied",
		"drop",
		"reject",
		"forbid",
		"refuse",
		"discard",
		"prohibit",
		"no",
		"close",
		"blacklist",
	],
};

/** Reads an action in any case; null when it is none, which is reported with the one that is meant. */
export function readAction(reader: NodeReader, node: Node, path: Path): Action | null {
	const text = reader.text(node, path);
	if (text === null) return null;
	const word = text.toLowerCase();
	const action = Object.hasOwn(actions, word) ? actions[word] : undefined;
	if (action !== undefined) return action;
	reader.error(node, path, "bad-action", `${quote(text)} is not an action`, actionHint(text));
	return null;
}

function actionHint(text: string): string {
	const template = describeTemplate(text);
	if (template !== null) return template.hint;
	const word = text.trim().toLowerCase();
	const meant = Object.values(actions).find(
		(action) => action.toLowerCase() === word || otherWords[action].includes(word),
	);
	return meant === undefined ? suggest(text, Object.values(actions), "actions") : `write ${meant}`;
}
