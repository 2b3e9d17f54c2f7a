import { expect, test } from "bun:test";
import {
	checkSenders,
	mostSenderKinds,
	namedIn,
	unitWarnings,
	unknownSender,
} from "../../../../src/enforcers/network/compile/named.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { ResolveAccount } from "../../../../src/enforcers/network/compile/sender.ts";
import type { NetworkPolicy, RuleSender } from "../../../../src/enforcers/network/model.ts";
import { policy, rule } from "./build.ts";
import { options } from "./options.ts";

const resolve: ResolveAccount = (kind, name) => (kind === "service" || name !== "alice" ? null : 1000);

function sending(
	name: string,
	...rules: readonly (readonly ["Allow" | "Audit" | "Block", Partial<RuleSender>])[]
) {
	const none = { users: [], groups: [], services: [] };
	const egress = rules.map(([action, sender], index) => ({
		...rule(action, {}, index),
		sender: { ...none, ...sender },
	}));
	return { ...policy(name), egress };
}

test("each name is told once, with the strictest action, and the first of who names it", () => {
	const policies = [
		sending("a", ["Allow", { users: ["alice", 7], groups: ["alice"] }], ["Block", { users: ["alice"] }]),
		sending("b", ["Audit", { users: ["alice"], services: ["web.service"] }], ["Allow", { users: ["alice"] }]),
	];
	expect(namedIn(policies, resolve)).toEqual([
		{
			kind: "user",
			name: "alice",
			number: 1000,
			action: "Block",
			users: ['egress[0] of policy "a"', 'egress[1] of policy "a"', 'egress[0] of policy "b"'],
		},
		{ kind: "group", name: "alice", number: 1000, action: "Allow", users: ['egress[0] of policy "a"'] },
		{
			kind: "service",
			name: "web.service",
			number: null,
			action: "Audit",
			users: ['egress[0] of policy "b"'],
		},
	]);
	expect(namedIn([policy("c", rule("Block"))])).toEqual([]);
});

const named = (
	kind: "user" | "group" | "service",
	number: number | null,
	action: "Allow" | "Block" = "Block",
) => ({ kind, name: kind === "service" ? "web.service" : "alcie", number, action, users: ["HERE"] }) as const;

test("a name that nobody has says so, what follows, where, and what to write", () => {
	expect(unknownSender(named("user", 0), [])).toBeNull();
	expect(unknownSender(named("user", null), ["bob", "alice"])).toEqual({
		message: 'this host knows no user "alcie", so nothing matches it: it blocks nobody (HERE)',
		hint: "did you mean alice?",
	});
	expect(unknownSender(named("group", null, "Allow"), ["zzz"])).toEqual({
		message: 'this host knows no group "alcie", so nothing matches it (HERE)',
		hint: "write a name of /etc/group, or the number where a directory service knows the group",
	});
	expect(unknownSender(named("service", null), [])).toEqual({
		message:
			'this kernel does not tell which unit sends, so nothing matches service "web.service": it blocks nobody (HERE)',
		hint: "name a user, or run Linux 5.13 or later",
	});
});

test("of units only a name that may be mistyped, and a hierarchy that is missing, are told", () => {
	const asked = [named("service", 0), named("user", null)];
	const seen = { units: {}, names: [], hierarchy: true };
	expect(unitWarnings(asked, seen)).toEqual([]);
	expect(unitWarnings(asked, { ...seen, units: { "web.service": 1 }, names: ["wbe.service"] })).toEqual([]);
	expect(unitWarnings(asked, { ...seen, names: ["wbe.service"] })).toEqual([
		'no service "web.service" runs, so nothing matches it now (HERE); did you mean wbe.service?',
	]);
	expect(unitWarnings(asked, { ...seen, hierarchy: false })).toEqual([
		expect.stringContaining("no unified hierarchy of control groups is mounted"),
	]);
	expect(unitWarnings([named("service", null)], { ...seen, hierarchy: false })).toEqual([]);
});

test("more combinations than can be told apart are refused, at the first rule that names one", () => {
	const units = (count: number) => Array.from({ length: count }, (_, i) => `u${i}.service`);
	const of = (users: number, services: number): readonly NetworkPolicy[] => [
		policy("plain", rule("Block")),
		sending("many", ["Block", { users: [...Array(users).keys()] }], ["Block", { services: units(services) }]),
	];
	expect(compileNetwork(of(31, 31), options).ok).toBe(true);
	const refused = compileNetwork(of(31, 32), options);
	if (refused.ok) throw new Error("not refused");
	expect(refused.diagnostics).toEqual([
		{
			file: "p.yaml",
			line: 1,
			column: 1,
			path: "spec.egress[0]",
			severity: "error",
			code: "too-many-senders",
			message: `the users, groups and services that rules name make 1056 combinations together, and ${mostSenderKinds} can be told apart`,
			hint: expect.stringContaining("name fewer of them"),
		},
	]);
	expect(checkSenders([])).toEqual([]);
});
