/** Policies for guests alone where nothing of what guests send and receive is judged. */

import type { Diagnostic } from "../../../../base/diagnostic.ts";
import type { NetworkPolicy } from "../../model.ts";
import type { GuestOptions } from "../guests.ts";

export function lintGuests(
	policies: readonly NetworkPolicy[],
	guests: GuestOptions | undefined,
): Diagnostic[] {
	if (guests !== undefined) return [];
	return policies
		.filter(({ appliesTo }) => appliesTo === "guests")
		.map(({ place }) => ({
			...place,
			path: "metadata.annotations",
			severity: "warning",
			code: "guests-off",
			message:
				"the policy holds for guests alone, and the settings have guests.forwarded: off, so it does nothing",
			hint: "write guests: {forwarded: enforce} in the settings, or leave out the annotation portward.io/applies-to",
		}));
}
