/** CONTRIBUTING.md: each recipe names files that there are, and the number of files that it says is enough. */

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { commands } from "../cli/support/portward.ts";
import { importsOf, tokenize } from "../support/source.ts";

const root = resolve(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const page = read("CONTRIBUTING.md");

/** The text of a recipe. */
const recipe = (title: string) => page.split(`\n### ${title}\n`)[1]?.split("\n##")[0] ?? "";
const recipes = [...page.matchAll(/^### (.+)$/gm)].map(([, title = ""]) => title);

/** Paths in backquotes; those with a word in capitals are the reader's to make. */
const paths = (text: string) =>
	[...text.matchAll(/`((?:src|test|scripts|docs|packaging)\/[^`]+)`/g)].map(([, path = ""]) => path);
const isOwn = (path: string) => /\/[A-Z]+\b/.test(path);

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
	.filter((name) => name.endsWith(".ts"))
	.map((name) => join("src", name));
const imports = new Map(
	sources.map((path) => [
		path,
		importsOf(tokenize(read(path))).map((target) => normalize(join(dirname(path), target))),
	]),
);
/** The sources that import a file. */
const importers = (file: string) => sources.filter((path) => imports.get(path)?.includes(file));
const numbered = (title: string) =>
	[...recipe(title).matchAll(/^\d\. `(src\/[^`]+)`/gm)].map(([, path = ""]) => path);

describe.each(recipes)("%s", (title) => {
	test("names files that there are", () => {
		const named = paths(recipe(title)).filter((path) => !isOwn(path));
		expect(named.length).toBeGreaterThan(0);
		expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
	});
});

test("every npm script that it names is there, and every file", () => {
	const { scripts }: { scripts: Record<string, string> } = JSON.parse(read("package.json"));
	const named = [...page.matchAll(/npm run ([a-z:]+)/g)].map(([, name = ""]) => name);
	expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
	expect(paths(page).filter((path) => !isOwn(path) && !existsSync(join(root, path)))).toEqual([]);
});

test("a command is registered in two files: its own, and the list", () => {
	expect(numbered("Add a command")).toEqual(["src/cli/GROUP/NAME.ts", "src/cli/commands.ts"]);
	const modules = (imports.get("src/cli/commands.ts") ?? []).filter((path) => path !== "src/cli/command.ts");
	const listed = modules.filter((path) => path.startsWith("src/cli/"));
	expect(listed).toHaveLength(commands.length);
	// Another command may run it, as resume does restore; nothing else has to know it.
	for (const { name } of commands) {
		const file = listed.find((path) => path.endsWith(`/${name}.ts`)) ?? name;
		const constant = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
		const own = new RegExp(`import \\{[^}]*\\b${constant}(?:Command)?\\b[^}]*\\} from "[^"]*/${name}\\.ts"`);
		expect([name, importers(file).filter((path) => !listed.includes(path) && own.test(read(path)))]).toEqual([
			name,
			["src/cli/commands.ts"],
		]);
	}
});

test("an enforcer is registered in one line of the list", () => {
	const [, list = ""] =
		/enforcers: readonly Enforcer\[\] = \[([^\]]*)\]/.exec(read("src/engine/enforcers.ts")) ?? [];
	const folders = readdirSync(join(root, "src/enforcers")).filter((name) =>
		existsSync(join(root, "src/enforcers", name, "parse")),
	);
	expect(list.split(",").map((name) => name.trim())).toEqual(folders.map((name) => `${name}Enforcer`));
	expect(numbered("Add an enforcer")).toEqual(["src/enforcers/NAME/enforcer.ts", "src/engine/enforcers.ts"]);
});

test("a sink touches three files at most", () => {
	const files = numbered("Add a sink for alerts");
	expect(files.length).toBeLessThanOrEqual(3);
	const alertFile = importers("src/report/sinks/alert-file.ts");
	expect(alertFile.filter((path) => !files.includes(path))).toEqual([]);
});

test("a setting is in the files of the recipe, and among those of its folder in no others", () => {
	const files = numbered("Add a setting");
	const config = sources.filter((path) => path.startsWith("src/config/"));
	// One that nothing of src/config has to look at.
	const name = /\bclusterName\b/;
	expect(config.filter((path) => name.test(read(path))).toSorted()).toEqual(
		files.filter((path) => path.startsWith("src/config/")).toSorted(),
	);
});

test("the changelog's top section is of the version that is built, or of the one after it", () => {
	const { version }: { version: string } = JSON.parse(read("package.json"));
	const headings = [...read("CHANGELOG.md").matchAll(/^## (.+)$/gm)].map(([, title = ""]) => title);
	const dated = headings.filter((title) => title !== "Unreleased");
	expect(dated[0]).toMatch(
		new RegExp(`^\\[${version.replaceAll(".", "\\.")}\\](?: - \\d{4}-\\d{2}-\\d{2})?$`),
	);
	expect(headings.indexOf("Unreleased")).toBeLessThanOrEqual(0);
	const lock: { version: string; packages: Record<string, { version?: string }> } = JSON.parse(
		read("package-lock.json"),
	);
	expect([lock.version, lock.packages[""]?.version]).toEqual([version, version]);
});
