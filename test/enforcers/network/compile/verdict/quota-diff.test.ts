import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { diffQuotas } from "../../../../../src/enforcers/network/compile/verdict/quota-diff.ts";
import { parsePolicies } from "../limited.ts";
import { options } from "../options.ts";

function model(rules: string, name = "a") {
	const compiled = compileNetwork(parsePolicies(rules, name), options);
	if (!compiled.ok) throw new Error("refused");
	return compiled.model;
}

const rule = (terms: string, port = 443) =>
	`- {action: Block, ports: [{protocol: TCP, port: ${port}}]${terms}}`;
const daily = rule(", limit: 5GB, duration: 1d");

const changes = (before: string, after: string) => diffQuotas(model(before), model(after));

test("quotas of rules that are moved, renamed or told otherwise are no difference", () => {
	expect(diffQuotas(model(daily), model(daily, "b"))).toEqual([]);
	expect(changes(daily, `${rule("", 80)}\n${daily}`)).toEqual([]);
	expect(changes(daily, rule(", severity: 9, limit: 5120MB, duration: 24h"))).toEqual([]);
	expect(changes(rule(""), rule("", 80))).toEqual([]);
});

test("a quota is added, removed, or changed where the rule matches the same", () => {
	const terms = {
		limitBytes: 5 * 2 ** 30,
		windowSeconds: 86_400,
		action: "Block",
		text: "5GB in 1d",
	} as const;
	const where = { policy: "a", rule: 0, direction: "ingress" } as const;
	expect(changes(rule(""), daily)).toEqual([{ change: "added", ...where, ...terms }]);
	expect(changes(daily, rule(""))).toEqual([{ change: "removed", ...where, ...terms }]);
	const hourly = { limitBytes: 2 ** 20, windowSeconds: 3600, action: "Block", text: "1MB in 1h" } as const;
	expect(changes(daily, rule(", limit: 1MB, duration: 1h"))).toEqual([
		{ change: "changed", ...where, ...hourly, before: terms },
	]);
	expect(changes(daily, daily.replace("Block", "Audit"))).toMatchObject([
		{ change: "changed", action: "Audit", before: { action: "Block" } },
	]);
	expect(changes(daily, rule(", limit: 5GB, duration: 1d", 80)).map(({ change }) => change)).toEqual([
		"removed",
		"added",
	]);
});

test("of several quotas of one match, those that stay are told from those that change", () => {
	const hourly = rule(", limit: 1GB, duration: 1h");
	expect(changes(`${daily}\n${hourly}`, `${hourly}\n${daily}`)).toEqual([]);
	const found = changes(`${daily}\n${hourly}`, `${hourly}\n${rule(", limit: 9GB, duration: 1d")}`);
	expect(found).toMatchObject([{ change: "changed", text: "9GB in 1d", before: { text: "5GB in 1d" } }]);
	expect(changes(`${daily}\n${hourly}`, daily)).toMatchObject([{ change: "removed", text: "1GB in 1h" }]);
});
