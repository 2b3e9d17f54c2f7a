/** What passes between the main thread and the thread of the sinks. */

import type { SinkSettings } from "../config/sinks.ts";
import type { SinkState } from "../report/sink-status.ts";

export interface Configuration {
	readonly sinks: readonly SinkSettings[];
	readonly stateDirectory: string;
	readonly version: string;
}

export type ToSinks =
	/** The first message. `handled` is one Int32: alerts that the thread has put into its queues. */
	| { readonly kind: "start"; readonly handled: SharedArrayBuffer }
	| { readonly kind: "configure"; readonly configuration: Configuration }
	/** Alerts, each as a line of JSON. */
	| { readonly kind: "alerts"; readonly lines: readonly string[] }
	/** The last message: the answer is `stopped`. */
	| { readonly kind: "stop"; readonly milliseconds: number };

export type FromSinks =
	| {
			readonly kind: "report";
			readonly sinks: readonly SinkState[];
			/** Queues on disk of sinks that are gone, which were removed with what was in them. */
			readonly removed: readonly RemovedQueue[];
	  }
	| { readonly kind: "stopped" };

export interface RemovedQueue {
	readonly name: string;
	readonly alerts: number;
}
