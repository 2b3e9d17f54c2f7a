import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AlertFile } from "../../../src/report/sinks/alert-file.ts";
import type { AlertLine } from "../../../src/report/sinks/alert-ring.ts";

let directory = "";
let path = "";

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-file-"));
	path = join(directory, "alerts.log");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function alert(policy: string, text: string, rule = "0"): AlertLine {
	return { policy, rule, action: "Block", json: JSON.stringify({ policy, text }) };
}

const everything = () =>
	readdirSync(directory)
		.map((name) => readFileSync(join(directory, name), "utf8"))
		.join("");

function write(file: AlertFile, ...alerts: readonly AlertLine[]): void {
	expect(
		file.write(
			alerts.map(({ json }) => `${json}\n`),
			alerts,
		),
	).toEqual({ dropped: 0, error: "" });
}

test.each([0, 1, 3])("a quiet policy's alerts outlive a flood that turns %d old files over", (keep) => {
	const file = new AlertFile({ path, maxBytes: 65_536, keep });
	write(file, alert("quiet", "first"), alert("loud0", "of a quiet rule", "quiet"));
	for (let round = 0; round < 1200; round++)
		write(
			file,
			...Array.from({ length: 20 }, (_, index) => alert(`loud${index % 4}`, `flood ${round} ${index}`)),
		);
	write(file, alert("quiet", "second"));
	const text = everything();
	expect(text).not.toContain('"flood 0 0"');
	for (const line of ['{"policy":"quiet","text":"first"}', "of a quiet rule", '"second"', '"flood 1199 19"'])
		expect(text.split(line)).toHaveLength(2);
	for (const name of readdirSync(directory))
		expect(readFileSync(join(directory, name)).length).toBeLessThanOrEqual(65_536);
	expect(readdirSync(directory)).toHaveLength(keep + 1);
	file.close();
});

test("what is carried over leaves most of a file for what comes", () => {
	const file = new AlertFile({ path, maxBytes: 8192, keep: 0 });
	for (let policy = 0; policy < 300; policy++) write(file, alert(`p${policy}`, "x".repeat(100)));
	for (let index = 0; index < 500; index++) write(file, alert("loud", `${index}`));
	const lines = readFileSync(path, "utf8").split("\n");
	expect(lines.join("\n").length).toBeLessThanOrEqual(8192);
	expect(lines.filter((line) => line.includes('"p')).length).toBeGreaterThan(3);
	expect(lines.at(-2)).toContain('"499"');
	file.close();
});
