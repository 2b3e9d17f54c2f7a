/** What recommending works on, and what it finds. */

import type { Cidr } from "../../../../base/model.ts";
import type { NetworkModel } from "../../compile/program.ts";
import type { SeenFlow } from "../seen-flow.ts";
import type { Aggregate } from "./blocks.ts";
import type { Candidate, Service } from "./candidate.ts";

export const states = ["Learn", "Set", "Ignore"] as const;
export type State = (typeof states)[number];

export interface Evidence {
	readonly count: number;
	readonly firstSeen: number;
	readonly lastSeen: number;
}

export interface Remembered {
	readonly candidate: Candidate;
	readonly state: State;
	/** Null where an operator wrote the line. */
	readonly evidence: Evidence | null;
	/** It was in when the line was written, so that it is in some policy. */
	readonly wasIn: boolean;
}

export interface RecommendOptions {
	/** Flows that are seen fewer times are one-off. */
	readonly minCount: number;
	readonly aggregate: Aggregate;
	/** Its failsafe rules accept what then needs no rule. */
	readonly model: NetworkModel;
	/** The setting of this name. */
	readonly essentials: boolean;
}

/** A block that a rule is to allow. */
export interface Chosen {
	readonly candidate: Candidate;
	/** Why it is wider than what was seen; null where it is not. */
	readonly why: string | null;
	/** Blocks in it that stay out, in order. */
	readonly holes: readonly Cidr[];
	/** Null: an operator asked for it, and nothing of it was seen. */
	readonly evidence: Evidence | null;
	/** Of its flows, the most frequent: none where only an earlier run saw it. */
	readonly examples: readonly SeenFlow[];
	/** Distinct remote ends that were seen this time. */
	readonly addresses: number;
}

export interface LeftOut {
	readonly flow: SeenFlow;
	readonly reason: string;
}

/** A candidate that an operator could set. */
export interface Learnt {
	readonly candidate: Candidate;
	readonly evidence: Evidence;
	readonly reason: string;
}

export interface Recommendation {
	/** By service, in order. */
	readonly services: readonly { readonly service: Service; readonly chosen: readonly Chosen[] }[];
	/** What the rules allow, each with the block that holds it. */
	readonly included: ReadonlyMap<SeenFlow, Candidate>;
	readonly leftOut: readonly LeftOut[];
	/** What stays out and might be set, and services that many use. */
	readonly learnt: readonly Learnt[];
}
