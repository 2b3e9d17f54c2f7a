/** README: short, and what it shows is what the product does. */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { picture, picturePath, themes } from "../../scripts/picture.ts";
import { compileNetwork } from "../../src/enforcers/network/compile/network.ts";
import { networkAlert } from "../../src/enforcers/network/report/network-alert.ts";
import type { Alert } from "../../src/report/alert.ts";
import { options } from "../enforcers/network/compile/options.ts";
import { valid } from "../engine/support/policy.ts";

const root = resolve(import.meta.dir, "../..");
const text = readFileSync(join(root, "README.md"), "utf8");

/** The first block of a language. */
const block = (language: string) => text.split(`\`\`\`${language}\n`)[1]?.split("```")[0] ?? "";

test("is at most 100 lines, and opens with the two commands", () => {
	expect(text.split("\n").length - 1).toBeLessThanOrEqual(100);
	const commands = block("sh")
		.split("\n")
		.map((line) => line.replace(/\s+#.*/, ""));
	expect(commands).toEqual(["npm run demo", "npm test", ""]);
	expect(text.indexOf("```sh")).toBeLessThan(400);
});

test("the alert is what the policy raises, to the letter", () => {
	const shown: Alert = JSON.parse(block("json"));
	const compiled = compileNetwork([valid(block("yaml"))], options);
	if (!compiled.ok) throw new Error("the policy does not compile");
	const rule = compiled.plan.rules.find(({ policy }) => policy === shown.PolicyName);
	if (rule === undefined) throw new Error("no rule of the policy");
	const { SourceIP = "", SourcePort, DestinationIP = "", DestinationPort, Interface = "" } = shown.EventData;
	const packet = {
		family: 4,
		source: SourceIP,
		destination: DestinationIP,
		protocol: 6,
		sourcePort: Number(SourcePort),
		destinationPort: Number(DestinationPort),
	} as const;
	const event = { time: 1_771_821_095_104.233, ruleId: rule.id, packet, interface: Interface };
	const raised = networkAlert(event, rule, { clusterName: "default", hostName: "vm1", nodeId: "n1" });
	expect(JSON.stringify(shown)).toBe(JSON.stringify(raised));
});

describe("the picture", () => {
	test.each(themes.map(({ name }) => name))("is drawn by the script: %s", async (name) => {
		const theme = themes.find((one) => one.name === name);
		if (theme === undefined) throw new Error(name);
		const committed = await Bun.file(join(root, picturePath(theme))).text();
		expect(committed === picture(theme) ? "" : "run npm run docs").toBe("");
		expect(text).toContain(picturePath(theme));
	});

	test("every picture that is shown is there", () => {
		const shown = [...text.matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, path = ""]) => path);
		expect(shown.filter((path) => !existsSync(join(root, path)))).toEqual([]);
		expect(shown).toHaveLength(4);
	});
});
