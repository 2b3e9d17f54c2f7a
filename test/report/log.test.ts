import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLogger, formatLogLine, type LogFormat, type LoggerOptions } from "../../src/report/log.ts";

const time = Date.UTC(2026, 10, 21, 8, 0, 0, 5);
const hostile = fc.string({ unit: "binary", maxLength: 40 });

function capture(options: Pick<LoggerOptions, "format" | "colour">) {
	const lines: string[] = [];
	return { lines, logger: createLogger({ ...options, now: () => time, write: (line) => lines.push(line) }) };
}

test("text is time, level, message, then key=value with quotes where they are needed", () => {
	const { lines, logger } = capture({ format: "text", colour: false });
	logger.info("policies loaded", {
		count: 3,
		dir: "/etc/x",
		note: 'two "words"',
		empty: "",
		list: ["a", "b"],
	});
	expect(lines).toEqual([
		'2026-11-21T08:00:00.005Z info policies loaded count=3 dir=/etc/x note="two \\"words\\"" empty="" list=a,b\n',
	]);
});

test("levels are named and coloured only when asked", () => {
	const plain = capture({ format: "text", colour: false });
	plain.logger.warn("w");
	plain.logger.error("e");
	expect(plain.lines.join("")).not.toContain("\x1b");
	const coloured = capture({ format: "text", colour: true });
	coloured.logger.error("e");
	expect(coloured.lines).toEqual(["2026-11-21T08:00:00.005Z \x1b[31merror\x1b[0m e\n"]);
});

test("json fields cannot forge the record's own keys", () => {
	const line = formatLogLine({ format: "json", colour: false }, time, "error", "real", {
		message: "forged",
		level: "info",
		time: "never",
		policy: "np1",
	});
	expect(JSON.parse(line)).toEqual({
		time: "2026-11-21T08:00:00.005Z",
		level: "error",
		message: "real",
		policy: "np1",
	});
});

describe.each(["text", "json"] satisfies LogFormat[])("%s", (format) => {
	test("any value stays on one line without controls", () => {
		fc.assert(
			fc.property(hostile, hostile, hostile, (message, key, value) => {
				const line = formatLogLine({ format, colour: false }, time, "info", message, { [key]: value });
				expect(line.endsWith("\n")).toBe(true);
				expect(line.slice(0, -1)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
				if (format === "json")
					expect(JSON.parse(line).message).toBe(
						message.toWellFormed() === message ? message : JSON.parse(JSON.stringify(message)),
					);
			}),
		);
	});

	test("a huge value is cut", () => {
		const line = formatLogLine({ format, colour: false }, time, "info", "m", { text: "x".repeat(1e6) });
		expect(line.length).toBeLessThan(5000);
		expect(line).toContain("more)");
	});
});
