import { afterEach, expect, test } from "bun:test";
import { InstanceLock } from "../../ffi/lock.ts";
import { enterIsolatedNetwork } from "../system/support/isolated.ts";

const TABLE = `test_${process.pid}`;
const held: InstanceLock[] = [];

function acquire(): ReturnType<typeof InstanceLock.acquire> {
	const result = InstanceLock.acquire(TABLE);
	if (result.ok) held.push(result.lock);
	return result;
}

afterEach(() => {
	for (const lock of held.splice(0)) lock.release();
});

test("one holder at a time", () => {
	expect(InstanceLock.isHeld(TABLE)).toBe(false);
	const first = acquire();
	expect(first.ok).toBe(true);
	expect(acquire()).toEqual({ ok: false, reason: "held" });
	expect(InstanceLock.isHeld(TABLE)).toBe(true);
	expect(InstanceLock.isHeld(`${TABLE}x`)).toBe(false);
	if (first.ok) {
		first.lock.release();
		first.lock.release();
	}
	expect(InstanceLock.isHeld(TABLE)).toBe(false);
	expect(acquire().ok).toBe(true);
});

test("the death of the holder frees the lock", async () => {
	const script = `
		import { InstanceLock } from ${JSON.stringify(new URL("../../ffi/lock.ts", import.meta.url).pathname)};
		const lock = InstanceLock.acquire(${JSON.stringify(TABLE)});
		console.log(lock.ok);
		setInterval(() => {}, 1000);`;
	const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
	const reader = child.stdout.getReader();
	const { value } = await reader.read();
	expect(new TextDecoder().decode(value)).toBe("true\n");
	expect(InstanceLock.isHeld(TABLE)).toBe(true);
	child.kill("SIGKILL");
	await child.exited;
	expect(InstanceLock.isHeld(TABLE)).toBe(false);
});

test("a name that no address can hold is refused", () => {
	expect(() => InstanceLock.acquire("x".repeat(120))).toThrow(RangeError);
});

test("each network namespace has its own lock", () => {
	expect(acquire().ok).toBe(true);
	const network = enterIsolatedNetwork();
	try {
		expect(InstanceLock.isHeld(TABLE)).toBe(false);
		expect(acquire().ok).toBe(true);
	} finally {
		network.leave();
	}
	expect(InstanceLock.isHeld(TABLE)).toBe(true);
});
