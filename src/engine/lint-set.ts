/** What can be said about a set of policies that nobody enforces: for validate. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import type { Enforcer } from "../enforcers/contract/enforcer.ts";
import { enforcers } from "./enforcers.ts";
import type { PolicySet } from "./policy-set.ts";

type Policies = Pick<PolicySet, "policies" | "selected">;

/** What the policies of this host mean together, and what each of the others means alone. */
export function lintSet(
	set: Policies,
	config: Config,
	registered: readonly Enforcer[] = enforcers,
): readonly Diagnostic[] {
	const selected = new Set(set.selected);
	const others = set.policies.filter((policy) => !selected.has(policy));
	return registered.flatMap((enforcer) => {
		const { part, name } = enforcer;
		const request = { config, purpose: "question", wish: null } as const;
		const parts = part.of(set.selected);
		const own = enforcer.compile(parts, { ...request, staged: part.staged(set.selected) });
		const first = set.selected.find((policy) => policy.parts.some((one) => one.enforcer === name));
		return [
			...own.diagnostics,
			...others
				.map((policy) => part.all([policy]))
				.filter((alone) => alone.length > 0)
				.flatMap((alone) => enforcer.compile(alone, request).diagnostics),
			...(own.ok
				? enforcer.lintHost(own.kept, parts, { config, file: first?.place.file ?? "", scope: "notable" })
				: []),
		];
	});
}
