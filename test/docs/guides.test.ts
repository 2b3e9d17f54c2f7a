/** What the guides tell operators to type and to look for exists. */

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { matchSelector, nodeLabels } from "../../src/document/labels.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { commands } from "../cli/support/portward.ts";

const root = resolve(import.meta.dir, "../..");
const guides = [
	"README.md",
	...[
		"policies",
		"operations",
		"http",
		"recipes",
		"troubleshooting",
		"policy-as-code",
		"runbooks",
		"support",
	].map((name) => `docs/${name}.md`),
];
const read = (file: string) => readFileSync(join(root, file), "utf8");

/** GitHub's name for a heading. */
function anchor(heading: string): string {
	return heading
		.toLowerCase()
		.replace(/[^\w\- ]/g, "")
		.replaceAll(" ", "-");
}

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
	.filter((name) => name.endsWith(".ts"))
	.map((name) => read(join("src", name)))
	.join("\n");

describe.each(guides)("%s", (file) => {
	const text = read(file);

	test("names commands that there are", () => {
		const known = new Set(["help", ...commands.map(({ name }) => name)]);
		const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```|`([^`\n]+)`/g)].map(
			(match) => match[1] ?? match[2] ?? "",
		);
		const named = blocks.flatMap((block) =>
			[...block.matchAll(/(?:^|&& )(?:dist\/)?portward ([a-z-]+)/gm)].map(([, name = ""]) => name),
		);
		expect(named.length).toBeGreaterThan(2);
		expect(named.filter((name) => !known.has(name))).toEqual([]);
	});
});

const documents = [
	...["README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY"].map((name) => `${name}.md`),
	...readdirSync(join(root, "docs"))
		.filter((name) => name.endsWith(".md"))
		.map((name) => `docs/${name}`),
];

describe.each(documents)("%s", (file) => {
	const text = read(file);

	test("links to what there is", () => {
		for (const [, target = ""] of text.matchAll(/\]\(([^)]+)\)/g)) {
			if (/^https?:/.test(target)) continue;
			const [path = "", heading] = target.split("#");
			const linked = path === "" ? file : join(file, "..", path);
			expect([target, existsSync(join(root, linked))]).toEqual([target, true]);
			if (heading === undefined) continue;
			const headings = [...read(linked).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => anchor(title));
			expect(headings).toContain(heading);
		}
	});
});

test("the codes that troubleshooting names are given somewhere", () => {
	const codes = [...read("docs/troubleshooting.md").matchAll(/\(`([a-z0-9]+(?:-[a-z0-9]+)+)`/g)].map(
		([, code = ""]) => code,
	);
	expect(codes.length).toBeGreaterThan(5);
	for (const code of codes) {
		const built = code.replace(/^ipv[46]-/, "").replace(/-(in|e)gress$/, "");
		expect([code, sources.includes(built)]).toEqual([code, true]);
	}
});

test("the first policies that one reads are right, and select a host that was never labelled", () => {
	const examples = `${read("README.md")}${read("docs/policies.md")}`
		.split("```yaml\n")
		.map((part) => part.slice(0, part.indexOf("```")))
		.filter((part) => part.startsWith("apiVersion:"));
	expect(examples.length).toBeGreaterThan(2);
	const labels = nodeLabels({}, { hostname: "fresh", arch: "x64" });
	for (const example of examples) {
		const [document] = parsePolicyFile("README.md", example).documents;
		expect(document?.diagnostics).toEqual([]);
		const selector = document?.policy?.nodeSelector ?? {
			matchLabels: {},
			place: { file: "", line: 1, column: 1 },
		};
		expect(matchSelector(selector, labels)).toEqual({ selected: true, diagnostics: [] });
	}
});
