/** What status, metrics and page are told of the network. Plain data. */

import type { Action, Direction } from "../../../base/model.ts";
import type { Posture } from "../../../config/model.ts";
import type { EnforcerState, Traffic } from "../../../report/contribution.ts";
import type { PlannedFailsafe } from "../compile/plan.ts";
import type { SenderKind } from "../compile/sender.ts";
import type { Seen } from "../names.ts";
import type { CounterValue } from "../observe/counters.ts";
import type { ForeignChain } from "../observe/foreign-chains.ts";
import type { GuestsStatus } from "./guests-status.ts";
import type { LimitCount } from "./limit-counts.ts";
import type { LogOutcomes } from "./log-accounting.ts";

/** What /v1/status says under `enforcers.network`. */
export interface NetworkEnforcerState extends EnforcerState {
	/** Counts the rulesets this daemon put in force; 0 before the first. */
	readonly generation: number;
	/** Kernel elements of the ruleset in force. */
	readonly elements: number;
	readonly allowlistMode: Readonly<Record<Direction, boolean>>;
	readonly posture: Posture;
	/** Whether neighbour discovery, DHCP and ICMP errors are always accepted. */
	readonly essentials: boolean;
	/** Packets that belong to no flow: dropped, or judged like others where the settings say so. */
	readonly invalidPackets: InvalidPackets;
	/** Base chains of other tables on the way of packets, in the order in which packets meet them on a hook. */
	readonly otherChains: readonly ForeignChain[];
	/** What lives behind this host. */
	readonly guests: GuestsStatus;
	/** The users, groups and units that rules name; absent where they name none. */
	readonly senders?: readonly NetworkSender[];
	/** What no policy can refuse, in the order in which packets meet it. */
	readonly failsafe: readonly FailsafeCount[];
	/** What was beyond the limits of rules. */
	readonly limits: readonly LimitCount[];
}

/** A name of rules, and what this host knows of it. */
export interface NetworkSender {
	readonly kind: SenderKind;
	readonly name: string;
	/** Of a user or a group; null where there is none of the name, and of units. */
	readonly number: number | null;
	/** Of a unit, how many it has now; null of users and groups. */
	readonly controlGroups: number | null;
	/** Who names it, such as `egress[0] of policy "web"`; the first few. */
	readonly users: readonly string[];
}

/** A failsafe rule in force, and what the kernel counted for it; null is any. */
export interface FailsafeCount
	extends Pick<
		PlannedFailsafe,
		"direction" | "index" | "protocol" | "icmpType" | "cidr" | "port" | "interface"
	> {
	readonly packets: number;
	readonly bytes: number;
}

/** What the kernel counted for one rule, or for the posture. */
export interface RuleCount {
	/** "DefaultPosture" for the posture. */
	readonly policy: string;
	/** -1 for the posture. */
	readonly index: number;
	readonly direction: Direction;
	readonly action: Action;
	readonly packets: number;
	readonly bytes: number;
	/** Those among them that were forwarded to or from guests; absent where the rule meets none. */
	readonly forwarded?: CounterValue;
}

/** Packets that belong to no flow, by where they were seen. */
export type InvalidPackets = Readonly<Record<Seen, number>>;

/** What became of the packets that a rule logged. */
export interface RuleLog {
	readonly rule: RuleCount;
	readonly outcomes: LogOutcomes;
}

/** The sums over each policy's rules, by policy name; the posture is nobody's. */
export function trafficByPolicy(rules: readonly RuleCount[]): ReadonlyMap<string, Traffic> {
	interface Sum {
		packets: number;
		bytes: number;
		readonly decisions: Partial<Record<Action, number>>;
	}
	const sums = new Map<string, Sum>();
	for (const { policy, index, action, packets, bytes } of rules) {
		if (index < 0) continue;
		const sum = sums.get(policy) ?? { packets: 0, bytes: 0, decisions: {} };
		sums.set(policy, sum);
		sum.packets += packets;
		sum.bytes += bytes;
		sum.decisions[action] = (sum.decisions[action] ?? 0) + packets;
	}
	return sums;
}

/** Packets that no rule matched, where the direction is an allow-list. */
export function unmatched(rules: readonly RuleCount[], direction: Direction): number {
	return rules
		.filter((rule) => rule.index < 0 && rule.direction === direction)
		.reduce((sum, { packets }) => sum + packets, 0);
}
