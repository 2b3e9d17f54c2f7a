/** What passes between the main thread and the observing Workers. */

import type { PacketBatch, TransactionReport } from "./event.ts";

/** The first and only message to a Worker. After it the Worker blocks in poll(2), where no message reaches it. */
export interface ObserverStart<Settings> {
	/** Descriptor of an eventfd: when it can be read, the Worker ends. */
	readonly stopFd: number;
	/** One Int32: messages that the main thread has dealt with. So the Worker knows how far behind it is. */
	readonly handled: SharedArrayBuffer;
	readonly settings: Settings;
}

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

/** The Worker is set up and sees all that happens from now on. */
export interface ReadyMessage {
	readonly kind: "ready";
}

/** The Worker could not start, or cannot go on, and ends. */
export interface FailedMessage {
	readonly kind: "failed";
	readonly error: string;
}

/** The Worker was told to stop and has told all that it knew. */
export interface StoppedMessage {
	readonly kind: "stopped";
}

export type ObserverMessage<Report> = Report | FailedMessage | StoppedMessage;

export type NflogReport = ReadyMessage | { readonly kind: "packets"; readonly batch: PacketBatch };

export type DriftReport =
	| ReadyMessage
	| { readonly kind: "transaction"; readonly report: TransactionReport }
	/** Notifications were lost, so our table may have changed unseen. */
	| { readonly kind: "suspect"; readonly time: number };
