/** Runs test cases against policies, as the compiled models decide. Pure but for what compiling asks the host. */

import type { Diagnostic, Place } from "../../base/diagnostic.ts";
import type { Action } from "../../base/model.ts";
import type { Config } from "../../config/model.ts";
import { parseConfig } from "../../config/parse.ts";
import { forwardedModel, forwardedUnasked } from "../../enforcers/network/compile/enforcement.ts";
import { decidePacket, guestModel, type NetworkModel } from "../../enforcers/network/compile/program.ts";
import { noSender, type ResolveAccount, type SenderKey } from "../../enforcers/network/compile/sender.ts";
import type { Account, NetworkPolicy } from "../../enforcers/network/model.ts";
import type { CaseSender, PolicyTestCase } from "../../enforcers/network/parse/test-model.ts";
import { explainDevice } from "../../enforcers/usb/compile/explain.ts";
import type { DeviceRuleset } from "../../enforcers/usb/compile/ruleset.ts";
import type { DeviceTestCase } from "../../enforcers/usb/parse/test-case.ts";
import type { PolicyTest } from "./kind.ts";

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
	/** Why no policy is asked; absent where they are. */
	readonly unasked?: string;
	readonly file: string;
	readonly line: number;
}

/** A table as it turned out. */
export interface TableResult {
	readonly test: string;
	readonly name: string;
	readonly direction: string;
	readonly columns: readonly string[];
	/** Null in cells that expect nothing. */
	readonly rows: readonly { readonly label: string; readonly cells: readonly (CaseResult | null)[] }[];
}

/** A case about a packet, with what it was held against. */
export interface PacketRun {
	readonly test: string;
	readonly case: PolicyTestCase;
	readonly config: Config;
	/** The policies that select the test's host. */
	readonly policies: readonly NetworkPolicy[];
}

export interface TestRun {
	/** Those of tables included. */
	readonly results: readonly CaseResult[];
	readonly tables: readonly TableResult[];
	/** Every case about a packet, in the order of the results. */
	readonly packets: readonly PacketRun[];
	/** What kept tests from being run. */
	readonly diagnostics: readonly Diagnostic[];
	/** Rules that decided some case, as `policy direction[index]`; and all rules that tests could have met. */
	readonly covered: ReadonlySet<string>;
	readonly rules: ReadonlySet<string>;
}

/** What cases are held against; null with the reasons where there is none. */
export type TestedModels =
	| {
			readonly ok: true;
			readonly network: NetworkModel;
			readonly devices: DeviceRuleset;
			/** Who has the names that rules and cases have. */
			readonly accounts: ResolveAccount;
			/** What the network model is made of. */
			readonly policies: readonly NetworkPolicy[];
	  }
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

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

/** Runs every case of the tests, each test with its own labels and settings. `models` is asked once for equal settings. */
export function runTests(
	tests: readonly PolicyTest[],
	models: (config: Config) => TestedModels,
	config: Config,
): TestRun {
	const run = new Run();
	const known = new Map<string, TestedModels>();
	for (const test of tests) {
		const settings = settingsOf(test, config);
		if ("diagnostics" in settings) {
			run.diagnostics.push(...settings.diagnostics);
			continue;
		}
		const key = JSON.stringify(settings.config);
		const found = known.get(key) ?? models(settings.config);
		if (!found.ok && !known.has(key)) run.diagnostics.push(...found.diagnostics);
		known.set(key, found);
		if (found.ok) run.test(test, found, settings.config);
	}
	return run;
}

class Run implements TestRun {
	readonly results: CaseResult[] = [];
	readonly tables: TableResult[] = [];
	readonly packets: PacketRun[] = [];
	readonly diagnostics: Diagnostic[] = [];
	readonly covered = new Set<string>();
	readonly rules = new Set<string>();

	test(test: PolicyTest, models: TestedModels & { readonly ok: true }, config: Config): void {
		const { network, devices, accounts, policies } = models;
		for (const model of [network, guestModel(network) ?? network]) {
			for (const direction of ["ingress", "egress"] as const) {
				for (const { policy, index } of model[direction].rules)
					this.rules.add(`${policy} ${direction}[${index}]`);
			}
		}
		for (const { policy, entry } of devices.entries) this.rules.add(`${policy} device[${entry.index}]`);
		const packet = (one: PolicyTestCase) =>
			this.#packet({ network, accounts }, test, one, { config, policies });
		for (const one of test.cases) packet(one);
		for (const { name, direction, columns, rows } of test.tables) {
			const lines = rows.map(({ label, cells }) => ({
				label,
				cells: cells.map((cell) => cell && packet(cell)),
			}));
			this.tables.push({ test: test.name, name, direction, columns, rows: lines });
		}
		for (const one of test.otherCases) this.#device(devices, test, one);
	}

	#packet(
		{ network, accounts }: Pick<TestedModels & { readonly ok: true }, "network" | "accounts">,
		test: PolicyTest,
		one: PolicyTestCase,
		about: Pick<PacketRun, "config" | "policies">,
	): CaseResult {
		const { forwarded } = about.config.guests;
		const model = one.guest === null ? network : forwardedModel(network, forwarded);
		this.packets.push({ test: test.name, case: one, ...about });
		if (model === null) return this.#add(test, one, "Allow", null, forwardedUnasked);
		const { action, rule } = decidePacket(model, { ...one, sender: senderOf(one.by, accounts) });
		if (rule !== null && rule.index >= 0) this.covered.add(`${rule.policy} ${one.direction}[${rule.index}]`);
		return this.#add(test, one, action, rule?.policy ?? null);
	}

	#device(devices: DeviceRuleset, test: PolicyTest, one: DeviceTestCase): void {
		const { action, policy, entry } = explainDevice(devices, one.query);
		if (entry !== null) this.covered.add(`${entry.policy} device[${entry.entry.index}]`);
		this.#add(test, one, action, policy);
	}

	#add(
		test: PolicyTest,
		one: {
			readonly name: string;
			readonly place: Place;
			readonly expect: Action;
			readonly policy: string | null;
		},
		actual: Action,
		policy: string | null,
		unasked?: string,
	): CaseResult {
		const result: CaseResult = {
			test: test.name,
			name: one.name,
			ok: actual === one.expect && (one.policy === null || one.policy === policy),
			expected: one.expect,
			actual,
			policy,
			expectedPolicy: one.policy,
			file: one.place.file,
			line: one.place.line,
			...(unasked !== undefined && { unasked }),
		};
		this.results.push(result);
		return result;
	}
}

function senderOf(by: CaseSender | null, accounts: ResolveAccount): SenderKey {
	if (by === null) return noSender;
	const number = (kind: "user" | "group", who: Account | null) =>
		typeof who === "string" ? accounts(kind, who) : who;
	return { user: number("user", by.user), group: number("group", by.group), service: by.service };
}

/** Why a case failed, in words. */
export function describeFailure({ actual, policy, expected, expectedPolicy, unasked }: CaseResult): string {
	const by =
		unasked !== undefined ? `as ${unasked}` : policy === null ? "as no rule matches" : `by ${policy}`;
	const wanted = expectedPolicy === null ? expected : `${expected} by ${expectedPolicy}`;
	return `${actual} ${by}, expected ${wanted}`;
}
