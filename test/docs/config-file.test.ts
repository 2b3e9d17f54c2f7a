/** The sample settings say how a change comes into force, and what they show as a default is one. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defaultConfig, parseConfig } from "../../src/config/parse.ts";
import { hotSettings } from "../../src/daemon/hot-reload.ts";

const text = readFileSync(resolve(import.meta.dir, "../../packaging/config.yaml"), "utf8");

/** Each setting with the comment above it. */
const settings = text
	.split("\n\n")
	.slice(1)
	.map((block) => ({ key: /^#(\w+):/m.exec(block)?.[1] ?? "", comment: block }));

test("what a restart needs is marked, and what a reload takes over is not", () => {
	expect(settings.length).toBeGreaterThan(5);
	for (const { key, comment } of settings) {
		expect(Object.keys(defaultConfig())).toContain(key);
		const hot = hotSettings.some((name) => name === key);
		expect([key, comment.includes("(restart)")]).toEqual([key, !hot]);
	}
});

test("with every line in force it is a valid file, and single values are the defaults", () => {
	const shown = text.replace(/^#(?=\w+:| {2})/gm, "");
	const parsed = parseConfig("config.yaml", shown);
	expect(parsed.diagnostics).toEqual([]);
	if (!parsed.ok) throw new Error("broken");
	const { nodeLabels: _labels, failsafe: _failsafe, ...rest } = parsed.config;
	const { nodeLabels: _none, failsafe: _open, ...defaults } = defaultConfig();
	expect(rest).toEqual(defaults);
});
