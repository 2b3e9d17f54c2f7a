/** How an enforcer's part of a set is told, rule by rule. */

import type { Place } from "../../base/diagnostic.ts";
import type { Action } from "../../base/model.ts";

/** What one field of a rule admits, in the words of policies; none is anything. */
export type Conditions = Readonly<Record<string, readonly string[]>>;

/** A rule as a reader knows it. */
export interface Described {
	readonly policy: string;
	/** The name of its RuleList. */
	readonly direction: string;
	/** Position in its list. */
	readonly index: number;
	readonly action: Action;
	readonly severity: number;
	readonly tags: readonly string[];
	readonly message: string;
	readonly place: Place;
	readonly conditions: Conditions;
}

/** What befalls what no rule matches. */
export type Unmatched = "accept" | "audit" | "block";

/** How a list stands to what no rule of it matches. */
export interface Default {
	/** An Allow is in force, so that the posture decides. */
	readonly allowlistMode: boolean;
	readonly unmatched: Unmatched;
}

/** One kind of list of rules that policies have. */
export interface RuleList {
	/** As plans call it, such as `ingress` or `device`; no two enforcers have the same. */
	readonly name: string;
	/** The field that policies write it in. */
	readonly field: string;
	/** In running text. */
	readonly label: string;
}

/** What plans say of an enforcer's rules: `key` in JSON, `heading` for people. */
export interface Telling {
	readonly key: string;
	readonly heading: string;
	/** Whether its rules decide about packets, which are counted. */
	readonly packets: boolean;
	/** In the order in which they are told. */
	readonly lists: readonly RuleList[];
}

export interface Description {
	readonly rules: readonly Described[];
	/** By the list's name. */
	readonly defaults: Readonly<Record<string, Default>>;
}
