import { expect, test } from "bun:test";
import { awakeTimeout } from "../../../../src/enforcers/usb/run/awake-timer.ts";

test("time for which the process stood still does not count", async () => {
	let fired = false;
	awakeTimeout(200, () => {
		fired = true;
	});
	// Frozen on the way to sleep: nothing of this process runs.
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
	await new Promise((resolve) => setImmediate(resolve));
	expect(fired).toBe(false);
	const deadline = Date.now() + 5000;
	while (!fired && Date.now() < deadline) await Bun.sleep(5);
	expect(fired).toBe(true);
});

test("what is cancelled does not come", async () => {
	let fired = false;
	const cancel = awakeTimeout(16, () => {
		fired = true;
	});
	cancel();
	await Bun.sleep(60);
	expect(fired).toBe(false);
});
