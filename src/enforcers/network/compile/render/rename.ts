/** Gives a plan's objects the names that another epoch would have given them. */

import type { NetworkPlan, NftObject } from "../plan.ts";
import { objectName } from "./objects.ts";

/** A name that `ObjectStore.add` makes, wherever it stands in a text. */
const reference = /\b[smx]_[0-9a-f]{16}\b/g;

/**
 * The same ruleset under names of `epoch`, [a-z0-9]{1,16}: two plans that mean the same become equal, whatever their
 * epochs were.
 */
export function renamePlan(plan: NetworkPlan, epoch: string): NetworkPlan {
	const names = new Map<string, string>();
	const renamed = (name: string) => names.get(name) ?? name;
	// An object names only earlier ones, so those have their new names already.
	const objects = plan.objects.map((object): NftObject => {
		const { kind, name, text } = object;
		if (kind === "counter") return object;
		const body = text
			.slice(text.indexOf("\n") + 1, text.lastIndexOf("}"))
			.replace(reference, (found) => renamed(found));
		const next = objectName(epoch, kind, body);
		names.set(name, next);
		return { ...object, name: next, text: `${kind} ${next} {\n${body}}\n` };
	});
	const roots = { ingress: renamed(plan.roots.ingress), egress: renamed(plan.roots.egress) };
	return { ...plan, objects, roots };
}
