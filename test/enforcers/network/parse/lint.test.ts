import { describe, expect, test } from "bun:test";
import { only, policyText } from "../../../engine/support/policy.ts";

function lints(spec: string, name = "p"): string[] {
	return only(policyText(spec, name)).diagnostics.flatMap((d) =>
		d.code === "inverted-action" ? [d.path] : [],
	);
}

const block = "ingress: [{from: [{ipBlock: {cidr: 10.0.1.0/24}}]}]";

describe("a Block policy that promises to allow (N26)", () => {
	test.each([
		"allow-private-subnet-ingress",
		"restrict-backend-mesh",
		"only-jumphost",
		"db.allowlist",
		"permit-ssh",
		"ssh-restricted",
	])("by its name %s", (name) => {
		expect(lints(block, name)).toEqual(["spec.ingress[0]"]);
	});

	test.each(["Only the app tier may connect", "Allows the mesh", "access restricted to 10.0.1.0/24"])(
		"by its message %j",
		(message) => {
			expect(lints(`message: ${message}\n${block}`)).toEqual(["spec.ingress[0]"]);
		},
	);

	test("says what the rule does and what to write", () => {
		const [finding] = only(policyText(block, "allow-subnet")).diagnostics;
		expect(finding).toMatchObject({ severity: "warning", line: 9, column: 13 });
		expect(finding?.message).toContain("blocks the traffic from 10.0.1.0/24");
		expect(finding?.hint).toContain("action: Allow");
	});

	test("in each rule that blocks, and in no other", () => {
		const spec = "action: Audit\ningress: [{action: Block}, {}, {action: Block}]\negress: [{action: Block}]";
		expect(lints(spec, "only-x")).toEqual(["spec.ingress[0]", "spec.ingress[2]", "spec.egress[0]"]);
	});
});

describe("no false alarm", () => {
	test.each([
		"block-external-dns",
		"disallow-telnet",
		"do-not-allow-telnet",
		"shallow-copy",
		"commonly-blocked",
		"no-allow",
	])("%s", (name) => {
		expect(lints(block, name)).toEqual([]);
	});

	test.each(["Telnet is not allowed", "we never allow SMTP out"])("%j", (message) => {
		expect(lints(`message: ${message}\n${block}`)).toEqual([]);
	});

	test("the same name with Allow or Audit", () => {
		for (const action of ["Allow", "Audit"])
			expect(lints(`action: ${action}\n${block}`, "allow-x")).toEqual([]);
	});

	test("a Block beside an Allow of the same direction", () => {
		expect(
			lints("ingress: [{action: Allow, ports: [{port: 22}]}, {ports: [{port: 22}]}]", "allow-x"),
		).toEqual([]);
		expect(lints("egress: [{action: Allow}]\ningress: [{}]", "allow-x")).toEqual(["spec.ingress[0]"]);
	});
});
