/** The files that `recommend` writes, beside those that are there and that somebody may have changed. */

import { hostname } from "node:os";
import { basename, join } from "node:path";
import { type Diagnostic, hasError } from "../../base/diagnostic.ts";
import type { Config } from "../../config/model.ts";
import type { Policy } from "../../document/kind.ts";
import { asideOf } from "../../document/parse.ts";
import type { Service } from "../../enforcers/network/history/recommend/candidate.ts";
import { isUnchanged, signedText } from "../../enforcers/network/history/recommend/generated.ts";
import type { Recommendation, Remembered } from "../../enforcers/network/history/recommend/model.ts";
import {
	policiesOf,
	policyBody,
	policyName,
	type RecommendedPolicy,
} from "../../enforcers/network/history/recommend/policy-text.ts";
import { reportFile, reportText } from "../../enforcers/network/history/recommend/report-text.ts";
import { statesFile, statesText } from "../../enforcers/network/history/recommend/states.ts";
import {
	casesOf,
	type FlowCase,
	testBody,
	testName,
} from "../../enforcers/network/history/recommend/test-text.ts";
import { formatPolicy } from "../../engine/format-policy.ts";
import { parsePolicyFile } from "../../engine/parse.ts";
import { readPolicySet } from "../../engine/policy-set.ts";
import { policyTestKind } from "../../engine/testing/kind.ts";
import { modelsOf } from "../../engine/testing/models.ts";
import { runTests } from "../../engine/testing/run.ts";
import type { OutDirectory, TextFile } from "./out-directory.ts";

export type FileChange = "written" | "unchanged" | "kept" | "removed";

export interface FileOutcome {
	readonly file: string;
	/** `kept`: somebody changed it by hand, so it is as it was. */
	readonly change: FileChange;
}

export interface Made {
	readonly policies: readonly RecommendedPolicy[];
	readonly write: readonly TextFile[];
	readonly remove: readonly string[];
	readonly outcomes: readonly FileOutcome[];
	/** Flows that are in and that something else in the directory blocks: their cases are left out. */
	readonly droppedCases: number;
}

const generated = /^seen-(?:ingress|egress|guests|test)[a-z0-9-]*\.yaml$/u;

/** Whether `recommend` writes, or wrote, files of this name. */
export function isOurs(name: string): boolean {
	return generated.test(name) || name === statesFile || name === reportFile;
}

export function policyFile(service: Service): string {
	return `${policyName(service)}.yaml`;
}

type MakeResult =
	| { readonly ok: true; readonly made: Made }
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** @param path the directory's name, for people */
export function makeFiles(
	recommendation: Recommendation,
	before: readonly Remembered[],
	directory: OutDirectory,
	path: string,
	config: Config,
): MakeResult {
	const policies = policiesOf(recommendation.services);
	const wanted = new Map(policies.map((policy) => [policyFile(policy.service), signed(policyBody(policy))]));
	const present = presentFiles(directory);
	const kept = new Set(
		[...present].filter(([, text]) => text === null || !isUnchanged(text)).map(([name]) => name),
	);
	const fresh = [...wanted].filter(([name]) => !kept.has(name)).map(([name, text]) => ({ name, text }));
	const checked = checkSet(path, fresh, present, kept, config);
	if (!checked.ok) return checked;
	const cases = casesOf([...recommendation.included.keys()], recommendation.leftOut);
	const holding = casesThatHold(cases, checked.policies, config);
	const body = testBody(holding);
	const testFile = `${testName}.yaml`;
	if (body !== null) wanted.set(testFile, signed(body));
	const outcomes = outcomesOf(wanted, present, kept);
	const changed = new Set(outcomes.filter(({ change }) => change === "written").map(({ file }) => file));
	const write = [...wanted].filter(([name]) => changed.has(name)).map(([name, text]) => ({ name, text }));
	const beside = [
		{ name: reportFile, text: reportText(recommendation) },
		{ name: statesFile, text: statesText(recommendation, before) },
	];
	const remove = outcomes.filter(({ change }) => change === "removed").map(({ file }) => file);
	const droppedCases = cases.filter((one) => one.expect === "Allow" && !holding.includes(one)).length;
	const told = beside.map(({ name }): FileOutcome => ({ file: name, change: "written" }));
	const made = {
		policies,
		write: [...write, ...beside],
		remove,
		outcomes: [...outcomes, ...told],
		droppedCases,
	};
	return { ok: true, made };
}

/** In the one canonical form, so that `portward fmt` is no change by hand. */
function signed(body: string): string {
	const formatted = formatPolicy("seen.yaml", body);
	if (!formatted.ok)
		throw new Error(`a policy of ours is broken: ${formatted.diagnostics[0]?.message}\n${body}`);
	return signedText(formatted.text);
}

/** Null: it is none that can be read, so it is nobody's to replace. */
function presentFiles(directory: OutDirectory): ReadonlyMap<string, string | null> {
	const names = directory.names().filter((name) => generated.test(name));
	return new Map(
		names.map((name) => {
			const text = directory.read(name);
			return [name, typeof text === "string" ? text : null];
		}),
	);
}

function outcomesOf(
	wanted: ReadonlyMap<string, string>,
	present: ReadonlyMap<string, string | null>,
	kept: ReadonlySet<string>,
): readonly FileOutcome[] {
	const names = [...new Set([...wanted.keys(), ...present.keys()])].sort();
	return names.map((file): FileOutcome => {
		if (kept.has(file)) return { file, change: "kept" };
		const text = wanted.get(file);
		if (text === undefined) return { file, change: "removed" };
		return { file, change: present.get(file) === text ? "unchanged" : "written" };
	});
}

type Checked =
	| { readonly ok: true; readonly policies: readonly Policy[] }
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** What the directory will mean: our new files, and of the others what is there. */
function checkSet(
	path: string,
	fresh: readonly TextFile[],
	present: ReadonlyMap<string, string | null>,
	kept: ReadonlySet<string>,
	config: Config,
): Checked {
	const replaced = new Set([...present.keys()].filter((name) => !kept.has(name)));
	const isReplaced = (file: string) => file === join(path, basename(file)) && replaced.has(basename(file));
	const set = readPolicySet([path], config);
	const found = set.diagnostics.filter(({ file, severity }) => severity === "error" && !isReplaced(file));
	if (found.length > 0) return { ok: false, diagnostics: found };
	const parsed = fresh.flatMap(({ name, text }) => parsePolicyFile(join(path, name), text).documents);
	const policies = [
		...set.policies.filter(({ place }) => !isReplaced(place.file)),
		...parsed.flatMap(({ policy }) => policy ?? []),
	];
	const models = modelsOf(policies, hostname())(config);
	return models.ok ? { ok: true, policies } : { ok: false, diagnostics: models.diagnostics };
}

/**
 * Others' policies in the directory may let in what stays out here, or keep out what is in; and what stays out is closed
 * only where something of its direction is in.
 */
function casesThatHold(
	cases: readonly FlowCase[],
	policies: readonly Policy[],
	config: Config,
): readonly FlowCase[] {
	const body = testBody(cases);
	if (body === null) return [];
	const { documents } = parsePolicyFile("seen-test.yaml", body);
	const tests = documents.flatMap((document) => asideOf(policyTestKind, document));
	const run = runTests(tests, modelsOf(policies, hostname()), config);
	if (hasError(documents.flatMap(({ diagnostics }) => diagnostics)) || run.results.length !== cases.length)
		throw new Error("test cases of ours cannot be read");
	return cases.filter((_, index) => run.results[index]?.ok === true);
}
