/** What the observing Workers tell the main thread: plain data. */

import type { Family } from "../../../base/model.ts";

/** The parsed header of a logged packet. Every field that the bytes did not hold is null. */
export interface PacketSummary {
	readonly family: Family | null;
	readonly source: string | null;
	readonly destination: string | null;
	/** IP protocol number after IPv6 extension headers. */
	readonly protocol: number | null;
	readonly sourcePort: number | null;
	readonly destinationPort: number | null;
}

/** What else is known of a packet on its way through this host, from or to a guest. */
export interface ForwardedPacket {
	/** Output interface; "" when unknown. */
	readonly outInterface: string;
	/** Where it was addressed to before any translation; null where the kernel did not tell. */
	readonly original: { readonly destination: string; readonly destinationPort: number } | null;
	/** Ids of the containers that have the packet's addresses, as far as they were looked up and found. */
	readonly containers?: { readonly source: readonly string[]; readonly destination: readonly string[] };
}

/** One NFLOG record that is to become an alert. */
export interface PacketEvent {
	/** Milliseconds since the epoch, from the kernel's timestamp where it gave one. */
	readonly time: number;
	/** The rule id in the log prefix. */
	readonly ruleId: string;
	readonly packet: PacketSummary;
	/** Input interface, output interface of what this host sends; "" when unknown. */
	readonly interface: string;
	readonly forwarded?: ForwardedPacket;
}

/** Per-rule accounting since the Worker started; `lost` packets have no rule, the kernel only says how many. */
export interface RuleTally {
	/** NFLOG records read for this rule. */
	readonly received: number;
	/** Of these, folded into an earlier alert of the same flow. */
	readonly aggregated: number;
	/** Of these, given up as alerts came faster than they may leave the Worker. The rest became events. */
	readonly overflow: number;
}

/** One batch from the NFLOG Worker. */
export interface PacketBatch {
	readonly events: readonly PacketEvent[];
	/** Cumulative, of the rules whose numbers changed since the batch before. */
	readonly tallies: Readonly<Record<string, RuleTally>>;
	/** Cumulative gaps in the NFLOG sequence. */
	readonly lost: number;
	/** Cumulative records whose prefix is none of ours: somebody else logs to this group. */
	readonly foreign: number;
	/** Cumulative reports of a full receive buffer; how many records that cost shows in `lost` with the next record. */
	readonly overruns: number;
}

/** A transaction touched our table. */
export interface DriftEvent {
	/** Milliseconds since the epoch. */
	readonly time: number;
	/** The ruleset generation id after that transaction. */
	readonly generation: number;
	/** Process id and name as the kernel reported them; 0 and "" when it did not. */
	readonly pid: number;
	readonly process: string;
	/** Names of the message types seen, such as `deltable`. */
	readonly changes: readonly string[];
}

/** What the drift Worker saw of one transaction. */
export interface TransactionReport {
	/** Null when the transaction did not touch our table. */
	readonly event: DriftEvent | null;
	/** The thread that made it, as the kernel numbers threads outside every PID namespace; 0 when it did not say. */
	readonly pid: number;
	/** Names of the probe tables that it created. */
	readonly probes: readonly string[];
}
