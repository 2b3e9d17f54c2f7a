/**
 * The contract: an enforcer of the test's own is registered in one line, and everything that iterates over enforcers
 * has it.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runValidate } from "../../src/cli/ask/validate.ts";
import { runPlan } from "../../src/cli/plan/plan.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { daemonState } from "../../src/daemon/daemon-state.ts";
import { RunningEnforcers } from "../../src/daemon/running-enforcers.ts";
import { statusLine } from "../../src/daemon/vitals.ts";
import { sentTo } from "../../src/enforcers/contract/enforcer.ts";
import type { RunningEnforcer } from "../../src/enforcers/contract/running.ts";
import { BootStore, readBootState } from "../../src/enforcers/network/run/boot-state.ts";
import { bootFacts, enforcers } from "../../src/engine/enforcers.ts";
import { PolicyEngine } from "../../src/engine/policy-engine.ts";
import type { Reloaded } from "../../src/engine/reading.ts";
import { renderMetrics } from "../../src/report/metrics/metrics.ts";
import { html } from "../../src/report/page/html.ts";
import { renderPage } from "../../src/report/page/page.ts";
import { statusDocument } from "../../src/report/status.ts";
import { CapturedIo, Files } from "../cli/support/portward.ts";
import { third, type Words, wordPolicy } from "../engine/support/third.ts";
import { metricsInput } from "../report/metrics/input.ts";

/** The line. */
const registered = [...enforcers, third];

const held = { active: true, detail: "" };

/** Its running half: says what it is given. */
class Speaker implements RunningEnforcer<Words> {
	readonly name = third.name;
	readonly warnings = ["words are only words"];
	readonly workers = {};
	readonly log: string[] = [];
	#said: readonly string[] = [];

	async start(): Promise<void> {
		this.log.push("start");
	}

	async apply({ words }: Words): Promise<void> {
		this.#said = words;
		this.log.push(`say ${words.join(", ")}`);
	}

	begin(): void {
		this.log.push("begin");
	}

	async refresh(): Promise<void> {
		this.log.push("refresh");
	}

	report() {
		const said = this.#said.length;
		return {
			name: this.name,
			label: "words",
			state: { state: "active", reason: "" } as const,
			sums: { said },
			findings: {},
			obstacle: "",
			remark: "words are said",
			recordsLost: 0,
			policy: ({ kind }: { readonly kind: string }) =>
				kind === "WordPolicy" ? { active: true, traffic: null, rules: [] } : null,
			families: () => [
				{
					name: "portward_words_said",
					help: "Words that were said.",
					type: "gauge" as const,
					samples: [{ labels: {}, value: said }],
				},
			],
			cards: () => [html`<section><h2>Words</h2>${said}</section>`],
			sections: () => [],
			routes: [],
		};
	}

	isUrgent({ loud }: Words): boolean {
		return loud;
	}

	async stop(): Promise<void> {
		this.log.push("stop");
	}
}

let files: Files;
beforeAll(() => {
	files = new Files();
	for (const name of ["policies", "now"]) mkdirSync(join(files.path, name));
	files.put("policies/hello.yaml", wordPolicy("greeting", "HEY"));
	files.put("policies/bye.yaml", wordPolicy("farewell", "goodbye"));
});
afterAll(() => files[Symbol.dispose]());

const config = () => ({ ...defaultConfig(), stateDir: `${files.path}/state` });

function read(): Reloaded {
	const directory = `${files.path}/policies`;
	const settings = { directory, stateDirectory: config().stateDir, checkPermissions: false, hostname: "h" };
	return new PolicyEngine({ ...settings, config: config() }, registered).reload(config());
}

test("validate reads its policies and asks it for warnings; without it the kind is unknown", async () => {
	const io = new CapturedIo();
	expect(await runValidate([`${files.path}/policies`], io, registered)).toBe(0);
	expect(io.error_).toContain("goodbye is long [long-word]");
	expect(io.out_).toContain("2 valid");
	expect(await runValidate([`${files.path}/policies`], new CapturedIo())).toBe(1);
});

test("plan tells its rules and its default", async () => {
	files.put("now/none.yaml", wordPolicy("farewell", "goodbye"));
	const settings = files.config({
		policyDir: `${files.path}/now`,
		stateDir: `${files.path}/plan-state`,
		enableNetworkPolicyEnforcer: false,
		enableUSBDeviceHandler: false,
	});
	const io = new CapturedIo();
	const args = ["--policy-dir", `${files.path}/policies`, "--config", settings];
	expect(await runPlan(args, io, "/sys", registered)).toBe(2);
	expect(io.out_).toContain("Words\n  + Audit greeting word[");
	expect(io.out_).toContain("word: accepted -> accepted (an Allow makes it an allow-list)");
	const json = new CapturedIo();
	await runPlan([...args, "--json"], json, "/sys", registered);
	expect(JSON.parse(json.out_)).toMatchObject({
		words: [{ change: "added", after: { policy: "greeting", conditions: { word: ["HEY"] } } }],
		defaults: { word: { after: { allowlistMode: true } } },
	});
});

test("a reading sends it its part, and the next boot knows what it keeps", () => {
	const { sent, complete, documents } = read();
	expect(sentTo(third, sent)).toEqual({ words: ["goodbye", "HEY"], loud: true });
	expect([complete, documents.map(({ enforced }) => enforced)]).toEqual([true, [true, true]]);
	const facts = { table: "t", form: "concatenated", nflogGroup: 1 } as const;
	expect(new BootStore(config().stateDir).save(null, facts, bootFacts(sent, registered))).toBeNull();
	expect(readBootState(config().stateDir, "newest")).toMatchObject({
		ok: true,
		state: { kept: { loud: true, usbLock: false } },
	});
});

test("what runs is started, fed, reported and stopped with the others", async () => {
	const speaker = new Speaker();
	const running = new RunningEnforcers([speaker]);
	await running.start();
	expect(running.urgent).toBe(false);
	const reloaded = read();
	running.apply(reloaded.sent);
	await running.applied();
	running.begin();
	await running.refresh();
	expect(running.urgent).toBe(true);
	const state = daemonState({
		version: "0",
		config: config(),
		confinement: { systemCalls: held, files: held, writable: [] },
		attempts: { failure: "" },
		reloaded,
		running,
		host: { hostname: "h", warnings: [] },
		panic: { state: null },
		pending: { changes: { state: null, complaint: "" } as never },
		settings: { state: { problem: "", restart: "last-good" }, warnings: [] },
		signature: { state: null, warnings: [] },
		tests: { state: null, warnings: [] },
		feeds: { state: [], warnings: [] },
		status: { certificates: [], warnings: [] },
		generations: { all: [] },
		sinks: [],
		kubearmorApi: { state: null, certificates: [] },
	});
	expect(statusDocument(state)).toMatchObject({
		said: 2,
		enforcers: { words: { state: "active" } },
		policies: [{ kind: "WordPolicy", enforced: true }, { enforced: true }],
		warnings: ["words are only words"],
		ready: { ready: true, body: "ready: words are said" },
	});
	expect(renderMetrics({ ...metricsInput(), state })).toContain("portward_words_said 2");
	expect(renderPage(state, [])).toContain("<h2>Words</h2>2");
	expect(statusLine(state)).toBe("words active, 2 policies enforced; ready: words are said");
	await running.stop();
	expect(speaker.log).toEqual(["start", "say goodbye, HEY", "begin", "refresh", "stop"]);
});
