/** Runs the test cases that lie beside policies before these are taken: see the setting policyTests. */

import { type Diagnostic, hasError } from "../../base/diagnostic.ts";
import type { Config } from "../../config/model.ts";
import type { Policy } from "../../document/kind.ts";
import { asideOf, type ParsedDocument } from "../../document/parse.ts";
import { policyTestKind } from "./kind.ts";
import { modelsOf } from "./models.ts";
import { type CaseResult, describeFailure, runTests } from "./run.ts";

/** What the tests beside a set of policies said. Plain data. */
export interface TestReport {
	readonly mode: Config["policyTests"];
	readonly passed: number;
	readonly failed: number;
	/** The set is not taken, as a test failed or could not be run. */
	readonly refuses: boolean;
	/** At the cases that failed, and what kept tests from being run: errors where the set is refused, else warnings. */
	readonly findings: readonly Diagnostic[];
}

/** Findings that are told; there is little use in more. */
const mostFindings = 20;

/**
 * Null where there are no tests.
 * @param asides all that lies beside the policies, broken documents included
 * @param policies those that would be in force on some host
 */
export function checkTests(
	asides: readonly ParsedDocument[],
	policies: readonly Policy[],
	config: Config,
	hostname: string,
): TestReport | null {
	const documents = asides.filter(({ kind }) => kind === policyTestKind.name);
	if (documents.length === 0) return null;
	const tests = documents.flatMap((document) => asideOf(policyTestKind, document));
	const run = runTests(tests, modelsOf(policies, hostname), config);
	const failures = run.results.filter(({ ok }) => !ok);
	const broken = documents.flatMap(({ diagnostics }) => (hasError(diagnostics) ? diagnostics : []));
	const mode = config.policyTests;
	const severity = mode === "enforce" ? "error" : "warning";
	const unrun = [...broken, ...run.diagnostics].filter((one) => one.severity === "error");
	const found = [...unrun, ...failures.map(failureAt)].map((one): Diagnostic => ({ ...one, severity }));
	return {
		mode,
		passed: run.results.length - failures.length,
		failed: failures.length,
		refuses: mode === "enforce" && found.length > 0,
		findings: bounded(found),
	};
}

function failureAt(result: CaseResult): Diagnostic {
	const { test, name, file, line } = result;
	return {
		...{ file, line, column: 1, path: "", severity: "error", code: "test-failed" },
		message: `test ${test}: ${name}: ${describeFailure(result)}`,
		hint: "change the policy, or what the case expects; portward explain names the rules",
	};
}

function bounded(findings: readonly Diagnostic[]): readonly Diagnostic[] {
	const [told, rest] = [findings.slice(0, mostFindings), findings.slice(mostFindings)];
	const [first] = rest;
	if (first === undefined) return told;
	const message = `and ${rest.length} more findings of tests, from here on`;
	return [...told, { ...first, message, hint: "portward test names them all" }];
}
