import { describe, expect, test } from "bun:test";
import type { NodeSelector } from "../../src/base/model.ts";
import { matchSelector, nodeLabels } from "../../src/document/labels.ts";

const place = { file: "p.yaml", line: 6, column: 5 };
const labels = nodeLabels(
	{ role: "database", env: "production" },
	{ hostname: "web-1.example.org", arch: "x64" },
);

function selects(matchLabels: NodeSelector["matchLabels"]): boolean {
	return matchSelector({ matchLabels, place }, labels).selected;
}

describe("nodeLabels", () => {
	test("the system's own, under configured ones", () => {
		expect({ ...labels }).toEqual({
			"kubernetes.io/hostname": "web-1.example.org",
			"kubearmor.io/hostname": "web-1.example.org",
			"kubernetes.io/arch": "amd64",
			"kubernetes.io/os": "linux",
			role: "database",
			env: "production",
		});
	});

	test.each([
		["arm64", "arm64"],
		["x64", "amd64"],
		["riscv64", "riscv64"],
		["constructor", "constructor"],
	])("architecture %s is %s", (arch, label) => {
		expect(nodeLabels({}, { hostname: "h", arch })["kubernetes.io/arch"]).toBe(label);
	});

	test("configured labels win, each for itself", () => {
		const overridden = nodeLabels({ "kubernetes.io/hostname": "other" }, { hostname: "h", arch: "x64" });
		expect(overridden["kubernetes.io/hostname"]).toBe("other");
		expect(overridden["kubearmor.io/hostname"]).toBe("h");
	});
});

describe("matchSelector", () => {
	test.each([
		[{ role: "database" }, true],
		[{ role: "Database" }, false],
		[{ role: "data*" }, false],
		[{ role: "database,web" }, false],
		[{ role: "database", env: "production" }, true],
		[{ role: "database", env: "staging" }, false],
		[{ "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" }, true],
		[{ "kubernetes.io/hostname": "*" }, true],
		[{ "kubearmor.io/hostname": "web-1.example.org" }, true],
		[{ "kubernetes.io/hostname": "web-1.example.org" }, true],
		[{ "kubernetes.io/hostname": "web-1" }, false],
		[{ "kubernetes.io/hostname": "WEB-1.example.org" }, false],
		[{ "kubernetes.io/hostname": "db-1, web-1.example.org" }, true],
		[{ "kubernetes.io/hostname": "db-*,web-*" }, true],
		[{ "kubernetes.io/hostname": "web-*.org" }, true],
		[{ "kubernetes.io/hostname": "*1.ex*org*" }, true],
		[{ "kubernetes.io/hostname": "web-*.net" }, false],
		[{ "kubernetes.io/hostname": "" }, false],
		[{ "kubernetes.io/hostname": "," }, false],
		[{ "kubernetes.io/hostname": "web?1.example.org" }, false],
		[{ "kubearmor.io/hostnamereg": "web-\\d+\\.example\\.org" }, true],
		[{ "kubernetes.io/hostnamereg": "(web|db)-[0-9]+.*" }, true],
		[{ "kubernetes.io/hostnamereg": "web-1" }, false],
		[{ "kubernetes.io/hostnamereg": "(" }, false],
		[{}, false],
	])("%j selects: %p (N15, N25, N27)", (matchLabels, expected) => {
		expect(selects(Object.fromEntries(Object.entries(matchLabels)))).toBe(expected);
	});

	test("a label that this host does not have is named, at the selector's place", () => {
		const { selected, diagnostics } = matchSelector(
			{ matchLabels: { tier: "backend", role: "database" }, place },
			labels,
		);
		expect(selected).toBe(false);
		expect(diagnostics).toMatchObject([{ ...place, severity: "warning", code: "unknown-label" }]);
		expect(diagnostics[0]?.message).toContain('"tier"');
		expect(diagnostics[0]?.hint).toContain("role");
	});

	test("without a host name a pattern selects nothing (N25)", () => {
		const none = matchSelector({ matchLabels: { "kubernetes.io/hostnamereg": ".*" }, place }, { role: "x" });
		expect(none.selected).toBe(false);
		expect(none.diagnostics).toHaveLength(1);
	});

	test.each(["__proto__", "constructor", "toString"])("the inherited name %s is no label", (name) => {
		const matchLabels: Record<string, string> = Object.create(null);
		matchLabels[name] = "x";
		expect(matchSelector({ matchLabels, place }, labels).selected).toBe(false);
	});

	test("a hostile wildcard list ends", () => {
		expect(selects({ "kubernetes.io/hostname": "*a".repeat(2000) })).toBe(false);
	});
});
