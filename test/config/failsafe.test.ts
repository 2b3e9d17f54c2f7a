/** Failsafe rules and other settings that are wrong: what was written is quoted, and the hint says what to write. */

import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../src/config/parse.ts";

const of = (rule: string) => parseConfig("config.yaml", `failsafe: {ingress: [${rule}]}`);

describe("a failsafe rule that is refused", () => {
	test.each([
		["{cidr: 192.0.2.0/255.255.255.0}", "192.0.2.0/255.255.255.0", "192.0.2.0/24"],
		["{cidr: 198.51.100.20-198.51.100.23}", "198.51.100.20-198.51.100.23", "198.51.100.20/30"],
		["{cidr: any}", "any", "leave cidr out"],
		["{cidr: 0.0.0.0}", "0.0.0.0", "0.0.0.0/0"],
		["{cidr: 10.0.0.1/8}", "10.0.0.1/8", "10.0.0.0/8, without host bits"],
		['{cidr: "1.2.3.4:22"}', "1.2.3.4:22", "port: 22"],
		['{interface: "eth0.100@eth0"}', "eth0.100@eth0", '"eth0.100"'],
		['{interface: "tun+"}', "tun+", '"tun*"'],
		["{interface: any}", "any", "leave it out"],
		['{interface: "*"}', "*", "leave interface out"],
		["{protocol: TPC, port: 22}", "TPC", "TCP"],
		["{protocol: TCP, port: 70000}", "70000", "1 to 65535"],
		["{protocol: TCP, port: [22, 80]}", "a list", ""],
	])("%s", (rule, written, hint) => {
		const { ok, diagnostics } = of(rule);
		expect(ok).toBe(false);
		expect(diagnostics).toHaveLength(1);
		expect(diagnostics[0]?.message).toContain(written);
		expect(diagnostics[0]?.message).not.toMatch(/null|undefined|Object|Array/);
		expect(diagnostics[0]?.hint).toContain(hint);
	});
});

test.each([
	["hostDefaultNetworkPosture: BLOCK", '"BLOCK"'],
	["enforcement: dry-run", '"dry-run"'],
	["essentials: maybe", '"maybe"'],
	["maxElements: 1.5", "1.5"],
	["status: {tls: {cert: /a.pem}}", "nothing"],
	["nodeLabels: [a]", "a list"],
])("%s is quoted as it was written", (text, written) => {
	const { diagnostics } = parseConfig("config.yaml", text);
	expect(diagnostics[0]?.message).toContain(written);
	expect(diagnostics[0]?.message).not.toMatch(/null|undefined|Object|Array/);
});

test("a bare network is taken as the one address that it is, with a warning", () => {
	const result = of("{protocol: TCP, port: 22, cidr: 192.168.50.0}");
	if (!result.ok) throw new Error("refused");
	expect(result.config.failsafe.ingress[0]?.cidr?.prefix).toBe(32);
	expect(result.diagnostics).toMatchObject([
		{
			severity: "warning",
			code: "bare-network",
			path: "failsafe.ingress[0].cidr",
			hint: expect.stringContaining("192.168.50.0/24"),
		},
	]);
	expect(of("{cidr: 192.168.50.0/24}").diagnostics).toEqual([]);
});

test("enforcement: audit is warned of, at its place", () => {
	const result = parseConfig("config.yaml", "clusterName: a\nenforcement: audit\n");
	expect(result.ok).toBe(true);
	expect(result.diagnostics).toMatchObject([
		{ severity: "warning", code: "enforcement-audit", line: 2, path: "enforcement" },
	]);
});
