/**
 * What becomes of open connections whenever a ruleset is in force: those that
 * it blocks end and stay ended, those that connection tracking forgot are
 * entered again, and those that slipped in while the table was gone end too.
 */

import type { InterfaceMatch } from "../../../base/model.ts";
import type { WorkerClient } from "../../../threads/rpc.ts";
import type { NetworkPlan } from "../compile/plan.ts";
import type { JudgeCalls, NftCalls, OpenConnections } from "../run/calls.ts";
import { type JudgedFlow, possibleFlows } from "./open-connections.ts";

/** Why connections end that no Block means. `loss`: the table was not whole. `start`: as `endRefusedAtStart` says. */
export type Strictness = "loss" | "start" | null;

/** What one look at the open connections led to. */
export interface ConnectionsReport extends Pick<OpenConnections, "blocked" | "strayed" | "overflow"> {
	readonly strictness: Strictness;
	/** With `loss`: when the table was found changed, in milliseconds since the epoch. */
	readonly since: number | null;
	/** Flows that are refused now. */
	readonly refused: number;
}

/** Why a ruleset was put in force. */
export interface Occasion {
	/** When somebody else had changed the table, in milliseconds since the epoch; null where nobody had. */
	readonly repairs: number | null;
	/** Where there was no table before, connections that the policies refuse are to end. */
	readonly endRefused: boolean;
}

export interface ConnectionKeeperOptions {
	readonly judge: Pick<WorkerClient<JudgeCalls>, "call">;
	readonly nft: Pick<WorkerClient<NftCalls>, "call">;
	/** Interfaces behind which guests are, beside bridges. */
	guestInterfaces(): readonly InterfaceMatch[];
	ended(report: ConnectionsReport): void;
	warn(message: string): void;
}

export class ConnectionKeeper {
	readonly #options: ConnectionKeeperOptions;
	/** Some daemon had guarded this host before. */
	#tableFound = true;
	/** Of the plan in force; null before the first. */
	#meaning: string | null = null;
	/** Flows that a Block ended and that it refuses in both directions. */
	#refused: readonly JudgedFlow[] = [];
	/** Flows that the posture refuses and that were there before it. */
	#spared: readonly string[] = [];
	/** UDP servers that must not speak first. */
	#mutedPorts: readonly number[] = [];
	/** Counters of the rules that the open connections were held against. */
	#before: readonly string[] = [];

	constructor(options: ConnectionKeeperOptions) {
		this.#options = options;
	}

	/** Learns what an earlier daemon refused. @param counters names of those that the table has. */
	async opened(counters: readonly string[]): Promise<void> {
		const cuts = await this.#options.nft.call("cuts", null);
		this.#refused = (cuts?.flows ?? []).flatMap(possibleFlows);
		this.#mutedPorts = cuts?.mutedPorts ?? [];
		this.#tableFound = cuts?.present ?? true;
		this.#before = cuts?.judged === true ? counters : [];
	}

	/** Enters what the policies read last let pass into connection tracking. False: no policies are read. */
	async adopt(): Promise<boolean> {
		const error = await this.#options.judge.call("adoptConnections", null);
		if (error !== null && error !== "") this.#options.warn(`open connections may stall: ${error}`);
		return error !== null;
	}

	/** Ends what the ruleset now in force blocks. The tuples are refused before their entries go, or the next packet could open the connection anew. */
	async settle(plan: NetworkPlan, occasion: Occasion): Promise<void> {
		const { rules } = plan;
		const strictness = this.#strictness(plan, occasion);
		const { nft, judge, warn, ended, guestInterfaces } = this.#options;
		const judged = await judge.call("judgeConnections", {
			refused: this.#refused,
			spared: this.#spared,
			before: this.#before,
			mutedPorts: this.#mutedPorts,
			guests:
				plan.forward?.mode === "enforce"
					? { interfaces: guestInterfaces(), uplinks: plan.forward.uplinks }
					: null,
			strict: strictness !== null,
		});
		if (judged.error !== "") warn(`open connections were not checked: ${judged.error}`);
		else this.#before = rules.map(({ counter }) => counter);
		const { refused, muted } = judged;
		if (refused.length + muted.length + this.#refused.length + this.#mutedPorts.length > 0) {
			const cut = await nft.call("cut", { flows: refused.map((flow) => flow.cut), muted });
			if (!cut.ok) warn(`ended connections are not refused: ${cut.error}`);
		}
		this.#refused = refused;
		this.#mutedPorts = [...new Set(muted.map(({ port }) => port))];
		this.#spared = judged.spared;
		const result = await judge.call("endConnections", null);
		if (result.error !== "") warn(`connections could not be ended: ${result.error}`);
		const { blocked, strayed, overflow } = judged;
		ended({ blocked, strayed, overflow, strictness, since: occasion.repairs, refused: refused.length });
	}

	/**
	 * Whether connections end that only the posture refuses. After a loss of the table, not together with a change of
	 * policies: then nobody could tell what the new posture refuses from what slipped in.
	 */
	#strictness(plan: NetworkPlan, { repairs, endRefused }: Occasion): Strictness {
		const before = this.#meaning;
		this.#meaning = meaningOf(plan);
		if (repairs !== null) return before === this.#meaning ? "loss" : null;
		return before === null && endRefused && !this.#tableFound ? "start" : null;
	}
}

/** Equal where plans decide alike: counters are named by what their rules mean. */
function meaningOf({ rules, allowlistMode, defaultDrop }: NetworkPlan): string {
	return JSON.stringify([rules.map(({ counter }) => counter), allowlistMode, defaultDrop]);
}
