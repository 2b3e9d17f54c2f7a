import { expect, test } from "bun:test";
import type { Diagnostic } from "../../src/base/diagnostic.ts";
import { DiagnosticLog } from "../../src/daemon/diagnostic-log.ts";

const finding = (line: number, severity: "error" | "warning"): Diagnostic => ({
	file: "/p/a.yaml",
	line,
	column: 3,
	path: "spec",
	severity,
	code: "code",
	message: `message ${line}`,
	hint: "hint",
});

function logger() {
	const lines: string[] = [];
	const at = (level: string) => (message: string, fields?: object) => {
		const detail = fields !== undefined && "place" in fields ? fields.place : JSON.stringify(fields);
		lines.push(`${level} ${message} ${detail}`);
	};
	return { lines, log: new DiagnosticLog({ info: at("info"), warn: at("warn"), error: at("error") }) };
}

test("that the enforcer is unavailable is logged once for each reason", () => {
	const { lines, log } = logger();
	for (const reason of ["one", "one", "two", "", "two"])
		log.logUnavailable({ state: reason === "" ? "active" : "unavailable", reason });
	expect(lines.map((line) => line.slice(-16))).toEqual([
		'{"reason":"one"}',
		'{"reason":"two"}',
		'{"reason":"two"}',
	]);
});

test("a finding is logged once, and again when it has gone and come back", () => {
	const { lines, log } = logger();
	const [first, second] = [finding(1, "error"), finding(2, "warning")];
	log.log([first]);
	log.log([first, second]);
	log.log([second]);
	log.log([first, second]);
	expect(lines).toEqual([
		"error message 1 /p/a.yaml:1:3",
		"warn message 2 /p/a.yaml:2:3",
		"error message 1 /p/a.yaml:1:3",
	]);
});
