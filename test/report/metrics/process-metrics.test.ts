import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { parseProcess, readProcess } from "../../../src/report/metrics/process-metrics.ts";

const stat =
	"42 (a) b (c) R 1 42 42 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 5 0 12345 987654144 500 18446744073709551615 1 1 0 0";
const status = "Name:\tx\nVmRSS:\t    2048 kB\n";
const limits =
	"Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 4096                 files     \n";

test("the fields of proc(5), whatever the command is called", () => {
	expect(parseProcess(stat, status, limits, "cpu 1\nbtime 1000\n", 9)).toEqual({
		cpuSeconds: 4,
		residentBytes: 2 * 1024 * 1024,
		virtualBytes: 987654144,
		openFds: 9,
		maxFds: 1024,
		startTime: 1123.45,
	});
	expect(parseProcess(stat, status, limits.replace("1024 ", "unlimited "), "btime 1\n", 9)?.maxFds).toBe(
		Number.POSITIVE_INFINITY,
	);
});

test.each([
	["", status, limits, "btime 1\n"],
	[stat, "", limits, "btime 1\n"],
	[stat, status, "", "btime 1\n"],
	[stat, status, limits, ""],
])("a text that is not as documented gives null", (a, b, c, d) => {
	expect(parseProcess(a, b, c, d, 1)).toBeNull();
});

test("this process", () => {
	const sample = readProcess();
	expect(sample?.residentBytes).toBeGreaterThan(1_000_000);
	expect(sample?.openFds).toBeGreaterThan(2);
	// The runtime's own uptime is on another clock, which a machine that was suspended lets fall behind.
	const sinceBoot = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
	const atBoot =
		Number(
			readFileSync("/proc/self/stat", "utf8")
				.replace(/^.*\) /, "")
				.split(" ")[19],
		) / 100;
	const started = Date.now() / 1000 - (sinceBoot - atBoot);
	expect(Math.abs((sample?.startTime ?? 0) - started)).toBeLessThan(5);
});
