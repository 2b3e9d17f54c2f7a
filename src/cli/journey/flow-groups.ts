/** Flows added up by what they have in common. Pure. */

import { maskBase } from "../../base/cidr.ts";
import type { Cidr } from "../../base/model.ts";
import { serviceText } from "../../enforcers/network/history/describe-flow.ts";
import { remoteText, type SeenFlow, type SeenHistory } from "../../enforcers/network/history/seen-flow.ts";

export const groupings = ["remote", "port", "policy", "prefix"] as const;
export type Grouping = (typeof groupings)[number];

export interface FlowGroup {
	readonly key: string;
	/** Different flows. */
	readonly flows: number;
	/** New flows that were seen, and of these what became of them. */
	readonly count: number;
	readonly allowed: number;
	readonly audited: number;
	readonly blocked: number;
	/** Null where the kernel counted none. */
	readonly bytes: number | null;
	/** Milliseconds since the epoch. */
	readonly firstSeen: number;
	readonly lastSeen: number;
	/** Some of it is not among the flows that a recommendation was made from. */
	readonly isNew: boolean;
}

/** What `prefix` groups addresses by, where a flow's block is not larger already. */
const prefixes = { 4: 24, 6: 64 } as const;

function blockOf({ family, base, prefix }: Cidr): Cidr {
	const shorter = Math.min(prefix, prefixes[family]);
	return { family, base: maskBase(base, family, shorter), prefix: shorter };
}

const keys: Readonly<Record<Grouping, (flow: SeenFlow) => string>> = {
	remote: ({ remote }) => remoteText(remote),
	prefix: ({ remote }) => remoteText(blockOf(remote)),
	port: (flow) => `${flow.direction} ${serviceText(flow)}`,
	policy: ({ policy }) => policy ?? "(unknown)",
};

type Sum = { -readonly [Key in keyof FlowGroup]: FlowGroup[Key] };

const outcome = { Allow: "allowed", Audit: "audited", Block: "blocked" } as const;

/** The largest first. */
export function groupFlows(flows: readonly SeenFlow[], grouping: Grouping): FlowGroup[] {
	const groups = new Map<string, Sum>();
	for (const flow of flows) {
		const key = keys[grouping](flow);
		const sum = groups.get(key) ?? empty(key, flow);
		groups.set(key, sum);
		sum.flows += 1;
		sum.count += flow.count;
		sum[outcome[flow.action]] += flow.count;
		if (flow.bytes !== null) sum.bytes = (sum.bytes ?? 0) + flow.bytes;
		sum.firstSeen = Math.min(sum.firstSeen, flow.firstSeen);
		sum.lastSeen = Math.max(sum.lastSeen, flow.lastSeen);
		sum.isNew ||= flow.isNew;
	}
	return [...groups.values()].sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1));
}

function empty(key: string, { firstSeen, lastSeen }: SeenFlow): Sum {
	const counts = { flows: 0, count: 0, allowed: 0, audited: 0, blocked: 0 };
	return { key, ...counts, bytes: null, firstSeen, lastSeen, isNew: false };
}

/** A group as `flows --group-by --json` gives it. */
export function groupsJson(
	{ since, merged, lost }: Omit<SeenHistory, "flows">,
	by: Grouping,
	groups: readonly FlowGroup[],
) {
	return {
		since: new Date(since).toISOString(),
		groupBy: by,
		groups: groups.map(({ firstSeen, lastSeen, isNew, ...group }) => ({
			...group,
			firstSeen: new Date(firstSeen).toISOString(),
			lastSeen: new Date(lastSeen).toISOString(),
			new: isNew,
		})),
		merged,
		lost,
	};
}
