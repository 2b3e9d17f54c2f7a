/** A set of policies, compiled by every enforcer. Pure but for what enforcers ask the host. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import type { Policy } from "../document/kind.ts";
import type { Compiled, CompileRequest, Enforcer } from "../enforcers/contract/enforcer.ts";
import type { EnforcedDocument } from "./collection.ts";

/** One policy with what selecting it for this host said. */
export interface Candidate {
	readonly entry: EnforcedDocument;
	readonly selected: boolean;
	readonly diagnostics: readonly Diagnostic[];
}

/** What one enforcer has of a set, and what it made of it. */
export interface CompiledPart {
	readonly enforcer: Enforcer;
	readonly parts: readonly unknown[];
	/** Those of staged policies, which are in force nowhere. */
	readonly staged: readonly unknown[];
	readonly result: Compiled<unknown, unknown>;
	/** What it refused before, where something else stands in; null where nothing does. */
	readonly refusal: readonly Diagnostic[] | null;
}

/** What the settings and the running halves want of each compiler. */
export type Requests = (enforcer: Enforcer) => CompileRequest;

export function compileParts(
	policies: readonly Policy[],
	registered: readonly Enforcer[],
	request: Requests,
): CompiledPart[] {
	return registered.map((enforcer) => compilePart(enforcer, policies, request));
}

function compilePart(enforcer: Enforcer, policies: readonly Policy[], request: Requests): CompiledPart {
	const parts = enforcer.part.of(policies);
	const staged = enforcer.part.staged(policies);
	const result = enforcer.compile(parts, { ...request(enforcer), staged });
	return { enforcer, parts, staged, result, refusal: null };
}

export interface Kept {
	/** Some enforcer refused the set as a whole. */
	readonly refused: boolean;
	/** The policies that are in force of it, or of what stands in for it. */
	readonly enforced: readonly Candidate[];
	readonly parts: readonly CompiledPart[];
}

/**
 * Compiles what is selected; what was good `before` stands in where an enforcer refuses it, null where nothing was.
 * A refusal takes nothing down of an enforcer that did not refuse.
 */
export function compileOrKeep(
	selected: readonly Candidate[],
	before: readonly Candidate[] | null,
	registered: readonly Enforcer[],
	request: Requests,
): Kept {
	const compiled = compileParts(policiesOf(selected), registered, request);
	if (compiled.every(({ result }) => result.ok))
		return { refused: false, enforced: selected, parts: compiled };
	const enforced = before ?? [];
	const parts = compiled.map((part): CompiledPart => {
		const { enforcer, result } = part;
		if (result.ok) return enforced.length === 0 ? part : compilePart(enforcer, policiesOf(enforced), request);
		// Without any, an empty plan would open what an earlier daemon may have left in force.
		if (before === null) return { ...part, parts: [], staged: [] };
		return { ...compilePart(enforcer, policiesOf(enforced), request), refusal: result.diagnostics };
	});
	return { refused: true, enforced, parts };
}

/** Everything found about a part, this host included. */
export function findingsOf(
	{ enforcer, parts, result, refusal }: CompiledPart,
	config: Config,
	directory: string,
): readonly Diagnostic[] {
	const onHost =
		result.ok && enforcer.enabled(config)
			? enforcer.lintHost(result.kept, parts, { config, file: directory, scope: "notable" })
			: [];
	return refusal === null
		? [...result.diagnostics, ...onHost]
		: [...refusal, ...onHost, ...result.diagnostics];
}

/** The same where the set is refused for another reason, such as its tests. Without any before, nothing is in force of it. */
export function keepBefore(
	before: readonly Candidate[] | null,
	registered: readonly Enforcer[],
	request: Requests,
): Kept {
	const enforced = before ?? [];
	return { refused: true, enforced, parts: compileParts(policiesOf(enforced), registered, request) };
}

function policiesOf(candidates: readonly Candidate[]): Policy[] {
	return candidates.map(({ entry }) => entry.document.policy);
}
