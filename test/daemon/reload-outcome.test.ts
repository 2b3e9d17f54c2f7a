import { describe, expect, test } from "bun:test";
import type { Diagnostic } from "../../src/base/diagnostic.ts";
import { type ReloadFacts, reloadOutcome } from "../../src/daemon/reload-outcome.ts";

const good: ReloadFacts = {
	settings: "",
	refusal: "",
	needRestart: [],
	state: {
		panic: null,
		pending: null,
		policies: [],
		readiness: { ready: true, body: "ready" },
		signature: null,
		tests: null,
	},
};

const finding: Diagnostic = {
	file: "/etc/portward/policies/a.yaml",
	line: 3,
	column: 7,
	path: "spec.action",
	severity: "error",
	code: "bad-action",
	message: '"Refuse" is no action',
	hint: "write Allow, Audit or Block",
};

const policies = (...diagnostics: readonly Diagnostic[]) => [
	{
		name: "a",
		kind: "KubeArmorHostPolicy",
		file: finding.file,
		line: 1,
		selected: true,
		enforced: true,
		action: null,
		diagnostics,
	},
];

const withState = (state: Partial<ReloadFacts["state"]>): ReloadFacts => ({
	...good,
	state: { ...good.state, ...state },
});

describe("a reload that fails", () => {
	test("tells each error of a policy with its place and what to write instead", () => {
		const { ok, message } = reloadOutcome(withState({ policies: policies(finding) }));
		expect(ok).toBe(false);
		expect(message).toBe(
			'broken policies, of which nothing new is in force:\n/etc/portward/policies/a.yaml:3:7: "Refuse" is no action; write Allow, Audit or Block',
		);
	});

	test("tells a few of very many errors", () => {
		const many = Array.from({ length: 8 }, (_, index) => ({ ...finding, line: index + 1 }));
		const lines = reloadOutcome(withState({ policies: policies(...many) })).message.split("\n");
		expect(lines.slice(1, 6).map((line) => /:(\d+):/.exec(line)?.[1])).toEqual(["1", "2", "3", "4", "5"]);
		expect(lines.slice(6)).toEqual(["and 3 more, which portward status shows"]);
	});

	test("writes no control characters of a policy to the operator's terminal", () => {
		const hostile = { ...finding, file: "/a\x1b[2J.yaml", message: "\x1b]0;x\x07", hint: "" };
		expect(reloadOutcome(withState({ policies: policies(hostile) })).message).not.toMatch(
			/[\x00-\x09\x0b-\x1f]/,
		);
	});

	test("says what is wrong with settings, what was refused and a bad signature, and what else stands", () => {
		const { ok, message } = reloadOutcome({
			...good,
			settings: "config.yaml:1:1: bad",
			refusal: "too many rules",
			needRestart: ["table"],
			state: { ...good.state, panic: { since: "2026-01-01T00:00:00Z", reason: "test" } },
		});
		expect(ok).toBe(false);
		expect(message.split("\n")).toEqual([
			"config.yaml:1:1: bad",
			"not enforced, and what was in force stays: too many rules",
			"panic-open stands: no network policy is enforced",
			"these settings take effect at the next start: table",
		]);
	});

	test("gives the reason of a host that is not ready", () => {
		const readiness = { ready: false, body: "USB is not locked" };
		expect(reloadOutcome(withState({ readiness }))).toEqual({ ok: false, message: "USB is not locked" });
	});
});

test("a warning is no failure, and neither is a host in panic-open that is not ready", () => {
	const warned = policies({ ...finding, severity: "warning" });
	expect(reloadOutcome(withState({ policies: warned }))).toEqual({
		ok: true,
		message: "reloaded: what is on disk is in force",
	});
	const readiness = { ready: false, body: "open" };
	expect(
		reloadOutcome(withState({ readiness, panic: { since: "2026-01-01T00:00:00Z", reason: "test" } })).ok,
	).toBe(true);
});

describe("tests of the policies", () => {
	const failing = { passed: 0, failed: 1, problems: ["t.yaml:6: test t: closed"] };

	test("that refuse the set fail the reload", () => {
		const tests = { ...failing, mode: "enforce", refused: true } as const;
		const { ok, message } = reloadOutcome({ ...good, state: { ...good.state, tests } });
		expect([ok, message]).toEqual([false, expect.stringContaining("t.yaml:6: test t: closed")]);
	});

	test("that only warn are told, and the reload is well", () => {
		const tests = { ...failing, mode: "warn", refused: false } as const;
		const { ok, message } = reloadOutcome({ ...good, state: { ...good.state, tests } });
		expect([ok, message]).toEqual([true, expect.stringContaining("t.yaml:6: test t: closed")]);
	});
});
