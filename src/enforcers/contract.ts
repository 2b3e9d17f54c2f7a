/** What a kind of enforcement is to everybody above it: engine, daemon and commands know this and no enforcer by name. */

import type { AsideKind, PartType, PolicyKind } from "../document/kind.ts";

/** @template Part what it reads out of a policy */
export interface Enforcer<Part = unknown> {
	/** As status, metrics and the registry call it. */
	readonly name: string;
	/** What it reads out of policies. */
	readonly part: PartType<Part>;
	/** The kinds of policies that it reads. */
	readonly kinds: readonly PolicyKind[];
	/** The kinds of documents that lie beside its policies. */
	readonly asides: readonly AsideKind[];
}
