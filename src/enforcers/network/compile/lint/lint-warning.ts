/** A warning about a rule, at its place. */

import type { Diagnostic } from "../../../../base/diagnostic.ts";
import type { CompiledRule } from "../plan.ts";

/** None for rules without a place: the posture's and the settings'. */
export function warning(rule: CompiledRule, code: string, message: string, hint: string): Diagnostic[] {
	if (rule.place === null) return [];
	const path = `spec.${rule.direction}[${rule.index}]`;
	return [{ ...rule.place, path, severity: "warning", code, message, hint }];
}
