/** What the daemon knows about itself, and the /v1/status document built from it. Pure. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Action, Direction } from "../base/model.ts";
import type { Posture } from "../config/model.ts";
import type { PlannedFailsafe } from "../enforcers/network/compile/plan.ts";
import type { ForeignChain } from "../enforcers/network/observe/foreign-chains.ts";
import type { Confinement } from "./confinement.ts";
import type { SettingsState } from "./settings-status.ts";
import type { SignatureState } from "./signature-status.ts";

export interface EnforcerState {
	/** `open`: panic-open stands, and every packet passes. */
	readonly state: "active" | "disabled" | "unavailable" | "open";
	/** Why it is not active; "" when it is. */
	readonly reason: string;
}

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
	readonly invalidPackets: Readonly<Record<Direction, number>>;
	/** Base chains of other tables on the way of packets, in the order in which packets meet them on a hook. */
	readonly otherChains: readonly ForeignChain[];
	/** What no policy can refuse, in the order in which packets meet it. */
	readonly failsafe: readonly FailsafeCount[];
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

export interface UsbEnforcerState extends EnforcerState {
	/** Where events come from; null while none do. */
	readonly backend: "libudev" | "netlink" | null;
	/** Whether what appears comes up refused. */
	readonly locked: boolean;
	readonly posture: Posture;
	readonly allowlistMode: boolean;
}

/** One document of the policy directory, or one that is kept in force though its file broke. */
export interface PolicyState {
	readonly name: string;
	readonly kind: string;
	readonly file: string;
	readonly line: number;
	/** Its nodeSelector matches this host. */
	readonly selected: boolean;
	/** It is in force, be it as it is on disk or as its last good version. */
	readonly enforced: boolean;
	/** spec.action; null when no version of the document could be read. */
	readonly action: Action | null;
	readonly diagnostics: readonly Diagnostic[];
}

/** What the kernel counted for one rule, or for the posture, and what became of the packets it logged. */
export interface RuleCount {
	/** "DefaultPosture" for the posture. */
	readonly policy: string;
	/** -1 for the posture. */
	readonly index: number;
	readonly direction: Direction;
	readonly action: Action;
	readonly packets: number;
	readonly bytes: number;
}

/** A change of policies that rolls back unless it is confirmed. */
export interface PendingState {
	readonly id: string;
	/** `apply`: a directory that was named. `directory`: a change of the policy directory itself. */
	readonly source: "apply" | "directory";
	/** The directory whose policies are in force until then. */
	readonly from: string;
	/** How long it was given, and what is left of that, rounded up. */
	readonly seconds: number;
	readonly secondsLeft: number;
	/** Who asked for it; null where nobody did but the directory changed. */
	readonly asker: {
		readonly uid: number;
		readonly pid: number;
		readonly session: { readonly connection: string; readonly opened: number } | null;
	} | null;
	/** The policy directory changed since, and that waits until the change is settled. */
	readonly waiting: boolean;
}

/** Whether what is enforced is what is on disk. `body` is the answer of /readyz, one line. */
export interface Readiness {
	readonly ready: boolean;
	readonly body: string;
}

/** panic-open stands: the network table lets everything pass. */
export interface PanicState {
	/** RFC 3339. */
	readonly since: string;
	/** One line of printable text. */
	readonly reason: string;
}

/** An interface name that policies or the settings use and that does not match as it is meant on this host. */
export interface InterfaceState {
	/** As it is written there. */
	readonly interface: string;
	/** absent, altname, case, member or parent. */
	readonly reason: string;
	/** The name that packets bear instead; "" where there is none. */
	readonly bears: string;
	/** The first few rules that use it. */
	readonly users: readonly string[];
	readonly message: string;
	/** What to write. */
	readonly hint: string;
}

/** A plain snapshot that the daemon fills. */
export interface DaemonState {
	readonly version: string;
	readonly hostname: string;
	/** Null while the policies are enforced. */
	readonly panic: PanicState | null;
	/** Null while nothing waits for its confirmation. */
	readonly pending: PendingState | null;
	/** Whether the settings on disk are those in force. */
	readonly settings: SettingsState;
	/** Null where policies need no signature. */
	readonly signature: SignatureState | null;
	/** System and configured labels merged. */
	readonly nodeLabels: Readonly<Record<string, string>>;
	readonly enforcers: { readonly network: NetworkEnforcerState; readonly usb: UsbEnforcerState };
	readonly policies: readonly PolicyState[];
	/** What root lets in for a time, whatever the policies say. */
	readonly usbAllowed: readonly UsbAllowance[];
	/** Interface names that do not match as they are meant. */
	readonly interfaces: readonly InterfaceState[];
	/** Every rule in force, as of the last time the counters were read. */
	readonly rules: readonly RuleCount[];
	/** How often somebody else's change of the table was found and repaired. */
	readonly drift: number;
	/** What the daemon cannot do, whoever tells it to. */
	readonly confinement: Confinement;
	/** What the operator should know, such as that forwarded traffic is not covered. */
	readonly warnings: readonly string[];
	readonly readiness: Readiness;
}

