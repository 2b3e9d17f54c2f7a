/** A policy that the product writes, as YAML. */

import { stringify } from "yaml";

/** Block style, without folded lines, as `portward fmt` has it. */
export function yamlText(value: unknown): string {
	return stringify(value, { indentSeq: false, lineWidth: 0 });
}
