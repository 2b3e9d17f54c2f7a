/** docs/containers.md: its policies and settings are valid and mean what the text says. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../src/config/parse.ts";
import { networkPart } from "../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";

const text = readFileSync(join(import.meta.dir, "../../docs/containers.md"), "utf8");
const written = [...text.matchAll(/```yaml\n(.*?)```/gsu)].map(([, yaml = ""]) => yaml);
const policies = written.filter((yaml) => yaml.startsWith("apiVersion:"));
const settings = written.filter((yaml) => !yaml.startsWith("apiVersion:"));

describe("each policy", () => {
	test.each(policies)("is valid and holds for guests alone: %#", (yaml) => {
		const parsed = parsePolicyFile("containers.yaml", yaml).documents;
		expect(parsed.flatMap(({ diagnostics }) => diagnostics)).toEqual([]);
		expect(networkPart.in(parsed).map(({ appliesTo }) => appliesTo)).toEqual(["guests"]);
	});

	test("is found", () => {
		expect(policies).toHaveLength(2);
	});
});

test("the settings are valid", () => {
	expect(settings).toHaveLength(1);
	const parsed = parseConfig("config.yaml", settings[0] ?? "");
	expect(parsed.diagnostics).toEqual([]);
	expect(parsed).toMatchObject({
		ok: true,
		config: { guests: { forwarded: "enforce", uplinks: ["vmbr0"] } },
	});
});

test("a config that says nothing means audit, as the text says", () => {
	expect(text).toContain("A config that says nothing of `guests` means `audit`");
	expect(parseConfig("config.yaml", "")).toMatchObject({ config: { guests: { forwarded: "audit" } } });
});
