import { expect, test } from "bun:test";
import { AF_UNIX, SOCK_DGRAM, SOL_SOCKET } from "../../ffi/constants.ts";
import { Libc } from "../../ffi/libc.ts";

function libc(): Libc {
	const result = Libc.open();
	if (!result.ok) throw new Error(result.reason);
	return result.libc;
}

test("a failing call gives errno and its name", () => {
	expect(libc().close(-1)).toEqual({ ok: false, errno: 9, error: expect.stringContaining("close: EBADF") });
	expect(libc().socket(9999, SOCK_DGRAM, 0)).toMatchObject({ ok: false, errno: 97 });
});

test("errno stays right through many calls", () => {
	for (let round = 0; round < 2000; round++) {
		const result = round % 2 === 0 ? libc().close(-1) : libc().socket(9999, SOCK_DGRAM, 0);
		expect(result.ok ? 0 : result.errno).toBe(round % 2 === 0 ? 9 : 97);
	}
});

test("integers out of range throw before the call", () => {
	expect(() => libc().close(2 ** 32)).toThrow(RangeError);
	expect(() => libc().socket(1.5, 2, 0)).toThrow(RangeError);
	expect(() => libc().interfaceName(-1)).toThrow(RangeError);
});

test("interface names are found by index", () => {
	expect(libc().interfaceName(1)).toBe("lo");
	expect(libc().interfaceName(0)).toBeNull();
	expect(libc().interfaceName(4_000_000_000)).toBeNull();
});

test("socket options round-trip", () => {
	const created = libc().socket(AF_UNIX, SOCK_DGRAM, 0);
	if (!created.ok) throw new Error(created.error);
	const SO_PRIORITY = 12;
	expect(libc().setIntegerOption(created.value, SOL_SOCKET, SO_PRIORITY, 3)).toEqual({ ok: true, value: 0 });
	expect(libc().getIntegerOption(created.value, SOL_SOCKET, SO_PRIORITY)).toEqual({ ok: true, value: 3 });
	expect(libc().close(created.value).ok).toBe(true);
});

test("glibc can give memory back", () => {
	expect(libc().trimHeap()).toBe(true);
});
