/** Results as JUnit XML, the form that CI systems read. */

import type { CaseResult } from "../../engine/testing/run.ts";

const entities: Readonly<Record<string, string>> = {
	"&": "&amp;",
	"<": "&lt;",
	">": "&gt;",
	'"': "&quot;",
};

/** Text for an attribute: XML 1.0 has no place for control characters, whatever a test is called. */
function attribute(text: string): string {
	return text
		.replace(/[&<>"]/gu, (sign) => entities[sign] ?? "")
		.replace(/[^\x20-\x7e\u{a0}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "?");
}

/** One suite for each test document. */
export function junit(results: readonly CaseResult[]): string {
	const failures = results.filter(({ ok }) => !ok).length;
	const suites = [...Map.groupBy(results, ({ test }) => test)].map(([name, cases]) => {
		const failed = cases.filter(({ ok }) => !ok).length;
		const head = `  <testsuite name="${attribute(name)}" tests="${cases.length}" failures="${failed}">`;
		return [head, ...cases.map(testcase), "  </testsuite>"].join("\n");
	});
	const head = `<testsuites name="portward test" tests="${results.length}" failures="${failures}">`;
	return ['<?xml version="1.0" encoding="UTF-8"?>', head, ...suites, "</testsuites>", ""].join("\n");
}

function testcase({ test, name, ok, expected, actual, policy, file, line }: CaseResult): string {
	const head = `    <testcase classname="${attribute(test)}" name="${attribute(name)}" file="${attribute(file)}" line="${line}"`;
	if (ok) return `${head}/>`;
	const message = `expected ${expected}, found ${actual}${policy === null ? "" : ` by ${policy}`}`;
	return `${head}><failure message="${attribute(message)}"/></testcase>`;
}
