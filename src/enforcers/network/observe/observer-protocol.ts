/** What passes between the main thread and the Workers that observe packets and the table. */

import type { ReadyMessage } from "../../../threads/observer-protocol.ts";
import type { PacketBatch, TransactionReport } from "./event.ts";

export interface NflogSettings {
	/** 1..65535. */
	readonly group: number;
	/** Alerts a second over all rules; 1000 when absent. */
	readonly perSecond?: number;
}

export interface DriftSettings {
	/** The table of family inet to watch. */
	readonly table: string;
	/** Tables created with a name that starts with this are reported as probes. */
	readonly probePrefix: string;
	/** Bytes of notifications that may wait to be read; 32 MiB when absent. */
	readonly receiveBuffer?: number;
}

export type NflogReport = ReadyMessage | { readonly kind: "packets"; readonly batch: PacketBatch };

/** The socket that listens, to be told less for a while: its descriptor, and the number that tells it apart. */
export interface ListeningSocket {
	readonly fd: number;
	readonly portId: number;
}

export type DriftReport =
	| (ReadyMessage & ListeningSocket)
	| { readonly kind: "transaction"; readonly report: TransactionReport }
	/** Some UTS namespace, perhaps another's, has a new host name. */
	| { readonly kind: "renamed" }
	/** Notifications were lost, so our table may have changed unseen. */
	| { readonly kind: "suspect"; readonly time: number };
