/**
 * What an enforcer gives to the report: its state, its fields of /v1/status, its metrics, its part of the page, its own
 * routes. Status, metrics, page and server iterate over these and know no enforcer by name.
 */

import type { Action, Direction } from "../base/model.ts";
import type { Confinement } from "./confinement.ts";
import type { Family } from "./metrics/exposition.ts";
import type { Html } from "./page/html.ts";
import type { Reply } from "./reply.ts";

export interface EnforcerState {
	/** `open`: panic-open stands, and everything passes. */
	readonly state: "active" | "disabled" | "unavailable" | "open";
	/** Why it is not active; "" when it is. */
	readonly reason: string;
}

/** What was decided by the rules of one policy. */
export interface Traffic {
	readonly packets: number;
	readonly bytes: number;
	/** Packets by the action of the rules that decided them; an action that no rule has is absent. */
	readonly decisions: Readonly<Partial<Record<Action, number>>>;
}

/** When one rule of a policy last decided a packet. */
export interface RuleUse {
	readonly policy: string;
	readonly direction: Direction;
	/** Position in its direction. */
	readonly index: number;
	readonly action: Action;
	readonly packets: number;
	/** When counting began, in milliseconds since the epoch. */
	readonly since: number;
	/** The same of the last packet; null where there was none since. */
	readonly lastMatch: number | null;
}

/** How a staged policy fares. */
export interface StagedCount {
	/** Packets of new flows, or functions of devices, about which it was asked. */
	readonly evaluated: number;
	/** Those among them that it would block, and that pass. */
	readonly wouldBlock: number;
	/** Since this generation of the enforcer's rules it is staged as it is. */
	readonly sinceGeneration: number;
	/** The same as a time, RFC 3339. */
	readonly since: string;
}

/** What one enforcer has to do with a policy document. */
export interface PolicyPart {
	/** What it made of documents of this name and kind is in force now. */
	readonly active: boolean;
	/** Null where it decides about no packets. */
	readonly traffic: Traffic | null;
	/** Its rules in force; none where it decides about no packets, or the kernel was not asked yet. */
	readonly rules: readonly RuleUse[];
	/** Absent where it is not staged, or not evaluated. */
	readonly staged?: StagedCount;
}

/** What the daemon knows and an enforcer may show beside its own. */
export interface HostFacts {
	readonly confinement: Confinement;
	/** Documents of the policy directory, whoever enforces them. */
	readonly policies: number;
}

/** A page of an enforcer's own, such as /v1/usb/devices. */
export interface ReportRoute {
	readonly path: string;
	/** @param accept the Accept header; "" where the client sent none */
	reply(query: string, accept?: string): Reply | Promise<Reply>;
}

/** Fields of /v1/status that are an enforcer's own. */
export type StatusFields = Readonly<Record<string, unknown>>;

/** One enforcer at one moment. */
export interface EnforcerReport {
	/** Its key under `enforcers` of /v1/status, and its label in metrics. */
	readonly name: string;
	/** Its name in running text, such as "USB". */
	readonly label: string;
	/** What /v1/status says of it under its name: the two fields of all, and its own. */
	readonly state: EnforcerState;
	/** Fields of its own at the top of /v1/status, before the policies and after them. */
	readonly sums: StatusFields;
	readonly findings: StatusFields;
	/** Why what is to be enforced cannot be, which keeps the daemon from being ready; "" where nothing is. */
	readonly obstacle: string;
	/** What a ready daemon says instead of being whole, such as that the enforcer is disabled; "" where there is nothing. */
	readonly remark: string;
	/** Records of its decisions that the kernel dropped unread, so that no alert tells of them. */
	readonly recordsLost: number;
	/** Null for a kind that it does not read. */
	policy(document: { readonly name: string; readonly kind: string }): PolicyPart | null;
	/** Its metrics; see metrics/group.ts. */
	families(): readonly Family[];
	/** On the page, first the cards of its state, then what follows the policies. */
	cards(host: HostFacts): readonly Html[];
	sections(): readonly Html[];
	readonly routes: readonly ReportRoute[];
}
