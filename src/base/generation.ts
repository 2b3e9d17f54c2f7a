/** What is kept of each change of what the policies say: the history of generations. Plain data, pure. */

import type { Action, Direction } from "./model.ts";

/** Changes that are remembered. */
export const mostGenerations = 50;
/** What is told of one change: more is counted. */
export const mostGenerationBoxes = 30;
export const mostGenerationRules = 30;
export const mostGenerationFiles = 30;
/** Address blocks told of one box. */
export const mostGenerationAddresses = 12;

/** New connections of which the policies say something else than before. Boxes do not overlap. */
export interface GenerationBox {
	readonly direction: Direction;
	readonly protocol: string;
	/** Inclusive; null is all. */
	readonly ports: readonly [number, number] | null;
	readonly sourcePorts?: readonly [number, number];
	readonly icmpTypes?: readonly [number, number];
	readonly addresses: readonly string[];
	/** Of the addresses, those that match all of these alone; absent: those that no other box names. */
	readonly suffixes?: readonly string[];
	/** Address blocks that are not told. */
	readonly moreAddresses: number;
	readonly interface: string | null;
	/** Who sends; absent: every one that no other box names. */
	readonly user?: number;
	readonly group?: number;
	readonly service?: string;
	readonly before: Action;
	readonly after: Action;
}

/** A rule, or an entry about devices, that is another than before. */
export interface GenerationRule {
	readonly change: "added" | "removed" | "changed";
	readonly policy: string;
	/** `ingress`, `egress` or `device`. */
	readonly list: string;
	readonly index: number;
	/** As it is now, or was where it is removed. */
	readonly action: Action;
}

export interface GenerationFile {
	readonly change: "added" | "removed" | "changed";
	/** In the policy directory. */
	readonly file: string;
}

/** What is told of a long list, and how many are left out. */
export interface Shortened<T> {
	readonly told: readonly T[];
	readonly more: number;
}

/** What changed between two sets that were in force one after the other. */
export interface SetChange {
	readonly files: Shortened<GenerationFile>;
	/** The settings are others than before. */
	readonly settings: boolean;
	/** Null where the sets are too large to be compared. */
	readonly rules: Shortened<GenerationRule> | null;
	readonly verdicts: Shortened<GenerationBox> | null;
	/** The same about what is forwarded to guests and from them; absent where it is as for the host. */
	readonly forwarded?: Shortened<GenerationBox>;
	/** Why something is null; "" where nothing is. */
	readonly problem: string;
}

/** The change of policies that had to be confirmed, and what became of it. */
export interface GenerationConfirmation {
	readonly id: string;
	/** The directory that it came from. */
	readonly from: string;
	/** Who asked for it; null where the policy directory itself changed. */
	readonly asker: { readonly uid: number; readonly pid: number } | null;
	readonly result: "pending" | "confirmed" | "rolled_back";
	/** RFC 3339; null while it is pending. */
	readonly settled: string | null;
	/** Who confirmed it, or why it was rolled back; "" while it is pending. */
	readonly how: string;
}

export interface Generation extends SetChange {
	/** When it came into force, RFC 3339. */
	readonly time: string;
	/** The daemon's own count, which begins anew when it starts. */
	readonly generation: number;
	readonly confirmation: GenerationConfirmation | null;
	/** The change that it took back; null where it took none back. */
	readonly rollbackOf: string | null;
}

export function shorten<T>(all: readonly T[], most: number): Shortened<T> {
	return { told: all.slice(0, most), more: Math.max(0, all.length - most) };
}
