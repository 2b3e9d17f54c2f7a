/**
 * What a kind of enforcement is to everybody above it: the engine and the commands know this and no enforcer by name.
 * Nothing here runs; that half of the contract is in running.ts.
 */

import type { Diagnostic } from "../../base/diagnostic.ts";
import type { Config } from "../../config/model.ts";
import type { HostBlock } from "../../document/host-policy.ts";
import type { PartType, PolicyKind } from "../../document/kind.ts";
import type { Description, Telling } from "./describe.ts";

/** What a set is compiled for. */
export interface CompileRequest<Wish = unknown, Part = unknown> {
	readonly config: Config;
	/** Parts of staged policies, to be judged beside what is enforced; none where it is left out. */
	readonly staged?: readonly Part[];
	/** `question`: about what is written, and nothing of it gets into a kernel. */
	readonly purpose: "enforce" | "question";
	/** What the running half needs to be compiled for it, such as names; null where nothing runs. */
	readonly wish: Wish | null;
}

/** What the parts of a set mean together. */
export type Compiled<Kept, Plan> =
	| {
			readonly ok: true;
			/** Stays with who compiled it, to be asked. */
			readonly kept: Kept;
			readonly plan: Plan;
			readonly diagnostics: readonly Diagnostic[];
	  }
	/** Refused as a whole. */
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** What is known of the set beside an enforcer's part of it. */
export interface Outcome<Part = unknown> {
	readonly config: Config;
	/** Parts of staged policies; none where it is left out. */
	readonly staged?: readonly Part[];
	/** False when something on disk is neither enforced nor stood in for by its last good version. */
	readonly complete: boolean;
}

/** What an enforcer keeps for the next boot, in its own names; null where that is not known now, and what was kept stays. */
export type BootFacts = Readonly<Record<string, boolean | null>>;

export interface HostRequest {
	readonly config: Config;
	/** Named where no rule is to blame alone. */
	readonly file: string;
	/** What speaks by itself, or all that might matter. */
	readonly scope: "notable" | "all";
}

/**
 * @template Part what it reads out of a policy
 * @template Kept what a compiled set leaves to be asked
 * @template Plan what a compiled set puts in force
 * @template Sent what its running half is given. Plain data.
 * @template Wish see CompileRequest
 */
export interface Enforcer<Part = unknown, Kept = unknown, Plan = unknown, Sent = unknown, Wish = unknown> {
	/** As status, metrics and the registry call it. */
	readonly name: string;
	/** What it reads out of policies. */
	readonly part: PartType<Part>;
	/** The kinds of policies that it reads. */
	readonly kinds: readonly PolicyKind[];
	/** The blocks of a KubeArmorHostPolicy that are for it. */
	readonly hostBlocks: readonly HostBlock[];
	/** Whether the settings want it. */
	enabled(config: Config): boolean;
	compile(parts: readonly Part[], request: CompileRequest<Wish, Part>): Compiled<Kept, Plan>;
	/** What its running half is given; `plan` is null where nothing could be compiled and what was in force stays. */
	send(plan: Plan | null, parts: readonly Part[], outcome: Outcome<Part>): Sent;
	/** Warnings about a compiled set that are due to this host. */
	lintHost(kept: Kept, parts: readonly Part[], about: HostRequest): readonly Diagnostic[];
	readonly telling: Telling;
	describe(parts: readonly Part[], kept: Kept, config: Config): Description;
	/** What it keeps for the next boot of what it was sent. */
	boot(sent: Sent): BootFacts;
	/** The same where nothing is known and everything is to be refused. */
	closed(config: Config): Readonly<Record<string, boolean>>;
	/** Puts back at boot, before a daemon runs, what was kept. */
	restore(kept: Readonly<Record<string, boolean>>, about: RestoreRequest): Restored;
	/** Asked in the thread that compiles, about what is compiled there; null while nothing is. */
	calls(kept: () => Kept | null): EnforcerCalls;
}

export interface RestoreRequest {
	readonly config: Config;
	/** Where sysfs is mounted. */
	readonly sysRoot: string;
}

/** What was done, in a sentence, "" where nothing was to be done; and what went wrong. */
export interface Restored {
	readonly said: string;
	readonly errors: readonly string[];
}

/** What tells the types of an enforcer's parts and of what is kept of them. */
export interface Known<Part, Kept> {
	readonly name: string;
	readonly part: PartType<Part>;
	lintHost(kept: Kept, parts: readonly Part[], about: HostRequest): readonly Diagnostic[];
}

export type EnforcerCalls = Readonly<Record<string, (argument: never) => unknown>>;

/** The names and contents of what was sent to each enforcer. */
export type SentParts = Readonly<Record<string, unknown>>;

/** What was sent to one of them. */
export function sentTo<Sent>(
	{ name }: { readonly name: string; boot(sent: Sent): BootFacts },
	parts: SentParts,
): Sent | undefined {
	// Nobody else sends in its name.
	return parts[name] as Sent | undefined;
}
