/** What the report is told of the network enforcer, put together from what its parts know. Pure. */

import type { Config } from "../../../config/model.ts";
import type { Forwarding } from "../../../kernel/host.ts";
import { postureInForce } from "../../../report/enforcement-notice.ts";
import type { InterfaceFinding } from "../interfaces.ts";
import { midstreamCounter } from "../names.ts";
import type { ForeignChain } from "../observe/foreign-chains.ts";
import { type GuestsSeen, guestsStatus } from "../report/guests-status.ts";
import { limitCounts } from "../report/limit-counts.ts";
import type { NetworkSnapshot } from "../report/network-report.ts";
import type { NetworkEnforcerState } from "../report/network-status.ts";
import type { StagedTally } from "../report/staged-tally.ts";
import type { AccountReader } from "./account-reader.ts";
import type { DriftMonitor } from "./drift-monitor.ts";
import type { FlowMonitor } from "./flow-monitor.ts";
import type { GraphSource } from "./graph/graph-source.ts";
import type { GuestMonitor } from "./guest-monitor.ts";
import type { FlowWatch } from "./history/flow-watch.ts";
import type { NetworkEnforcer } from "./network-enforcer.ts";
import type { Accounts, PacketAlerts } from "./packet-alerts.ts";
import type { QuotaKeeper } from "./quota/quota-keeper.ts";
import type { SenderMonitor } from "./senders/sender-monitor.ts";
import type { RuleUseKeeper } from "./use/rule-use-keeper.ts";

type Enforcer = Pick<NetworkEnforcer, "state" | "plan" | "inForce">;

export interface NetworkParts {
	readonly enforcer: Enforcer;
	/** Those in force. */
	readonly config: Config;
	readonly accounts: Pick<AccountReader, "latest">;
	readonly packetAlerts: Pick<PacketAlerts, "recordsLost">;
	readonly ruleUse: Pick<RuleUseKeeper, "uses">;
	readonly drift: Pick<DriftMonitor, "count">;
	readonly flows: Pick<FlowMonitor, "counts">;
	readonly guests: Pick<GuestMonitor, "seen">;
	readonly graph: Pick<GraphSource, "draw">;
	readonly watch: Pick<FlowWatch, "status" | "flows">;
	readonly staged: Pick<StagedTally, "counts">;
	readonly quotas: Pick<QuotaKeeper, "status">;
	readonly senders?: Pick<SenderMonitor, "senders">;
	readonly host: {
		otherChains(table: string): readonly ForeignChain[];
		readonly interfaces: readonly InterfaceFinding[];
		readonly forwards: Forwarding;
	};
}

export function networkSnapshot(parts: NetworkParts): NetworkSnapshot {
	const { enforcer, config, packetAlerts, drift, flows, host } = parts;
	const accounts = parts.accounts.latest;
	const senders = parts.senders?.senders ?? [];
	return {
		state: {
			...networkState(enforcer, config, accounts, host.otherChains(config.table), parts.guests.seen),
			...(senders.length === 0 ? {} : { senders }),
		},
		inForce: enforcer.inForce,
		rules: accounts.rules,
		ruleUses: parts.ruleUse.uses.latest,
		ruleLogs: accounts.logs,
		totals: accounts.totals,
		staged: parts.staged.counts,
		quotas: parts.quotas.status,
		maxRuleSeries: config.metrics.maxRuleSeries,
		maxElements: config.maxElements,
		forwards: host.forwards,
		interfaces: host.interfaces,
		drift: drift.count,
		flows: flows.counts,
		midstreamPackets: accounts.counters[midstreamCounter]?.packets ?? 0,
		recordsLost: packetAlerts.recordsLost,
		graph: () => parts.graph.draw(),
		observing: parts.watch.status,
		seen: (query, accept) => parts.watch.flows(query, accept),
	};
}

export function networkState(
	enforcer: Enforcer,
	config: Config,
	{ counters, invalidPackets }: Pick<Accounts, "counters" | "invalidPackets">,
	otherChains: readonly ForeignChain[] = [],
	guests: GuestsSeen | null = null,
): NetworkEnforcerState {
	const { state, reason, generation, elements } = enforcer.state;
	return {
		state,
		reason,
		generation,
		elements,
		allowlistMode: enforcer.plan?.allowlistMode ?? { ingress: false, egress: false },
		posture: postureInForce(config.hostDefaultNetworkPosture, config),
		essentials: config.essentials,
		invalidPackets,
		otherChains,
		guests: guestsStatus(config.guests.forwarded, guests, enforcer.plan, counters),
		failsafe: (enforcer.plan?.failsafe ?? []).map(
			({ direction, index, protocol, icmpType, cidr, port, interface: name, counter }) => {
				const { packets, bytes } = counters[counter] ?? { packets: 0, bytes: 0 };
				return { direction, index, protocol, icmpType, cidr, port, interface: name, packets, bytes };
			},
		),
		limits: limitCounts(enforcer.plan?.rules ?? [], counters),
	};
}

/** What the operator should know though nothing is broken. @param mode see `guests.forwarded` */
export function forwardingWarnings(forwarding: Forwarding, mode: Config["guests"]["forwarded"]): string[] {
	if (mode !== "off") return [];
	const families = [forwarding.ipv4 ? "IPv4" : "", forwarding.ipv6 ? "IPv6" : ""].filter(
		(family) => family !== "",
	);
	if (families.length === 0) return [];
	return [
		`this host forwards ${families.join(" and ")}, and guests.forwarded is off: containers, published Docker ports and virtual machines are not covered by policies`,
	];
}
