/** What the network enforcer gives to the report. Pure. */

import type { EnforcerReport, RuleUse, StagedCount } from "../../../report/contribution.ts";
import { familiesOf, type MetricGroup } from "../../../report/metrics/group.ts";
import type { Reply } from "../../../report/reply.ts";
import { type GraphDrawing, graphPath, graphReply, graphSection } from "./graph/graph-page.ts";
import { flowsPath, type ObservingFacts, observingFields, observingMetrics } from "./history/observing.ts";
import { failsafeMetrics } from "./metrics/failsafe-metrics.ts";
import { type FlowFacts, flowMetrics } from "./metrics/flow-metrics.ts";
import { type ForwardingFacts, forwardingMetrics } from "./metrics/forwarding-metrics.ts";
import { limitMetrics } from "./metrics/limit-metrics.ts";
import { quotaMetrics } from "./metrics/quota-metrics.ts";
import { ruleMetrics } from "./metrics/rule-metrics.ts";
import { type RuleUseFacts, ruleUseMetrics } from "./metrics/rule-use-metrics.ts";
import { type RulesetFacts, rulesetMetrics } from "./metrics/ruleset-metrics.ts";
import { stagedMetrics } from "./metrics/staged-metrics.ts";
import { networkCards } from "./network-page.ts";
import { type NetworkEnforcerState, trafficByPolicy, unmatched } from "./network-status.ts";
import type { QuotaStatus } from "./quota-windows.ts";

export interface NetworkSnapshot
	extends RulesetFacts,
		RuleUseFacts,
		FlowFacts,
		ForwardingFacts,
		ObservingFacts {
	readonly state: NetworkEnforcerState;
	/** Names of the policies that the kernel has. */
	readonly inForce: ReadonlySet<string>;
	/** How staged policies fare, by name. */
	readonly staged: ReadonlyMap<string, StagedCount>;
	/** Those in force. */
	readonly quotas: readonly QuotaStatus[];
	/** Log records that the kernel dropped before they were read, over all rules. */
	readonly recordsLost: number;
	/** The answer to a query of /v1/flows. */
	readonly seen: (query: string, accept?: string) => Promise<Reply>;
	/** What is in force as a picture. */
	readonly graph: () => Promise<GraphDrawing>;
}

/** Nobody counts packets for a group of addresses: the policies that name it do. */
const groupTraffic = { traffic: { packets: 0, bytes: 0, decisions: {} }, rules: [] };

/** The list: a group that is not in it is in no scrape. */
export const networkGroups: readonly MetricGroup<NetworkSnapshot>[] = [
	rulesetMetrics,
	ruleMetrics,
	ruleUseMetrics,
	failsafeMetrics,
	limitMetrics,
	stagedMetrics,
	quotaMetrics,
	flowMetrics,
	forwardingMetrics,
	observingMetrics,
];

export function networkReport(snapshot: NetworkSnapshot): EnforcerReport {
	const { state, inForce, rules, ruleUses, staged, interfaces, drift, recordsLost, graph, quotas } = snapshot;
	const told = { ...state, quotas };
	let traffic: ReturnType<typeof trafficByPolicy> | null = null;
	let uses: ReadonlyMap<string, readonly RuleUse[]> | null = null;
	return {
		name: "network",
		label: "network",
		state: told,
		sums: { unmatched: { ingress: unmatched(rules, "ingress"), egress: unmatched(rules, "egress") } },
		findings: {
			interfaces: interfaces.map(({ interface: name, reason, bears, users, message, hint }) => ({
				interface: name,
				reason,
				bears,
				users,
				message,
				hint,
			})),
			drift,
			observing: observingFields(snapshot.observing),
		},
		obstacle: state.state === "unavailable" ? `the network enforcer is unavailable: ${state.reason}` : "",
		remark: state.state === "disabled" ? "the network enforcer is disabled" : "",
		recordsLost,
		policy: ({ name, kind }) => {
			if (kind === "PortwardAddressGroup") return { ...groupTraffic, active: state.state === "active" };
			if (kind !== "KubeArmorNetworkPolicy") return null;
			traffic ??= trafficByPolicy(rules);
			uses ??= Map.groupBy(ruleUses, ({ policy }) => policy);
			const count = staged.get(name);
			return {
				active: state.state === "active" && inForce.has(name),
				traffic: traffic.get(name) ?? { packets: 0, bytes: 0, decisions: {} },
				rules: uses.get(name) ?? [],
				...(count === undefined ? {} : { staged: count }),
			};
		},
		families: () => familiesOf(networkGroups, snapshot),
		cards: (host) => networkCards(state, drift, host, snapshot.observing),
		sections: () => graphSection(state),
		routes: [
			// Where nothing is watched it says why.
			{ path: flowsPath, reply: snapshot.seen },
			...(state.state === "active"
				? [{ path: graphPath, reply: async () => graphReply(await graph()) }]
				: []),
		],
	};
}
