import { expect, test } from "bun:test";
import { formatFamilies } from "../../../src/report/metrics/exposition.ts";
import { familiesOf } from "../../../src/report/metrics/group.ts";
import { signatureMetrics } from "../../../src/report/metrics/signature-metrics.ts";
import type { DaemonState } from "../../../src/report/status.ts";
import { sampleState } from "../sample.ts";

test("metrics say whether the directory is taken and which serial is, and nothing where no signature is required", () => {
	const samples = (signature: DaemonState["signature"]) =>
		formatFamilies(familiesOf([signatureMetrics], { state: sampleState({ signature }) }))
			.split("\n")
			.filter((line) => line !== "" && !line.startsWith("#"));
	expect(samples({ ok: true, serial: 7, problem: null, remedy: "", standing: null })).toEqual([
		"portward_policy_serial 7",
		"portward_policy_signature_ok 1",
	]);
	expect(samples({ ok: false, serial: null, problem: "why", remedy: "do", standing: "none" })).toEqual([
		"portward_policy_signature_ok 0",
	]);
	expect(samples(null)).toEqual([]);
});
