import { describe, expect, test } from "bun:test";
import { expectRefused, expectWarned, policyText, valid } from "../engine/support/policy.ts";

describe("fields and aliases", () => {
	test("an anchor may be used again", () => {
		const policy = valid(
			policyText("ingress: [{from: &n [{ipBlock: {cidr: 10.0.0.0/8}}]}]\negress: [{to: *n}]"),
		);
		expect(policy.egress[0]?.peers).toEqual(policy.ingress[0]?.peers ?? []);
	});

	test.each([
		["ingress:\n- from:\n  ports: [{port: 22}]", "empty-field spec.ingress[0].from"],
		["ingress: ~\negress: [{}]", "empty-field spec.ingress"],
	])("%j is warned of", (spec, finding) => {
		expectWarned(policyText(spec), finding);
	});

	test.each([
		["ingress: []\ningress: []", "duplicate-field spec.ingress", "one of them"],
		["__proto__: {action: Allow}", "unknown-field spec.__proto__", ""],
		["constructor: 1", "unknown-field spec.constructor", ""],
		["? [a, b]\n: c", "bad-key spec", "brackets"],
		["<<: {action: Allow}", 'unknown-field spec["<<"]', ""],
		["action: *nowhere", "bad-alias spec.action", "write the value out"],
	])("%j is refused", (spec, finding, hint) => {
		expectRefused(policyText(spec), finding, hint);
	});
});
