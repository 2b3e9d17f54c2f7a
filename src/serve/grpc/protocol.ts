/** What passes between the main thread and the thread of KubeArmor's log service. */

import type { KubearmorApiSettings } from "../../config/kubearmor-api.ts";
import type { LogRecord, MessageHost } from "../../report/formats/feeder.ts";
import type { Feed, KubearmorApiState } from "../../report/kubearmor-api-status.ts";

/** Settings with an address. */
export interface WantedApi extends KubearmorApiSettings {
	readonly address: string;
}

/** Places of the memory that both threads see: what the thread has handled, and which feeds somebody watches. */
export const handledPlace = 0;
export const watchedPlace = 1;
export const sharedBytes = 8;
export const feedBits: Readonly<Record<Feed, number>> = { alerts: 1, logs: 2, messages: 4 };

export type ToApi =
	/** The first message. */
	| { readonly kind: "start"; readonly shared: SharedArrayBuffer; readonly checkPermissions: boolean }
	/** Also where nothing changed but perhaps the files that the settings name. */
	| { readonly kind: "configure"; readonly settings: WantedApi }
	/** Alerts, each as a line of JSON. */
	| { readonly kind: "alerts"; readonly lines: readonly string[] }
	/** The host's name and address can change. */
	| { readonly kind: "record"; readonly record: LogRecord; readonly host: MessageHost }
	/** The last message: the answer is `stopped`. */
	| { readonly kind: "stop" };

/** The part of the state that the thread knows. */
export type ApiReport = Omit<KubearmorApiState, "address" | "healthAddress">;

/** Certificates in use, and when they end in milliseconds since the epoch. */
export type ApiCertificates = readonly { readonly name: string; readonly expires: number }[];

export type FromApi =
	| { readonly kind: "report"; readonly report: ApiReport; readonly certificates: ApiCertificates }
	| { readonly kind: "stopped" };
