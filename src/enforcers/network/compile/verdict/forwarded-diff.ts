/** Where two sets of policies differ about what is forwarded to guests and from them, beside what is this host's own. */

import { guestModel, type NetworkModel } from "../program.ts";
import { diffLimits, type LimitChange } from "./limit-diff.ts";
import type { VerdictBox } from "./verdict-box.ts";
import { diffVerdicts } from "./verdict-diff.ts";

/**
 * Null where they differ as they do about the host, or where no policy is asked about what is forwarded.
 * @param own how they differ about the host
 */
export function diffForwarded(
	before: NetworkModel,
	after: NetworkModel,
	own: readonly VerdictBox[],
): readonly VerdictBox[] | null {
	const models = forwardedModels(before, after);
	if (models === null) return null;
	const found = diffVerdicts(models.before, models.after);
	return JSON.stringify(found) === JSON.stringify(own) ? null : found;
}

/** The limits in which they differ, of the host or of what is forwarded, each once. */
export function diffAllLimits(before: NetworkModel, after: NetworkModel): readonly LimitChange[] {
	const own = diffLimits(before, after);
	const models = forwardedModels(before, after);
	if (models === null) return own;
	const known = new Set(own.map((one) => JSON.stringify(one)));
	const more = diffLimits(models.before, models.after).filter((one) => !known.has(JSON.stringify(one)));
	return [...own, ...more];
}

/** Null where all policies hold for both. */
function forwardedModels(before: NetworkModel, after: NetworkModel) {
	const [was, is] = [guestModel(before), guestModel(after)];
	if (was === null || is === null) return null;
	const alike = (guests: NetworkModel, own: NetworkModel) =>
		guests.ingress === own.ingress && guests.egress === own.egress;
	return alike(was, before) && alike(is, after) ? null : { before: was, after: is };
}
