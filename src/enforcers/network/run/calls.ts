/** What the Workers of the daemon answer. All arguments and results are plain data. */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import type { Action } from "../../../base/model.ts";
import type { Config } from "../../../config/model.ts";
import type { Calls } from "../../../threads/rpc.ts";
import type { SelectedEntry } from "../../usb/compile/match.ts";
import type { ApplyResult, CloseResult, OpenResult } from "../apply/kernel-table.ts";
import type { MutedPort } from "../apply/muted-ports.ts";
import type { CutFlow } from "../apply/refused-flows.ts";
import type { GuardedPlan } from "../apply/transaction.ts";
import type { NetworkPlan, RulesetForm } from "../compile/plan.ts";
import type { JudgedFlow } from "../flows/open-connections.ts";
import type { InterfaceUse } from "../interfaces.ts";
import type { CounterValue } from "../observe/counters.ts";
import type { BootFacts } from "./boot-state.ts";

export type NftOpened =
	| { readonly ok: true; readonly form: RulesetForm }
	| { readonly ok: false; readonly reason: string; readonly remedy: string };

/** What a table holds about ended connections. */
export interface EarlierCuts {
	readonly flows: readonly CutFlow[];
	/** Local UDP ports that must not speak first. */
	readonly mutedPorts: readonly number[];
	/** Whether there is a table at all. */
	readonly present: boolean;
	/** Whether connections were held against its rules in both roles, which earlier versions did not. */
	readonly judged: boolean;
}

export interface BootRequest extends Omit<BootFacts, "usbLock"> {
	readonly stateDirectory: string;
	/** Null: what the device policies need is not known now. */
	readonly usbLock: boolean | null;
	/** False where packets are not filtered, so that there is no plan. */
	readonly filtered: boolean;
}

/** src/enforcers/network/run/nft.worker.ts: libnftables and what else changes or reads our table. */
export interface NftCalls extends Calls {
	/** Opens the library and probes the kernel. Called once, and again after a failure. */
	open(argument: { readonly table: string; readonly form: Config["rulesetForm"] }): NftOpened;
	/** Makes the transaction by which the drift filter learns this thread's number. Returns an error text, or null. */
	probe(argument: { readonly table: string }): string | null;
	apply(argument: { readonly plan: NetworkPlan; readonly distrust: boolean }): ApplyResult;
	/** `anew`: there was no table, so every counter begins at zero. */
	guard(argument: GuardedPlan & { readonly lostRules: boolean }): ApplyResult & { readonly anew?: boolean };
	/** Lets every packet pass, and `closeTable` leads them to the rules again that the table still holds. */
	openTable(argument: null): OpenResult;
	closeTable(argument: null): CloseResult;
	/** Replaces the flows that are refused and the ports that are muted. */
	cut(argument: {
		readonly flows: readonly CutFlow[];
		readonly muted: readonly MutedPort[];
	}): { ok: true } | { ok: false; error: string };
	/** What an earlier daemon refused. Null when it cannot be read. */
	cuts(argument: null): EarlierCuts | null;
	/** Deletes what earlier plans left behind. Returns why something is still there, or "". */
	collect(argument: null): string;
	/**
	 * Saves the plan that the last `apply` put in force for the next boot, and lets it go; null only lets it go.
	 * Returns an error text, or null.
	 */
	saveBoot(argument: BootRequest | null): string | null;
	/** Null when they cannot be read. */
	counters(argument: null): Readonly<Record<string, CounterValue>> | null;
}

/** One document of the policy directory, for status and metrics. */
export interface DocumentReport {
	readonly name: string;
	readonly kind: string;
	readonly file: string;
	readonly line: number;
	readonly selected: boolean;
	readonly enforced: boolean;
	/** `last-good`: the version on disk is broken, an earlier one is in force. */
	readonly origin: "current" | "last-good" | "none";
	readonly action: Action | null;
	readonly diagnostics: readonly Diagnostic[];
}

export interface PolicySettings {
	readonly directory: string;
	readonly stateDirectory: string;
	readonly checkPermissions: boolean;
	readonly hostname: string;
	readonly config: Config;
}

/** `signed`: what was signed before. `unknown`: what was in force before, and nobody can tell whether it was signed. */
export type SignatureStanding = "signed" | "unknown" | "none";

/** What became of a policy directory that has to be signed. */
export interface SignatureReport {
	/** Whether the directory is what a trusted key signed, and no older than what was in force before. */
	readonly ok: boolean;
	/** Its serial, where the signature is good; null where it is not. */
	readonly offered: number | null;
	/** The highest serial that was in force before; null when there was none, or nobody can tell. */
	readonly accepted: number | null;
	/** Why the directory is refused; null when it is not. */
	readonly problem: string | null;
	/** What to do about it; "" where nothing is wrong. */
	readonly remedy: string;
	/** What stands in for a directory that is refused; null where it is not. */
	readonly standing: SignatureStanding | null;
}

