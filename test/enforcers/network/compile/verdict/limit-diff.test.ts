import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { diffLimits } from "../../../../../src/enforcers/network/compile/verdict/limit-diff.ts";
import { parsePolicies } from "../limited.ts";
import { options } from "../options.ts";

function model(rules: string, name = "a") {
	const compiled = compileNetwork(parsePolicies(rules, name), options);
	if (!compiled.ok) throw new Error("refused");
	return compiled.model;
}

const rule = (more: string) => `- {action: Allow, ports: [{protocol: TCP, port: 22}]${more}}`;
const limited = rule(", rateLimit: {connections: 1/day}, connectionLimit: {max: 3}");

test("rules that are moved, renamed or told otherwise are no difference", () => {
	expect(diffLimits(model(limited), model(limited, "b"))).toEqual([]);
	expect(
		diffLimits(model(limited), model(`- {action: Block, ports: [{protocol: UDP}]}\n${limited}`)),
	).toEqual([]);
	expect(diffLimits(model(limited), model(limited.replace("Allow,", "Allow, severity: 9,")))).toEqual([]);
});

test("each limit is one, by what its rule matches and what becomes of what is beyond", () => {
	const changed = (other: string) =>
		diffLimits(model(limited), model(other)).map(({ change, limit }) => `${change} ${limit}`);
	expect(changed(rule(", rateLimit: {connections: 1/day}"))).toEqual(["removed connectionLimit"]);
	expect(changed(rule(""))).toEqual(["removed rateLimit", "removed connectionLimit"]);
	const all = ["removed rateLimit", "removed connectionLimit", "added rateLimit", "added connectionLimit"];
	expect(changed(limited.replace("22", "23"))).toEqual(all);
	expect(changed(limited.replace("Allow,", "Audit,"))).toEqual(all);
	expect(changed(limited.replace("Allow,", "Allow, exceedAction: Audit,"))).toEqual(all);
});

test("a limit that goes from one sender to another is another one", () => {
	const sent = (limitedUser: string, otherUser: string) => {
		const [limit, peer] = ["rateLimit: {connections: 1/day}", "to: [{ipBlock: {cidr: 10.0.0.0/8}}]"];
		const rules = `- {action: Allow, ${peer}, user: [${limitedUser}], ${limit}}\n- {action: Allow, ${peer}, user: [${otherUser}]}`;
		const compiled = compileNetwork(parsePolicies(rules, "a", "egress"), options);
		if (!compiled.ok) throw new Error("refused");
		return compiled.model;
	};
	expect(diffLimits(sent("0", "33"), sent("0", "33"))).toEqual([]);
	expect(diffLimits(sent("0", "33"), sent("33", "0")).map(({ change }) => change)).toEqual([
		"removed",
		"added",
	]);
});
