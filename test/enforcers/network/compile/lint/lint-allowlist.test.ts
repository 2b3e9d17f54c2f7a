import { describe, expect, test } from "bun:test";
import { type CompileOptions, compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { policyText, valid } from "../../../../engine/support/policy.ts";
import { options } from "../options.ts";

function lint(spec: string, changes: Partial<CompileOptions> = {}) {
	const { diagnostics } = compileNetwork([valid(policyText(spec))], { ...options, ...changes });
	return diagnostics.filter(({ code }) => /^allowlist-|^egress-without-dns$/.test(code));
}

const codes = (spec: string, changes: Partial<CompileOptions> = {}) =>
	lint(spec, changes).map(({ code }) => code);

const dns =
	"action: Allow\negress: [{to: [{ipBlock: {cidr: 9.9.9.9/32}}], ports: [{protocol: UDP, port: 53}]}]";

describe("an Allow makes its direction an allow-list", () => {
	test("the warning says what still passes, that all else is dropped, and what was meant", () => {
		const [found, ...more] = lint(dns);
		expect(more).toEqual([]);
		expect(found).toMatchObject({ code: "allowlist-egress", severity: "warning", path: "spec.egress[0]" });
		expect(found?.message).toContain("only UDP 53 to 9.9.9.9/32 may pass");
		expect(found?.message).toContain("IPv4 and IPv6");
		expect(found?.hint).toContain(
			'action: Block with to: [{ipBlock: {cidr: "0.0.0.0/0", except: ["9.9.9.9/32"]}}',
		);
		expect(found?.hint).toContain("add the rule {action: Block} to egress");
	});

	test("ingress has its own, one for the direction", () => {
		const spec = "action: Allow\ningress: [{ports: [{port: 22}], iface: [eth0]}, {ports: [{port: 80}]}]";
		const [found, ...more] = lint(spec);
		expect(more).toEqual([]);
		expect(found?.code).toBe("allowlist-ingress");
		expect(found?.message).toContain("only TCP 22 on eth0, TCP 80 may pass");
	});

	test("what it advises is what it takes for an answer", () => {
		expect(codes(`${dns.slice(0, -1)}, {action: Block}]`)).toEqual([]);
		const meant =
			'action: Block\negress: [{to: [{ipBlock: {cidr: "0.0.0.0/0", except: ["9.9.9.9/32"]}}, {ipBlock: {cidr: "::/0"}}], ports: [{protocol: UDP, port: 53}]}]';
		expect(compileNetwork([valid(policyText(meant))], options).diagnostics).toEqual([]);
	});

	test("of more blocks than it names it advises nothing that could be taken as it stands", () => {
		const blocks = Array.from({ length: 7 }, (_, i) => `{ipBlock: {cidr: 192.0.2.${i}/32}}`).join(", ");
		const [found] = lint(`action: Allow\ningress: [{from: [${blocks}], ports: [{port: 22}]}]`);
		const except = /except: \[[^\]]*\]/.exec(found?.hint ?? "")?.[0] ?? "";
		expect(except).toEndWith('"192.0.2.3/32", … and 3 more]');
		const taken = policyText(`action: Block\ningress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, ${except}}}]}]`);
		expect(() => valid(taken)).toThrow();
	});

	test("nothing is dropped where the posture audits", () => {
		expect(codes(dns, { posture: "audit" })).toEqual([]);
	});

	test("with allowlistScope host the other direction is named too", () => {
		const spec = "action: Allow\ningress: [{ports: [{port: 22}]}]";
		expect(codes(spec, { allowlistScope: "host" })).toEqual([
			"allowlist-ingress",
			"allowlist-egress",
			"egress-without-dns",
		]);
	});
});

describe("an egress allow-list without port 53", () => {
	const web = "action: Allow\negress: [{ports: [{protocol: TCP, port: 443}]}";
	test.each([
		[`${web}]`, true],
		[`${web}, {action: Block}]`, true],
		[`${web}, {ports: [{protocol: UDP, port: 53}]}]`, false],
		[`${web}, {ports: [{protocol: UDP, port: 1, endPort: 1000}]}]`, false],
		[`${web}, {action: Audit, ports: [{protocol: TCP}]}]`, false],
		["action: Allow\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]", false],
		["action: Block\negress: [{}]", false],
	])("%s", (spec, warned) => {
		expect(codes(spec).includes("egress-without-dns")).toBe(warned);
	});

	test("a failsafe rule may let it out", () => {
		const rule = { protocol: "udp", cidr: null, port: { first: 53, last: 53 }, interface: null } as const;
		expect(codes(`${web}]`, { failsafe: { ingress: [], egress: [rule] } })).toEqual(["allowlist-egress"]);
	});
});
