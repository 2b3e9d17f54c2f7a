import { describe, expect, test } from "bun:test";
import { expectRefused, expectWarned, only, policyText, valid } from "../../../engine/support/policy.ts";

const rule = (text: string): string => `ingress: [${text}]`;
const iface = (text: string): string => rule(`{iface: [${text}]}`);
const cidr = (text: string): string => rule(`{from: [{ipBlock: ${text}}]}`);
const port = (text: string): string => rule(`{ports: [${text}]}`);

describe("a whole policy", () => {
	test.each(["ingress: []\negress: [{}]", "egress: [{}]"])("%j has no ingress rules", (spec) => {
		expect(valid(policyText(spec)).ingress).toEqual([]);
	});

	test("JSON reads like YAML, indented with tabs or not", () => {
		const policy = {
			apiVersion: "security.kubearmor.com/v1",
			kind: "KubeArmorNetworkPolicy",
			metadata: { name: "j", labels: { a: "b" } },
			spec: { nodeSelector: { matchLabels: { a: "b" } }, egress: [{ ports: [{ port: 443 }] }] },
		};
		for (const indent of ["", "  ", "\t"])
			expect(valid(JSON.stringify(policy, null, indent)).egress).toHaveLength(1);
	});

	test.each([
		["action: Allow", "no-rules spec"],
		["ingress: []\negress: []", "no-rules spec"],
	])("%j is warned of", (spec, finding) => {
		expectWarned(policyText(spec), finding);
	});

	test.each([
		["ingres: []", "unknown-field spec.ingres", "did you mean ingress?"],
		["limit: 2MB", "quota-in-spec spec.limit", "write it into the rule"],
		["selector: {matchLabels: {app: web}}", "no-pods spec.selector", "nodeSelector"],
		["network: {matchProtocols: [{protocol: tcp}]}", "match-protocols spec.network", "egress: [{to:"],
		["device: {}", "wrong-kind spec.device", "KubeArmorHostPolicy"],
		["ingress: {}", "wrong-type spec.ingress", ""],
	])("%j is refused", (spec, finding, hint) => {
		expectRefused(policyText(spec), finding, hint);
	});
});

test("text for the kernel never comes through: every string of N12 is refused", () => {
	const attack = '10.0.0.0/8 accept\n}\nflush ruleset\n"';
	for (const spec of [
		cidr(`{cidr: ${JSON.stringify(attack)}}`),
		iface(JSON.stringify(attack)),
		port(`{port: ${JSON.stringify(attack)}}`),
		port(`{protocol: ${JSON.stringify(attack)}}`),
	]) {
		const document = only(policyText(spec));
		expect(document.policy).toBeNull();
		for (const { message, hint } of document.diagnostics) expect(message + hint).not.toContain("\n");
	}
});
