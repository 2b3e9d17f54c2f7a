import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { documentedCommands, madePages, manPage, withPart } from "../../scripts/docs.ts";
import { everyMetric } from "../../scripts/docs-metrics.ts";
import { everyMetric as everySample } from "../report/metrics/input.ts";

const root = join(import.meta.dir, "../..");
const remedy = "run npm run docs";

test("the man page is what the commands and settings say now", async () => {
	const committed = await Bun.file(join(root, "packaging/portward.8")).text();
	expect(committed === manPage(documentedCommands()) ? "" : remedy).toBe("");
});

test.each(madePages().map((made) => [made.path, made] as const))(
	"%s is what the code says now",
	async (path, { name, part }) => {
		const page = await Bun.file(join(root, path)).text();
		expect(page === withPart(page, name, part) ? "" : remedy).toBe("");
	},
);

describe("the metrics", () => {
	/** Name, type and labels of every metric in an answer that has a sample of each. */
	const answered = everySample()
		.split("# HELP ")
		.slice(1)
		.map((part) => {
			const [, name = "", type = ""] = /^(\S+) .*\n# TYPE \S+ (\S+)\n/.exec(part) ?? [];
			const labels = [...part.matchAll(/[{,]([a-z_]+)="/g)].map(([, label = ""]) => label);
			return { name, type, labels: [...new Set(labels)].filter((label) => label !== "le") };
		});

	test("are told as they are answered: names, types and labels", () => {
		const told = everyMetric.map(({ name, type, labels }) => ({
			name,
			type: `${type}`,
			labels: [...labels],
		}));
		expect(told).toEqual(answered);
	});

	test("have each a version that there is, and names as Prometheus wants them", () => {
		const changelog = readFileSync(join(root, "CHANGELOG.md"), "utf8");
		for (const { name, type, since } of everyMetric) {
			expect([name, changelog.includes(`## [${since}]`)]).toEqual([name, true]);
			expect(name).toMatch(/^(portward|process)_[a-z_]+$/);
			if (type === "counter") expect(name).toEndWith("_total");
		}
	});
});

test("what docs/metrics.md says to watch is there", async () => {
	const page = await Bun.file(join(root, "docs/metrics.md")).text();
	const [, watched = ""] = page.split("## What to watch");
	const named = [...watched.matchAll(/\bportward_\w+/g)].map(([name]) => name);
	expect(named.length).toBeGreaterThan(5);
	expect(named.filter((word) => !everyMetric.some(({ name }) => name === word))).toEqual([]);
});

test("the man page has no request of the texts' own making", () => {
	const page = manPage([
		{ name: "x", summary: "s", help: ".so /etc/shadow\n'br\n\\fBbold\\fR\n", run: async () => 0 },
	]);
	expect(page).toContain("\\&.so /etc/shadow");
	expect(page).toContain("\\&'br");
	expect(page).toContain("\\efBbold\\efR");
});

test("a page without the marks is not guessed at", () => {
	expect(() => withPart("# Portward\n", "settings", "")).toThrow("settings");
});
