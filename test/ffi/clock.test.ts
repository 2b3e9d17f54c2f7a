import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { bootTime, clockSynchronized } from "../../ffi/clock.ts";

test("the clock is the kernel's own, counted from boot, and goes forward", async () => {
	const uptime = () => Number(readFileSync("/proc/uptime", "utf8").split(" ", 1)[0]);
	const before = uptime();
	const first = bootTime();
	await Bun.sleep(30);
	const second = bootTime();
	// /proc/uptime is this clock, cut to hundredths.
	expect(first).toBeGreaterThanOrEqual(before);
	expect(second).toBeLessThan(uptime() + 0.02);
	expect(second - first).toBeGreaterThan(0.025);
});

test("the kernel says whether something keeps the clock", () => {
	const synchronized = clockSynchronized();
	expect([true, false]).toContain(synchronized as boolean);
	// systemd-timesyncd, where it runs, writes down the same.
	if (existsSync("/run/systemd/timesync/synchronized")) expect(synchronized).toBe(true);
});
