/** What the nft Worker answers, and the policy Worker about open connections. All arguments and results are plain data. */

import type { Config } from "../../../config/model.ts";
import type { Calls } from "../../../threads/rpc.ts";
import type { BootFacts } from "../../contract/enforcer.ts";
import type { ApplyResult, CloseResult, OpenResult } from "../apply/apply-result.ts";
import type { MutedPort } from "../apply/muted-ports.ts";
import type { Features } from "../apply/probes.ts";
import type { CutFlow } from "../apply/refused-flows.ts";
import type { GuardedPlan } from "../apply/transaction.ts";
import type { UsedQuotas } from "../apply/used-quotas.ts";
import type { NetworkPlan, RulesetForm } from "../compile/plan.ts";
import type { SenderKey } from "../compile/sender.ts";
import type { AskedPort, PublishedVerdict } from "../compile/verdict/published-verdict.ts";
import type { RefusedReceiver, RoutedReceiver } from "../compile/verdict/refused-receivers.ts";
import type { GuestPlaces } from "../flows/guest-addresses.ts";

import type { JudgedFlow } from "../flows/open-connections.ts";
import type { CounterValue } from "../observe/counters.ts";
import type { NamedGuests } from "../observe/guests/bridges.ts";
import type { GuestsRead } from "../observe/guests/read-guests.ts";
import type { ListeningSocket } from "../observe/observer-protocol.ts";
import type { QuotaReading, QuotaRequest } from "../observe/quotas.ts";
import type { UnitsSeen } from "../observe/unit-finder.ts";
import type { GraphDrawing } from "../report/graph/graph-page.ts";
import type { RulesetFacts } from "./boot-state.ts";
import type { SeenAnswer, SeenQuestion } from "./history/history-calls.ts";

export type NftOpened =
	| ({
			readonly ok: true;
			readonly form: RulesetForm;
	  } & Features)
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

export interface BootRequest extends RulesetFacts {
	readonly stateDirectory: string;
	/** What other enforcers keep. */
	readonly kept: BootFacts;
	/** False where packets are not filtered, so that there is no plan. */
	readonly filtered: boolean;
}

/** What is known of guests, asked of the kernel. */
export interface GuestsRequest extends NamedGuests {
	/** Our own table. */
	readonly table: string;
}

/** What became of a change that may have been a large one. */
export interface Unwatched {
	/** Somebody else may have changed the table meanwhile, while nobody watched it. */
	readonly unseen?: true;
}

/** src/enforcers/network/run/nft.worker.ts: libnftables and what else changes or reads our table. */
export interface NftCalls extends Calls {
	/** Opens the library and probes the kernel. Called once, and again after a failure. */
	open(argument: { readonly table: string; readonly form: Config["rulesetForm"] }): NftOpened;
	/** Another socket of this process listens to what becomes of the table; null: none does. */
	observed(argument: ListeningSocket | null): void;
	/** Makes the transaction by which the drift filter learns this thread's number. Returns an error text, or null. */
	probe(argument: { readonly table: string }): string | null;
	apply(argument: {
		readonly plan: NetworkPlan;
		readonly distrust: boolean;
		/** See KernelTable.apply. */
		readonly used?: UsedQuotas;
	}): ApplyResult & Unwatched;
	/** Reads the quotas, and resets some. Null when they cannot be read. */
	quotas(argument: QuotaRequest): QuotaReading | null;
	/** `anew`: there was no table, so every counter begins at zero. */
	guard(argument: GuardedPlan & { readonly lostRules: boolean }): ApplyResult & { readonly anew?: boolean };
	/** Lets every packet pass, and `closeTable` leads them to the rules again that the table still holds. */
	openTable(argument: null): OpenResult;
	closeTable(argument: null): CloseResult;
	/** Tells the ruleset in force which bridges lead to other hosts. Returns an error text, or null. */
	setUplinks(argument: readonly string[]): string | null;
	/** Tells the ruleset in force of the control groups that its units have now; what was seen of them, and "" or what went wrong. */
	refreshUnits(argument: null): UnitsSeen & Unwatched & { readonly error: string };
	/** Replaces the flows that are refused and the ports that are muted. */
	cut(argument: {
		readonly flows: readonly CutFlow[];
		readonly muted: readonly MutedPort[];
	}): ({ ok: true } | { ok: false; error: string }) & Unwatched;
	/** What an earlier daemon refused. Null when it cannot be read. */
	cuts(argument: null): EarlierCuts | null;
	/** Deletes what earlier plans left behind. Returns why something is still there, or "". */
	collect(argument: null): string;
	/**
	 * Saves the plan that the last `apply` put in force for the next boot, and lets it go; null only lets it go.
	 * Returns an error text, or null.
	 */
	saveBoot(argument: BootRequest | null): string | null;
	/** The guests of this host: a dump of others' rules, which may be many. */
	guests(argument: GuestsRequest): GuestsRead;
	/** Null when they cannot be read. */
	counters(argument: null): Readonly<Record<string, CounterValue>> | null;
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
	/** Where guests are; null where what is forwarded to and from them is not refused. */
	readonly guests: GuestPlaces | null;
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

/** What the thread that compiled the policies answers: see judge.ts. */
export interface JudgeCalls extends Calls {
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
	/** Who reaches published ports, by the policies read last, in the order of the ports; null where none were read. */
	judgePublished(argument: {
		readonly ports: readonly AskedPort[];
		readonly interfaces: readonly string[];
	}): readonly PublishedVerdict[] | null;
	/** What the policies read last say about flows that were seen, in their order; null where none were read. */
	judgeSeen(argument: {
		readonly questions: readonly SeenQuestion[];
		/** What is forwarded passes, whatever the policies say. */
		readonly spared: boolean;
	}): readonly SeenAnswer[] | null;
	/** Which receivers they would cut off; null where none were read. */
	judgeReceivers(argument: {
		readonly receivers: readonly RoutedReceiver[];
		/** Who sends to them. */
		readonly sender: SenderKey;
	}): readonly RefusedReceiver[] | null;
	/** The policies read last as a picture; null where none were read. */
	drawGraph(argument: null): GraphDrawing | null;
	endConnections(argument: null): { readonly ended: number; readonly error: string };
}