/** A device that root lets in for a time. */
export interface UsbAllowance {
	readonly port: string;
	/** RFC 3339. */
	readonly until: string;
}

/** One policy as /v1/status shows it. */
export interface PolicyStatus extends PolicyState {
	/** Packets by the action of the rules that decided them; an action that no rule has is absent. */
	readonly decisions: Readonly<Partial<Record<Action, number>>>;
	readonly packets: number;
	readonly bytes: number;
}

export interface StatusDocument {
	readonly version: string;
	readonly hostname: string;
	readonly panic: PanicState | null;
	/** Whether the settings on disk are those in force. */
	readonly settings: SettingsState;
	/** Null where policies need no signature. */
	readonly signature: SignatureState | null;
	/** Null while nothing waits for its confirmation. */
	readonly pending: PendingState | null;
	readonly nodeLabels: Readonly<Record<string, string>>;
	readonly ready: Readiness;
	readonly enforcers: DaemonState["enforcers"];
	/** Packets that no rule matched, where a direction is an allow-list. */
	readonly unmatched: Readonly<Record<Direction, number>>;
	readonly usbAllowed: readonly UsbAllowance[];
	readonly policies: readonly PolicyStatus[];
	readonly interfaces: readonly InterfaceState[];
	readonly drift: number;
	readonly confinement: Confinement;
	readonly warnings: readonly string[];
}

/**
 * `enforced`: as on disk. `last_good`: broken on disk, its last good version in force.
 * `invalid`: broken and not in force. `not_selected`: valid, for other hosts.
 * `refused`: valid and selected, yet not in force (no enforcer, too many elements).
 */
export const policyConditions = ["enforced", "last_good", "invalid", "not_selected", "refused"] as const;
export type PolicyCondition = (typeof policyConditions)[number];

export function policyCondition(policy: PolicyState): PolicyCondition {
	const broken = policy.diagnostics.some((diagnostic) => diagnostic.severity === "error");
	if (policy.enforced) return broken ? "last_good" : "enforced";
	if (broken) return "invalid";
	return policy.selected ? "refused" : "not_selected";
}

interface Totals {
	packets: number;
	bytes: number;
	readonly decisions: Partial<Record<Action, number>>;
}

/** The sums over each policy's rules, by policy name; the posture is nobody's. */
function totals(rules: readonly RuleCount[]): Map<string, Totals> {
	const sums = new Map<string, Totals>();
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

function unmatched(rules: readonly RuleCount[], direction: Direction): number {
	return rules
		.filter((rule) => rule.index < 0 && rule.direction === direction)
		.reduce((sum, { packets }) => sum + packets, 0);
}

/** Device policies meet no packets, though one may bear a network policy's name. */
function countsPackets({ enforced, kind }: PolicyState): boolean {
	return enforced && kind !== "KubeArmorHostPolicy";
}

/** The /v1/status document. A policy that is not in force has counted nothing, whoever else bears its name. */
export function statusDocument(state: DaemonState): StatusDocument {
	const sums = totals(state.rules);
	const none = { packets: 0, bytes: 0, decisions: {} };
	return {
		version: state.version,
		hostname: state.hostname,
		panic: state.panic,
		pending: state.pending,
		settings: { problem: state.settings.problem, restart: state.settings.restart },
		signature: state.signature,
		nodeLabels: state.nodeLabels,
		ready: { ready: state.readiness.ready, body: state.readiness.body },
		enforcers: state.enforcers,
		unmatched: {
			ingress: unmatched(state.rules, "ingress"),
			egress: unmatched(state.rules, "egress"),
		},
		usbAllowed: state.usbAllowed,
		policies: state.policies.map((policy) => ({
			name: policy.name,
			kind: policy.kind,
			file: policy.file,
			line: policy.line,
			selected: policy.selected,
			enforced: policy.enforced,
			action: policy.action,
			...(countsPackets(policy) ? (sums.get(policy.name) ?? none) : none),
			diagnostics: policy.diagnostics,
		})),
		interfaces: state.interfaces.map(({ interface: name, reason, bears, users, message, hint }) => ({
			interface: name,
			reason,
			bears,
			users,
			message,
			hint,
		})),
		drift: state.drift,
		confinement: state.confinement,
		warnings: state.warnings,
	};
}
