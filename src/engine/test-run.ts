/** Runs test cases against policies, as the compiled model decides. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Action } from "../base/model.ts";
import type { Config } from "../config/model.ts";
import { parseConfig } from "../config/parse.ts";
import { decidePacket, type NetworkModel } from "../enforcers/network/compile/program.ts";
import type { PolicyTest, PolicyTestCase } from "../enforcers/network/parse/test-model.ts";
import { compileSet, wholeModel } from "./policy-model.ts";

export interface CaseResult {
	readonly test: string;
	readonly name: string;
	readonly ok: boolean;
	readonly expected: Action;
	readonly actual: Action;
	/** Who decided: a policy, DefaultPosture, Failsafe, or null where no rule matched. */
	readonly policy: string | null;
	/** Who was expected to, or null. */
	readonly expectedPolicy: string | null;
	readonly file: string;
	readonly line: number;
}

export interface TestRun {
	readonly results: readonly CaseResult[];
	/** What kept tests from being run. */
	readonly diagnostics: readonly Diagnostic[];
	/** Rules that decided some case, as `policy direction[index]`; and all rules that tests could have met. */
	readonly covered: ReadonlySet<string>;
	readonly rules: ReadonlySet<string>;
}

/** The settings of a test over those of the configuration, or what is wrong with them. */
function settingsOf(
	test: PolicyTest,
	config: Config,
): { config: Config } | { diagnostics: readonly Diagnostic[] } {
	const { file } = test.place;
	const parsed = parseConfig(file, test.settings);
	if (!parsed.ok) {
		const diagnostics = parsed.diagnostics.map((one) => ({
			...one,
			...test.place,
			path: one.path === "" ? "spec.settings" : `spec.settings.${one.path}`,
		}));
		return { diagnostics };
	}
	const named = Object.keys(JSON.parse(test.settings));
	const chosen = Object.fromEntries(Object.entries(parsed.config).filter(([key]) => named.includes(key)));
	const nodeLabels = { ...config.nodeLabels, ...parsed.config.nodeLabels, ...test.nodeLabels };
	return { config: { ...config, ...chosen, nodeLabels } };
}

/** Runs every case of the tests against the policies of a directory, each test with its own labels and settings. */
export function runTests(tests: readonly PolicyTest[], policyDir: string, config: Config): TestRun {
	const results: CaseResult[] = [];
	const diagnostics: Diagnostic[] = [];
	const covered = new Set<string>();
	const rules = new Set<string>();
	const models = new Map<string, { model: NetworkModel | null; diagnostics: readonly Diagnostic[] }>();
	for (const test of tests) {
		const settings = settingsOf(test, config);
		if ("diagnostics" in settings) {
			diagnostics.push(...settings.diagnostics);
			continue;
		}
		const key = JSON.stringify(settings.config);
		const known = models.get(key) ?? modelOf(policyDir, settings.config);
		models.set(key, known);
		if (known.model === null) {
			diagnostics.push(...known.diagnostics);
			continue;
		}
		for (const direction of ["ingress", "egress"] as const) {
			for (const { policy, index } of known.model[direction].rules)
				rules.add(`${policy} ${direction}[${index}]`);
		}
		for (const one of test.cases) {
			const { result, rule } = runCase(known.model, test, one);
			results.push(result);
			if (rule !== null) covered.add(rule);
		}
	}
	return { results, diagnostics, covered, rules };
}

function modelOf(policyDir: string, config: Config) {
	const read = compileSet(policyDir, config);
	return { model: wholeModel(read), diagnostics: read.errors };
}

function runCase(
	model: NetworkModel,
	test: PolicyTest,
	one: PolicyTestCase,
): { readonly result: CaseResult; readonly rule: string | null } {
	const { action, rule } = decidePacket(model, one);
	const policy = rule?.policy ?? null;
	const result = {
		test: test.name,
		name: one.name,
		ok: action === one.expect && (one.policy === null || one.policy === policy),
		expected: one.expect,
		actual: action,
		policy,
		expectedPolicy: one.policy,
		file: one.place.file,
		line: one.place.line,
	};
	const named = rule === null || rule.index < 0 ? null : `${rule.policy} ${one.direction}[${rule.index}]`;
	return { result, rule: named };
}
