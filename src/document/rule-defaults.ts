/** What every rule, entry and spec can say of itself: action, severity, tags and message. */

import type { Action } from "../base/model.ts";
import { readAction } from "./action.ts";
import type { Fields, NodeReader } from "./nodes.ts";

/** What a rule inherits from its policy when it does not say otherwise. */
export interface RuleDefaults {
	readonly action: Action;
	readonly severity: number;
	readonly tags: readonly string[];
	readonly message: string;
}

/** Reads action, severity, tags and message of a spec or a rule; absent ones come from `defaults`. */
export function readDefaults(reader: NodeReader, fields: Fields, defaults: RuleDefaults): RuleDefaults {
	const action = reader.present(fields, "action");
	const severity = reader.present(fields, "severity");
	const tags = reader.present(fields, "tags");
	const message = reader.present(fields, "message");
	return {
		action: (action && readAction(reader, action.node, action.path)) ?? defaults.action,
		severity: (severity && reader.integer(severity.node, severity.path, 1, 10)) ?? defaults.severity,
		tags: tags ? reader.texts(tags.node, tags.path, '["a", "b"]') : defaults.tags,
		message: (message && reader.text(message.node, message.path)) ?? defaults.message,
	};
}
