/**
 * Names by content. Equal content gives equal names, so two plans share what
 * did not change; 64 bits make an accident within one table negligible, and
 * the plan builder still refuses two different texts under one name.
 */

import { createHash } from "node:crypto";

/** 16 hexadecimal digits of SHA-256 over the parts, each delimited so that no two lists of parts collide by joining. */
export function digest(...parts: readonly string[]): string {
	let text = "";
	for (const part of parts) text += `${part.length}:${part}`;
	return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
