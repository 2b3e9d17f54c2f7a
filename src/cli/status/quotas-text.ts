/** What quotas have used, in `portward status` and `portward promote`. */

import * as v from "valibot";

const numbers = new Intl.NumberFormat("en-US");

/** The parts of a quota that are printed. */
export const quotaShape = v.looseObject({
	policy: v.string(),
	direction: v.picklist(["ingress", "egress"]),
	index: v.number(),
	action: v.picklist(["Audit", "Block"]),
	staged: v.boolean(),
	/** As it was written. */
	limit: v.string(),
	usedBytes: v.number(),
	exhausted: v.boolean(),
	beyond: v.looseObject({ packets: v.number(), bytes: v.number() }),
	windowEnd: v.string(),
});
export type ToldQuota = v.InferOutput<typeof quotaShape>;

/** Quotas that are told one by one. */
const told = 20;

/** Those that are exhausted come first, then those that used most. */
export function quotaLines(quotas: readonly ToldQuota[]): string[] {
	const sorted = quotas.toSorted(
		(a, b) => Number(b.exhausted) - Number(a.exhausted) || b.usedBytes - a.usedBytes,
	);
	const more = quotas.length - told;
	return [
		...sorted.slice(0, told).map((quota) => `quota of ${quota.policy} ${describeQuota(quota)}`),
		...(more > 0 ? [`${more} more quota${more === 1 ? "" : "s"}`] : []),
	];
}

/** Without its policy's name. */
export function describeQuota(quota: ToldQuota): string {
	const { direction, index, limit, usedBytes, windowEnd } = quota;
	const used = `${numbers.format(usedBytes)} bytes of ${limit} used, until ${windowEnd}`;
	return `${direction}[${index}]: ${used}${beyondText(quota)}`;
}

/** A staged quota blocks nothing, as one that is there to tell. */
function beyondText({ exhausted, beyond, action }: ToldQuota): string {
	if (!exhausted) return "";
	const { packets, bytes } = beyond;
	const much = `${numbers.format(packets)} packet${packets === 1 ? "" : "s"} (${numbers.format(bytes)} bytes)`;
	return `; it is used up, and ${action === "Block" ? `blocked ${much}` : `${much} came beyond it`}`;
}
