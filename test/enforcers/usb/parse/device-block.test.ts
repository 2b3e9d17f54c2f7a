import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Diagnostic } from "../../../../src/base/diagnostic.ts";
import { NodeReader } from "../../../../src/document/nodes.ts";
import { Lines, parseSyntax } from "../../../../src/document/syntax.ts";
import type { HostDevicePolicy } from "../../../../src/enforcers/usb/model.ts";
import { validateHostPolicy } from "../support/host-policy.ts";

function validate(source: string): { policy: HostDevicePolicy | null; diagnostics: readonly Diagnostic[] } {
	const { contents, problems } = parseSyntax(source);
	if (contents === null || problems.length > 0) throw new Error("not YAML");
	const reader = new NodeReader("p.yaml", new Lines({ source, firstLine: 1 }), contents);
	return { policy: validateHostPolicy(reader, contents), diagnostics: reader.diagnostics };
}

function withSpec(spec: string): string {
	const indented = spec.replace(/^/gm, "  ");
	return `apiVersion: security.kubearmor.com/v1
kind: KubeArmorHostPolicy
metadata:
  name: p
spec:
  nodeSelector: {matchLabels: {kubernetes.io/hostname: "*"}}
${indented}
`;
}

const fixture = (name: string) =>
	readFileSync(join(import.meta.dir, "../../../fixtures/kubearmor-device", `${name}.yaml`), "utf8");

describe("published policies", () => {
	const blog = "kubearmor.io__blog_2025-10-23-KubeArmor-USB-Enforcement_index_";
	test.each([
		["ISSUE__KubeArmor-pr2172-audit-all", null, null, null, "Audit", 5],
		["ISSUE__KubeArmor-pr2172-audit-mass-storage", 8, null, null, "Audit", 5],
		["ISSUE__KubeArmor-pr2194-block-class8", 8, null, null, "Block", 5],
		["KubeArmor__getting-started_usb_device_handler_0", 3, 1, 1, "Block", 5],
		[`${blog}0`, 8, null, null, "Audit", 5],
		[`${blog}1`, 8, null, null, "Block", 8],
		[`${blog}2`, 3, 1, 1, "Block", 10],
		[`${blog}3`, 8, null, null, "Audit", 5],
		[`${blog}4`, null, null, null, "Audit", 5],
		[`${blog}5`, null, null, null, "Allow", 5],
		[`${blog}6`, null, null, null, "Audit", 5],
	] as const)("%s", (name, code, subClass, protocol, action, severity) => {
		const { policy, diagnostics } = validate(fixture(name));
		expect(diagnostics).toEqual([]);
		expect(policy?.entries).toMatchObject([
			{ index: 0, action, severity, match: { class: code, subClass, protocol, level: null, serial: null } },
		]);
	});

	test("the sample without indentation is told how to indent", () => {
		const { policy, diagnostics } = validate(fixture("KubeArmor__getting-started_usb_device_handler_1"));
		expect(policy).toBeNull();
		expect(diagnostics).toEqual([
			{
				file: "p.yaml",
				line: 4,
				column: 1,
				path: "name",
				severity: "error",
				code: "bad-indentation",
				message:
					"name, nodeSelector, severity, device, action must be indented: as it stands, metadata or spec ends before",
				hint: "indent by two spaces name below metadata: and nodeSelector, severity, device, action below spec:, and whatever is nested in them by two more",
			},
		]);
	});
});

describe("validateHostPolicy", () => {
	test("defaults come from device, then spec", () => {
		const { policy, diagnostics } = validate(
			withSpec(`severity: 3
tags: [a]
message: from spec
action: Audit
device:
  action: allow
  tags: [b]
  matchDevice:
  - class: HID
  - {class: 8, action: Block, severity: 9, message: own, tags: []}`),
		);
		expect(diagnostics).toEqual([]);
		expect(policy).toMatchObject({
			action: "Allow",
			entries: [
				{ action: "Allow", severity: 3, tags: ["b"], message: "from spec", match: { class: 3 } },
				{ action: "Block", severity: 9, tags: [], message: "own", match: { class: 8 } },
			],
		});
	});

	test("a policy without any action blocks, at the lowest severity", () => {
		const { policy } = validate(withSpec("device: {matchDevice: [{class: HID}]}"));
		expect(policy).toMatchObject({ action: "Block", entries: [{ action: "Block", severity: 1 }] });
	});

	test("other blocks are reported, the device block holds", () => {
		const { policy, diagnostics } = validate(
			withSpec(`process: {matchPaths: [{path: /bin/sleep}]}
file: {matchPaths: [{path: /etc/passwd}]}
network: {matchProtocols: [{protocol: tcp}]}
capabilities: {matchCapabilities: [{capability: net_raw}]}
syscalls: {matchSyscalls: [{syscall: [unlink]}]}
device: {matchDevice: [{class: HID}]}`),
		);
		const blocks = ["process", "file", "network", "capabilities", "syscalls"];
		expect(diagnostics.map(({ severity, code, path, line }) => ({ severity, code, path, line }))).toEqual(
			blocks.map((block, at) => ({
				severity: "warning",
				code: "not-enforced",
				path: `spec.${block}`,
				line: 7 + at,
			})),
		);
		expect(policy?.entries).toHaveLength(1);
	});

	test("a policy that matches nothing says so", () => {
		expect(validate(withSpec("device: {matchDevice: []}")).diagnostics).toMatchObject([
			{ severity: "warning", code: "no-rules" },
		]);
	});

	test("fields that slipped out of their block are told where they belong", () => {
		const { diagnostics } = validate(withSpec("matchDevice: [{class: HID}]"));
		expect(diagnostics).toMatchObject([{ code: "bad-nesting", path: "spec.matchDevice" }]);
		expect(validate(withSpec("ingress: []")).diagnostics).toMatchObject([{ code: "wrong-kind" }]);
		expect(validate(withSpec("devise: {}")).diagnostics).toMatchObject([
			{ code: "unknown-field", hint: "did you mean device?" },
		]);
	});

	test("missing parts are named", () => {
		const head = "apiVersion: security.kubearmor.com/v1\nkind: KubeArmorHostPolicy\n";
		expect(validate(`${head}metadata: {name: p}\n`).diagnostics).toMatchObject([{ code: "missing-field" }]);
		expect(validate("- 1\n").diagnostics).toMatchObject([{ code: "wrong-type" }]);
	});
});
