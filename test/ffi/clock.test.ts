import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { bootTime } from "../../ffi/clock.ts";

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
