/** What `portward plan` finds, before it is printed. Plain data. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Action, Direction } from "../base/model.ts";
import type { Config } from "../config/model.ts";
import type { PlannedFailsafe } from "../enforcers/network/compile/plan.ts";
import type { PublishedVerdict } from "../enforcers/network/compile/verdict/published-verdict.ts";
import type { VerdictBox } from "../enforcers/network/compile/verdict/verdict-box.ts";
import type { Simulation } from "../enforcers/network/history/simulate.ts";
import type { PublishedPort } from "../enforcers/network/observe/guests/guests.ts";
import type { PolicyDiff } from "./policy-diff.ts";

/** The rule or entry that is the reason for something; the default posture and failsafe rules have no place. */
export interface Cause {
	readonly policy: string;
	/** The name of a RuleList. */
	readonly direction: string;
	/** Null for the default posture. */
	readonly index: number | null;
	readonly action: Action;
	readonly file: string | null;
	readonly line: number | null;
}

/** An open connection that the new policies end and those in force do not. */
export interface CutConnection {
	readonly direction: Direction;
	/** IP protocol number. */
	readonly protocol: number;
	readonly local: string;
	readonly localPort: number;
	readonly remote: string;
	readonly remotePort: number;
	readonly cause: Cause;
	/** Blocked on some interfaces only, so that it ends where its packets take one of them. */
	readonly someInterfaces: boolean;
	/** `local` is a guest's: the connection is forwarded to or from it. */
	readonly guest: boolean;
}

/** A port that is published for a guest, and whom the new policies let reach it. */
export interface PublishedChange {
	readonly port: PublishedPort;
	readonly before: PublishedVerdict;
	readonly after: PublishedVerdict;
	/** Open connections to it that would be ended, of those that are told one by one. */
	readonly ends: number;
}

export interface PublishedPlan {
	/** As the settings say: under `audit` nothing of what is forwarded is dropped. */
	readonly forwarded: Config["guests"]["forwarded"];
	readonly checked: boolean;
	/** Why not; "" when they were. */
	readonly reason: string;
	readonly changes: readonly PublishedChange[];
	/** Published ports that were not looked at, as there are too many. */
	readonly more: number;
}

export interface ConnectionsPlan {
	/** False where connection tracking could not be read; then `cut` has TCP sockets of this host at most. */
	readonly checked: boolean;
	/** Why not; "" when they were. */
	readonly reason: string;
	/** The first ones, `total` says how many there are. */
	readonly cut: readonly CutConnection[];
	readonly total: number;
	/** How many more a first start with NEW would end, as `endRefusedAtStart` says; null where it is off. */
	readonly refusedAtStart: number | null;
}

/** A USB device that is plugged in and meets another decision than before. */
export interface DeviceChange {
	readonly port: string;
	/** Four hexadecimal digits, like productId. */
	readonly vendorId: string;
	readonly productId: string;
	readonly manufacturer: string | null;
	readonly product: string | null;
	readonly before: "authorized" | "partial" | "refused";
	readonly after: "authorized" | "partial" | "refused";
	/** Why the device as a whole would be refused, or what would spare it, in words; null when neither. */
	readonly reason: string | null;
	/** Its functions that are refused anew, or no longer. */
	readonly functions: readonly {
		/** bInterfaceNumber; null for the device as a whole. */
		readonly interface: number | null;
		/** bConfigurationValue of every configuration that has it; none for the device as a whole. */
		readonly configurations: readonly number[];
		/** The first bAlternateSetting that shows it; null for the device as a whole. */
		readonly alternate: number | null;
		readonly className: string;
		readonly refused: boolean;
		/** Why it would be refused, in words; "" when it would not. */
		readonly reason: string;
		/** Null where nothing speaks about it. */
		readonly cause: Cause | null;
	}[];
}

/** The USB adapter that this SSH session comes through. */
export interface SessionAdapter {
	/** The network device that has the session's address here, and the adapter's own. */
	readonly netdev: string;
	readonly adapter: string;
	/** `1-4`; the adapter's, or a hub's on the way to it. */
	readonly port: string;
	/** Why it would be refused, in words. */
	readonly reason: string;
	/** What refuses it; null where no entry or posture does. */
	readonly cause: Cause | null;
}

export interface DevicesPlan {
	readonly checked: boolean;
	/** Why not; "" when they were. */
	readonly reason: string;
	readonly changes: readonly DeviceChange[];
	/** The adapter of this SSH session where it, or what it hangs on, would be refused; null elsewhere. */
	readonly session: SessionAdapter | null;
}

/** The SSH session in which the command runs. */
export interface SessionPlan {
	readonly client: string;
	readonly clientPort: number;
	readonly server: string;
	readonly serverPort: number;
	/** The connection itself would be ended. */
	readonly cut: boolean;
	/** A new connection like it would be refused. */
	readonly refused: boolean;
	/** The rule that refuses it; null when it is not refused. */
	readonly cause: Cause | null;
}

export interface ChangePlan {
	/** The new policies. */
	readonly directory: string;
	/** Where the policies that are in force lie; their last good versions stand in for what is broken there. */
	readonly against: string;
	/** Another change waits for its confirmation; `against` is what is confirmed. */
	readonly pending: boolean;
	/** How many of the new policies do not select this host, and which are staged, in words; null when all do and none is. */
	readonly unselected: string | null;
	readonly diff: PolicyDiff;
	/** For which new connections the verdict changes; null where the sets are too large to be compared meanwhile. */
	readonly verdicts: readonly VerdictBox[] | null;
	/** The same about what is forwarded to guests and from them; null where it is as for the host, or not compared either. */
	readonly forwarded: readonly VerdictBox[] | null;
	/** What no policy can refuse, after the change as before it. */
	readonly failsafe: readonly PlannedFailsafe[];
	readonly connections: ConnectionsPlan;
	readonly published: PublishedPlan;
	/** The flows that were seen, as NEW would have judged them; null where there are none to be had. */
	readonly seen: Simulation | null;
	readonly devices: DevicesPlan;
	/** Null outside an SSH session. */
	readonly session: SessionPlan | null;
	/** Warnings about the new policies, and about what is not known of those in force. */
	readonly diagnostics: readonly Diagnostic[];
}

export type PlanResult =
	| { readonly ok: true; readonly plan: ChangePlan }
	/** Errors of the new policies, or why nothing can be said. */
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };
