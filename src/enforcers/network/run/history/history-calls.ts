/** What the thread that keeps the flows answers, and what it wants to know. Plain data. */

import type { Action, Direction, Family, Protocol } from "../../../../base/model.ts";
import type { Calls } from "../../../../threads/rpc.ts";
import type { AnswerForm } from "../../history/flow-answer.ts";
import type { FlowJson } from "../../history/seen-flow.ts";

/** Questions of a look that learns much: they leave megabytes behind. Hosts that are merely busy have fewer at each. */
export const muchAsked = 10_000;

/** A flow that the policies are asked about, as a packet that would open it. */
export interface SeenQuestion {
	readonly direction: Direction;
	readonly forwarded: boolean;
	readonly family: Family;
	/** The remote end. */
	readonly address: bigint;
	readonly interface: string;
	readonly protocol: Protocol;
	/** 0 where the protocol has none. */
	readonly port: number;
	/** The type of ICMP; null of all others, whose source ports are not kept. */
	readonly source: number | null;
}

export interface SeenAnswer {
	readonly action: Action;
	readonly policy: string;
}

/** How watching goes. */
export interface HistoryFacts {
	readonly flows: number;
	readonly merged: number;
	readonly lost: number;
	/** Flows that no key of the baseline covers, since this daemon started. */
	readonly newFlows: number;
	/** When watching began: milliseconds since the epoch. */
	readonly since: number;
	/** Milliseconds that the last look at the kernel's sets took. */
	readonly pollMs: number;
	/** Elements in them. */
	readonly elements: number;
	/** Why the kernel could not be asked; "" where it could. */
	readonly problem: string;
	/** Why the flows could not be saved; "" where they could. */
	readonly unsaved: string;
}

export interface Polled {
	readonly facts: HistoryFacts;
	/** Grows whenever anything is learnt of what came. */
	readonly changes: number;
	/** By the numbers that `decided` is given back. */
	readonly questions: readonly { readonly row: number; readonly question: SeenQuestion }[];
	/** Flows outside the baseline, few. */
	readonly news: readonly FlowJson[];
	/** More of them. */
	readonly moreNews: number;
}

export interface HistoryCalls extends Calls {
	/** Reads what is kept in the state directory. Returns what the operator should know, or "". */
	open(argument: {
		readonly stateDirectory: string;
		readonly table: string;
		readonly maxFlows: number;
	}): string;
	/** Looks at the kernel's sets. @param argument.generation the ruleset in force, 1 or more. */
	poll(argument: { readonly generation: number }): Polled;
	/** Answers to the last questions, in their order. */
	decided(argument: {
		readonly generation: number;
		readonly rows: readonly number[];
		readonly answers: readonly SeenAnswer[];
	}): Polled;
	/** The flows that a query of /v1/flows asks for, as bytes, or why it is none. */
	flows(argument: {
		readonly query: string;
		/** JSON where it is absent. */
		readonly form?: AnswerForm;
	}):
		| { readonly ok: true; readonly body: Uint8Array<ArrayBuffer> }
		| { readonly ok: false; readonly message: string; readonly hint: string };
	/** Saves what was not saved yet. Returns an error text, or "". */
	save(argument: null): string;
}
