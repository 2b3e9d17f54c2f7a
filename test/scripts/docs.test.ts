import { expect, test } from "bun:test";
import { join } from "node:path";
import { documentedCommands, manPage, withSettings } from "../../scripts/docs.ts";

const root = join(import.meta.dir, "../..");
const remedy = "run npm run docs";

test("the man page is what the commands and settings say now", async () => {
	const committed = await Bun.file(join(root, "packaging/portward.8")).text();
	expect(committed === manPage(documentedCommands()) ? "" : remedy).toBe("");
});

test("the table of settings is what the reference says now", async () => {
	const page = await Bun.file(join(root, "docs/settings.md")).text();
	expect(page === withSettings(page) ? "" : remedy).toBe("");
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
	expect(() => withSettings("# Portward\n")).toThrow("settings");
});
