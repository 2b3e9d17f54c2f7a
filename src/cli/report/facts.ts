/** What a report is made of, as it was read. Plain data. */

import type { Config } from "../../config/model.ts";
import type { NetworkModel } from "../../enforcers/network/compile/program.ts";
import type { DeviceRuleset } from "../../enforcers/usb/compile/ruleset.ts";
import type { Status } from "../status/status-text.ts";

/** An alert that a report tells of. Times are RFC 3339. */
export interface ToldAlert {
	readonly time: string;
	readonly tags: string;
	readonly operation: string;
	readonly action: string;
	readonly result: string;
	readonly resource: string;
	readonly policy: string;
	readonly message: string;
	readonly data: Readonly<Record<string, string>>;
}

/** What could be read, or why it could not be. */
export type Read<T> =
	| { readonly ok: true; readonly value: T }
	| { readonly ok: false; readonly reason: string };

export interface Facts {
	/** When it was read, RFC 3339. */
	readonly time: string;
	readonly host: string;
	/** Of this command. */
	readonly version: string;
	readonly config: Config;
	/** The daemon's answer. */
	readonly status: Read<Status>;
	/** Oldest first: what the daemon remembers, and what its file has. */
	readonly alerts: Read<readonly ToldAlert[]>;
	/** What the policies on disk mean. */
	readonly meaning: Read<{ readonly network: NetworkModel; readonly devices: DeviceRuleset }>;
	/** A line for each service that listens for others: who can reach it. */
	readonly exposed: Read<readonly string[]>;
	/** When the ruleset that is kept for the next boot was saved, RFC 3339; null where there is none. */
	readonly saved: string | null;
	/** Why others than root can change the policies; null where they cannot. */
	readonly distrust: string | null;
}