export interface Reloaded {
	readonly documents: readonly DocumentReport[];
	/** Everything found, files without documents and the directory itself included. */
	readonly diagnostics: readonly Diagnostic[];
	/** False when something on disk is neither enforced nor stood in for by its last good version. */
	readonly complete: boolean;
	/** True when a last good version stands in for something. */
	readonly lastGood: boolean;
	/** Null when no set could be compiled; what was in force stays. */
	readonly plan: NetworkPlan | null;
	/** Null where no signature is required. */
	readonly signature: SignatureReport | null;
	/** The entries of the device policies that are meant for this host. */
	readonly devices: readonly SelectedEntry[];
	/** Whether the entries need the USB lock; null where broken policies leave that open. */
	readonly usbLock: boolean | null;
	readonly nodeLabels: Readonly<Record<string, string>>;
	/** The interfaces that policies in force and failsafe rules name. */
	readonly interfaces: readonly InterfaceUse[];
	/** Characters that this Worker has parsed in its life, and that a new one would have to parse. */
	readonly parsed: { readonly ever: number; readonly present: number };
}

/** What judging the open connections needs to know of the last time. */
export interface JudgeRequest {
	/** Flows that are refused. */
	readonly refused: readonly JudgedFlow[];
	/** Flows that the posture refuses and that go on, by `socketKey`. */
	readonly spared: readonly string[];
	/** Counters of the rules that the open connections were held against before: only a new Block counts in an unlikely role. */
	readonly before: readonly string[];
	/** Local UDP ports that must not speak first. */
	readonly mutedPorts: readonly number[];
	/** End also those that the policies as a whole refuse, default posture included, unless they are among `spared`. */
	readonly strict: boolean;
}

export interface OpenConnections {
	/** Connections that an explicit Block ends. */
	readonly blocked: number;
	/** Connections that end because the policies as a whole refuse them; 0 unless `strict`. */
	readonly strayed: number;
	/** Every flow that is to be refused from now on, earlier ones included. */
	readonly refused: readonly JudgedFlow[];
	/** UDP servers that must not speak first to whom a Block shuts out. */
	readonly muted: readonly MutedPort[];
	/** Flows that should be refused, and ports that should be muted, for which there is no room. */
	readonly overflow: number;
	/** Flows that the posture refuses and that go on. */
	readonly spared: readonly string[];
	/** Why connections could not be read or ended, "" when they could. */
	readonly error: string;
}

/** src/daemon/policy.worker.ts: reading, parsing and compiling. */
export interface PolicyCalls extends Calls {
	reload(argument: {
		readonly settings: PolicySettings;
		readonly epoch: string;
		readonly form: RulesetForm;
	}): Reloaded;
	/** The last reload is in force: keep its documents as the last good ones. Returns an error text, or null. */
	keep(argument: null): string | null;
	/**
	 * Finds the open connections that the rules in force block, and judges the flows refused before anew;
	 * `endConnections` then deletes the entries and ends the sockets.
	 */
	judgeConnections(argument: JudgeRequest): OpenConnections;
	/**
	 * Tells connection tracking of the TCP connections that it does not know and that the policies read last let
	 * pass. Returns "", or why it could not be told; null where no policies were read.
	 */
	adoptConnections(argument: null): string | null;
	endConnections(argument: null): { readonly ended: number; readonly error: string };
}

/** A copy of a set of policies, or every reason why it is not one to enforce. */
export type StagedPolicies =
	| { readonly ok: true; readonly digest: string }
	| { readonly ok: false; readonly problems: readonly string[] };

/** src/daemon/policy.worker.ts, on a thread of its own: sets of policies that are not in force yet. */
export interface StagingCalls extends Calls {
	/**
	 * Copies the policies in `from` to the directory of the settings, on the disk, and reads them there.
	 * `name` is what problems call the directory.
	 */
	stage(argument: {
		readonly from: string;
		readonly name: string;
		readonly settings: PolicySettings;
	}): StagedPolicies | Promise<StagedPolicies>;
	/** What a set means, however it is written; null where part of it cannot be read. */
	meaning(argument: {
		readonly directory: string;
		readonly checkPermissions: boolean;
		readonly ignoreUnknownKinds: boolean;
	}): string | null;
	/** Puts the file system of a directory on its disk, which may take a while. Returns an error text, or null. */
	sync(argument: { readonly directory: string }): string | null;
	/** See treeDigest; null where the directory cannot be read whole. */
	digest(argument: { readonly directory: string; readonly checkPermissions: boolean }): string | null;
}
