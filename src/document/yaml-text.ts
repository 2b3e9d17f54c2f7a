/** A policy that the product writes, as YAML. */

import { stringify } from "yaml";

/** Block style, without folded lines. */
export function yamlText(value: unknown): string {
	return stringify(value, { lineWidth: 0 });
}
