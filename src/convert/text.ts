/** Converted policies as YAML text, with their comments. */

import { stringify } from "yaml";
import type { ConvertedPolicy } from "./finding.ts";

/** One file of a policy. Comments hold text of the source: no line break or control character of it ends a comment. */
export function policyText({ comments, document }: ConvertedPolicy): string {
	const lines = comments.map((comment) => `# ${comment.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ")}\n`);
	return `${lines.join("")}${stringify(document, { lineWidth: 0 })}`;
}

/** Plain data as YAML. */
export function dataText(data: Readonly<Record<string, unknown>>): string {
	return stringify(data, { lineWidth: 0 });
}
