/** What quotas begin with: a kernel that does not have one yet knows nothing of what went by before. */

import type { PlanObject } from "../compile/plan.ts";

/** Bytes that were used in the window that runs, by the name of the kernel's object. */
export type UsedQuotas = Readonly<Record<string, number>>;

export function withUsed(object: PlanObject, used: UsedQuotas): PlanObject {
	if (object.kind !== "quota") return object;
	const spent = used[object.name] ?? 0;
	return spent === 0 ? object : { ...object, used: Math.min(spent, object.bytes) };
}
