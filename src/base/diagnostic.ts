/**
 * Diagnostics are values with a place, collected and returned, never thrown:
 * one bad document must not hide what is wrong with the next.
 */

/** A position in a policy or configuration file; line and column count from 1. */
export interface Place {
	readonly file: string;
	readonly line: number;
	readonly column: number;
}

export type Severity = "error" | "warning";

/** One finding, in the form `portward validate --json` prints it. */
export interface Diagnostic extends Place {
	/** The field's path from the document's root, such as `spec.ingress[0].ports[1].port`; "" for the document. */
	readonly path: string;
	readonly severity: Severity;
	/** A stable, kebab-case identifier such as `bad-cidr`. */
	readonly code: string;
	/** What is wrong, in one sentence without a final period. */
	readonly message: string;
	/** What to write instead; "" when the message says it all. */
	readonly hint: string;
}

export function hasError(diagnostics: readonly Diagnostic[]): boolean {
	return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}
