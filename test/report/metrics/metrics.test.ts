import { expect, test } from "bun:test";
import { renderMetrics } from "../../../src/report/metrics/metrics.ts";
import { metricsInput as input } from "./input.ts";

test("the golden text", async () => {
	const golden = Bun.file(new URL("../../fixtures/report/metrics.txt", import.meta.url));
	expect(renderMetrics(input())).toBe(await golden.text());
});

test("promtool accepts it", async () => {
	const promtool = Bun.spawn(["promtool", "check", "metrics"], {
		stdin: Buffer.from(renderMetrics(input())),
		stdout: "pipe",
		stderr: "pipe",
	});
	const output = (await promtool.stdout.text()) + (await promtool.stderr.text());
	expect({ code: await promtool.exited, output }).toEqual({ code: 0, output: "" });
});

test("every policy state has a series, so that an alert on it has something to compare", () => {
	const text = renderMetrics(input());
	for (const state of ["enforced", "last_good", "invalid", "not_selected", "refused"]) {
		expect(text).toMatch(new RegExp(`^portward_policies\\{state="${state}"\\} \\d$`, "m"));
	}
});

test("no name has more than ten thousand series, and how many are left out is said", () => {
	const raised = Array.from({ length: 12_000 }, (_, index) => ({
		policy: `p${index}`,
		action: "Block" as const,
		count: 1,
	}));
	const alerts = { ...input().alerts, raised };
	const lines = renderMetrics({ ...input(), alerts }).split("\n");
	expect(lines.filter((line) => line.startsWith("portward_alerts_total{"))).toHaveLength(10_000);
	expect(lines).toContain('portward_series_left_out{name="portward_alerts_total"} 2000');
	expect(renderMetrics(input())).not.toContain("portward_series_left_out");
});
