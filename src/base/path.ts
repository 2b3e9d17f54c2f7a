/** Where in a document a field is, as text such as `spec.ingress[0].from`. */

import { quote } from "./suggest.ts";

/** A field's path as a linked list: its text is needed only when something is wrong. */
export interface Path {
	readonly parent: Path | null;
	readonly key: string | number;
}

/** "spec.ingress[0].ports[1].port"; keys that are not plain words are quoted in brackets. */
export function formatPath(path: Path | null): string {
	let text = "";
	for (let at = path; at !== null; at = at.parent) {
		let part = `[${typeof at.key === "number" ? at.key : quote(at.key)}]`;
		if (typeof at.key === "string" && /^[A-Za-z_][\w-]*$/.test(at.key) && at.key.length <= 80) {
			part = at.parent === null ? at.key : `.${at.key}`;
		}
		text = part + text;
	}
	return text;
}
