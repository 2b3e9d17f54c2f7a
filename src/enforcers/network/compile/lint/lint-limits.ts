/** Limits for each source of what this host alone sends. */

import type { Diagnostic } from "../../../../base/diagnostic.ts";
import type { NetworkPolicy } from "../../model.ts";
import type { GuestOptions } from "../guests.ts";

export function lintLimits(
	policies: readonly NetworkPolicy[],
	guests: GuestOptions | undefined,
): Diagnostic[] {
	const ownAlone = policies.filter(({ appliesTo }) => appliesTo === "host" || guests === undefined);
	return ownAlone.flatMap(({ egress }) =>
		egress.flatMap(({ index, place, limits }) => {
			if (limits?.rate?.per !== "source" && limits?.connections?.per !== "source") return [];
			return {
				...place,
				path: `spec.egress[${index}]`,
				severity: "warning" as const,
				code: "limit-of-own-source",
				message:
					"the source of what this host sends is the host itself, so each of its addresses is limited apart",
				hint: "write per: rule in the limit, for one amount of all that the rule matches",
			};
		}),
	);
}
