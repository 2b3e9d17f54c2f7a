/** What the daemon is given by `portward run`. */

import type { Config } from "../config/model.ts";
import type { Confinement } from "../report/confinement.ts";
import type { Logger } from "../report/log.ts";
import type { ControlReply } from "../serve/control/control-protocol.ts";
import type { SettingsReading } from "./monitors/settings-monitor.ts";

export type WorkerName =
	| "policy"
	| "nft"
	| "nflog"
	| "drift"
	| "history"
	| "uevent"
	| "usb"
	| "sinks"
	| "grpc";

export interface DaemonOptions {
	readonly config: Config;
	/** How the settings on disk were read, where `config` may come from elsewhere. */
	readonly settings?: SettingsReading;
	/** Reads the settings again and calls `reload`; what the control socket's reload does. */
	readonly reload?: () => Promise<ControlReply>;
	readonly checkPermissions: boolean;
	readonly build: { readonly version: string; readonly commit: string };
	readonly log: Logger;
	/** What this process gave up before. */
	readonly confinement: Confinement;
	/** Only src/main.ts can construct Workers: in the compiled file their paths are relative to it. */
	readonly createWorker: (name: WorkerName) => Worker;
}
