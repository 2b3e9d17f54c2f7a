import { expect, test } from "bun:test";
import { brief, only, policyText } from "../engine/support/policy.ts";

const lists = [
	["ingress", "from", "[]", "empty-list"],
	["ingress", "from", "", "empty-field"],
	["ingress", "from", "~", "empty-field"],
	["egress", "to", "[]", "empty-list"],
	["egress", "to", "null", "empty-field"],
	["ingress", "ports", "[]", "empty-list"],
	["egress", "ports", "", "empty-field"],
	["ingress", "iface", "[]", "empty-list"],
] as const;

test.each(lists)("an Allow whose %s has %s: %s is refused", (direction, name, value, code) => {
	for (const spec of [
		`action: Allow\n${direction}:\n- ${name}: ${value}\n  message: x`,
		`${direction}:\n- ${name}: ${value}\n  action: Allow`,
	]) {
		const { diagnostics, policy } = only(policyText(spec));
		expect(brief(diagnostics)).toEqual([`error ${code} spec.${direction}[0].${name}`]);
		expect(diagnostics[0]?.hint).toContain(`leave ${name} out for`);
		expect(policy).toBeNull();
	}
});

test.each(lists)("elsewhere %s with %s: %s is warned of", (direction, name, value, code) => {
	for (const action of ["Block", "Audit"]) {
		const { diagnostics, policy } = only(
			policyText(`action: ${action}\n${direction}:\n- ${name}: ${value}\n  message: x`),
		);
		expect(brief(diagnostics)).toEqual([`warning ${code} spec.${direction}[0].${name}`]);
		expect(policy).not.toBeNull();
	}
});

test("a port without a value would allow every port", () => {
	const { diagnostics, policy } = only(
		policyText("action: Allow\ningress: [{ports: [{protocol: TCP, port: }]}]"),
	);
	expect(brief(diagnostics)).toContain("error empty-field spec.ingress[0].ports[0].port");
	expect(policy).toBeNull();
	expect(only(policyText("ingress: [{ports: [{protocol: TCP, port: }]}]")).policy).not.toBeNull();
});

test("an alias to nothing is nothing", () => {
	const { diagnostics } = only(policyText("action: Allow\ntags: &none []\ningress: [{from: *none}]"));
	expect(brief(diagnostics)).toEqual(["error empty-list spec.ingress[0].from"]);
});

test("left out it means any, as ever, and no exceptions are none", () => {
	expect(only(policyText("action: Allow\ningress: [{}]")).diagnostics).toEqual([]);
	const { diagnostics } = only(policyText("ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: []}}]}]"));
	expect(brief(diagnostics)).toEqual(["warning empty-list spec.ingress[0].from[0].ipBlock.except"]);
});
