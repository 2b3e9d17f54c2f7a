import { expect, test } from "bun:test";
import { matchSelector, nodeLabels } from "../../src/document/labels.ts";

const place = { file: "p.yaml", line: 1, column: 1 };

function look(name: string, wanted: string, hostname: string) {
	const labels = nodeLabels({ role: "database" }, { hostname, arch: "x64" });
	return matchSelector({ matchLabels: { [name]: wanted }, place }, labels);
}

const host = "kubernetes.io/hostname";

test.each([
	[host, "WEB-1", "web-1", "case", '"web-1"'],
	[host, "DB-*,WEB-*", "web-1", "case", '"web-1"'],
	[host, "web-1", "web-1.example.org", "has a domain", '"web-1.*"'],
	[host, "db-1, web-1", "WEB-1.example.org", "has a domain", "WEB-1.example.org"],
	[host, "web-1.example.org", "web-1", "has no domain", '"web-1"'],
	[host, "web-1.example.com", "web-1.example.org", "domains differ", '"web-1.example.org"'],
	[host, "\u201cweb-1\u201d", "web-1", "quotes", '"web-1"'],
	[host, "'web-1'", "web-1", "quotes", '"web-1"'],
	[host, "\u2018*\u2019", "web-1", "quotes", '"*"'],
	[host, "all", "web-1", "does not mean all", 'write "*"'],
	["kubearmor.io/hostname", ".*", "web-1", "does not mean all", 'write "*"'],
	["role", "*", "web-1", "does not mean all", 'kubernetes.io/hostname: "*"'],
	["role", "Database", "web-1", "case", '"database"'],
	["role", "database ", "web-1", "quotes and spaces", '"database"'],
])("%s: %s on %s is nearly it", (name, wanted, hostname, message, hint) => {
	const { selected, diagnostics } = look(name, wanted, hostname);
	expect(selected).toBe(false);
	expect(diagnostics.map(({ code }) => code)).toEqual(["selector-near-miss"]);
	expect(diagnostics[0]?.message).toContain(message);
	expect(diagnostics[0]?.hint).toContain(hint);
});

test.each([
	[host, "web-2", "web-1"],
	[host, "db-1.example.org", "web-1.example.org"],
	[host, "web-*.net", "web-1.example.org"],
	[host, "", "web-1"],
	["role", "web", "web-1"],
])("%s: %s is another host than %s", (name, wanted, hostname) => {
	expect(look(name, wanted, hostname)).toEqual({ selected: false, diagnostics: [] });
});

test("what is advised for any domain selects the host", () => {
	expect(look(host, "web-1.*", "web-1.example.org").selected).toBe(true);
	expect(look(host, "web-1,web-1.example.org", "web-1").selected).toBe(true);
});

test("an unknown label's hint names the selector for every host, and the label that is near", () => {
	const [found] = look("kubernetes.io/hostnam", "web-1", "web-1").diagnostics;
	expect(found?.hint).toContain("did you mean kubernetes.io/hostname?");
	expect(found?.hint).toContain('kubernetes.io/hostname: "*" selects every host');
});
