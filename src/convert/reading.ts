/** What a reader of another firewall's rules collects. */

import type { Place } from "../base/diagnostic.ts";
import type { Direction } from "../base/model.ts";
import type { Finding } from "./finding.ts";
import type { ChainRule, Entrance, Ruleset } from "./ordered.ts";

/** One file, as it is given to a reader. */
export interface SourceText {
	readonly file: string;
	readonly text: string;
}

/** So many findings are told; nobody reads more. That there are more is told as well. */
const mostFindings = 1000;

export class Reading implements Ruleset {
	readonly chains = new Map<string, ChainRule[]>();
	readonly entrances: Record<Direction, Entrance[]> = { ingress: [], egress: [] };
	readonly findings: Finding[] = [];
	/** What means the same without a rule. */
	readonly comments: string[] = [];
	readonly #said = new Set<string>();

	lost(place: Place, message: string): void {
		this.#find("lost", place, message, `${place.file}:${place.line}:${place.column} ${message}`);
	}

	/** Said once, at its first place: it is the same for every rule. */
	changed(place: Place, message: string): void {
		this.#find("changed", place, message, message);
	}

	same({ line }: Place, message: string): void {
		if (this.comments.length === mostFindings) this.comments.push("and more, which are not listed");
		if (this.comments.length < mostFindings) this.comments.push(`line ${line}: ${message}`);
	}

	#find(kind: Finding["kind"], { file, line, column }: Place, message: string, key: string): void {
		if (this.#said.has(`${kind} ${key}`) || this.#said.size > mostFindings) return;
		this.#said.add(`${kind} ${key}`);
		if (this.#said.size <= mostFindings) this.findings.push({ file, line, column, kind, message });
		else {
			const more = `from here on there is more than is listed (${mostFindings})`;
			this.findings.push({ file, line, column, kind: "lost", message: more });
		}
	}
}

/** What most filters say of states, in words of this product. */
export const stateNotes = {
	related:
		"RELATED: errors about open connections pass; what helpers of connection tracking expect is judged as new, unless related: accept",
	reject: "what it rejects is dropped, without an answer",
	log: "a Block is alerted by itself; what an Allow accepts is not logged",
} as const;

/** The states of a condition as they concern a packet with which a flow begins. */
export type StateMeaning =
	/** It holds for such packets. */
	| "new"
	/** It never does, and what it says holds here anyway. */
	| "same"
	/** It never does, and has no counterpart. */
	| "other";

const trackedStates = ["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"];

export function meaningOfStates(
	states: readonly string[],
	negated: boolean,
	verdict: "accept" | "drop" | "other",
): StateMeaning {
	const named = states.map((state) => state.toUpperCase());
	const held = negated ? trackedStates.filter((state) => !named.includes(state)) : named;
	if (held.includes("NEW")) return "new";
	const always =
		verdict === "accept" ? ["ESTABLISHED", "RELATED", "DNAT", "SNAT"] : verdict === "drop" ? ["INVALID"] : [];
	return held.every((state) => always.includes(state)) ? "same" : "other";
}
