/** Alert and recording rules: promtool takes them, each alert fires and stays silent in a case, and its runbook is there. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { rulesOf } from "../scripts/monitoring/queries.ts";

const root = resolve(import.meta.dir, "../..");
const folder = join(root, "packaging/monitoring");
const cases = ["alerts.test.yaml", "alerts-days.test.yaml"];
const alerts = rulesOf("alerts.yaml");

function promtool(...argv: string[]) {
	const program = Bun.which("promtool") ?? join(root, "node_modules/.bin/promtool");
	const { exitCode, stdout, stderr } = Bun.spawnSync([program, ...argv], { cwd: folder });
	return { exitCode, output: stdout.toString() + stderr.toString() };
}

test("promtool takes the rules", () => {
	const { exitCode, output } = promtool("check", "rules", "alerts.yaml", "recording.yaml");
	expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
	expect(output).not.toContain("FAILED");
});

test("every alert fires where it should, and nowhere else", () => {
	const { exitCode, output } = promtool("test", "rules", ...cases);
	expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
	expect(output.match(/SUCCESS/g)).toHaveLength(cases.length);
});

describe.each(alerts.map((rule) => [rule.alert ?? "", rule] as const))("%s", (name, rule) => {
	test("is an alert as monitoring mixins have them", () => {
		expect(name).toMatch(/^Portward[A-Z][A-Za-z]+$/);
		expect(["critical", "warning", "info"]).toContain(rule.labels?.severity ?? "");
		expect(Object.keys(rule.annotations ?? {}).sort()).toEqual(["description", "runbook_url", "summary"]);
		for (const text of [rule.annotations?.summary ?? "", rule.annotations?.description ?? ""])
			expect(text).toMatch(/^\S.*\.$/s);
	});

	test("has a case with a host for which it is silent", () => {
		const tests: readonly {
			readonly input_series: readonly { readonly series: string }[];
			readonly alert_rule_test?: readonly {
				readonly alertname: string;
				readonly exp_alerts: readonly object[];
			}[];
		}[] = cases.flatMap((file) => parse(readFileSync(join(folder, file), "utf8")).tests);
		const own = tests.filter(({ alert_rule_test: rules = [] }) =>
			rules.some(({ alertname, exp_alerts }) => alertname === name && exp_alerts.length > 0),
		);
		expect(own.length).toBeGreaterThan(0);
		expect(
			own.every(({ input_series }) => input_series.some(({ series }) => !series.includes('"a:9755"'))),
		).toBe(true);
	});

	test("has a runbook that says what it means, what to look at and what to do", () => {
		const [page, anchor = ""] = (rule.annotations?.runbook_url ?? "").split("#");
		expect(page).toBe("docs/runbooks.md");
		const sections = readFileSync(join(root, page ?? ""), "utf8").split(/^## /m);
		const own = sections.find((section) => section.split("\n")[0]?.toLowerCase() === anchor);
		expect(own ?? "").toContain("**Means.**");
		expect(own ?? "").toContain("**Look at.**");
		expect(own ?? "").toContain("**Do.**");
		expect(own ?? "").toStartWith(`${name}\n`);
	});
});

test("no runbook is left of an alert that is gone", () => {
	const page = readFileSync(join(root, "docs/runbooks.md"), "utf8");
	const sections = [...page.matchAll(/^## (Portward\w+)$/gm)].map(([, name = ""]) => name);
	expect(sections).toEqual(alerts.map(({ alert = "" }) => alert));
});
