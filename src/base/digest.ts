/**
 * Names by content. Equal content gives equal names, so two plans share what
 * did not change; 64 bits make an accident within one table negligible, and
 * the plan builder still refuses two different texts under one name.
 */

import { createHash } from "node:crypto";

/** 16 hexadecimal digits of SHA-256 over the parts, each delimited so that no two lists of parts collide by joining. */
export function digest(...parts: readonly string[]): string {
	const hash = createHash("sha256");
	for (const part of parts) {
		hash.update(`${part.length}:`);
		hash.update(part);
	}
	return hash.digest("hex").slice(0, 16);
}
