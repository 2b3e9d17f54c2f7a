import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AF_UNIX, SOCK_DGRAM } from "../../ffi/constants.ts";
import { Libc } from "../../ffi/libc.ts";
import { sendNow, writeWaiting } from "../../ffi/stream.ts";

const bytes = new TextEncoder().encode("line\n");

test("what is no connected socket is gone for good", () => {
	const dir = mkdtempSync(join(tmpdir(), "portward-stream-"));
	expect(sendNow(openSync(join(dir, "file"), "w"), bytes)).toBe(-1);
	rmSync(dir, { recursive: true });
	const opened = Libc.open();
	if (!opened.ok) throw new Error(opened.reason);
	const socket = opened.libc.socket(AF_UNIX, SOCK_DGRAM, 0);
	if (!socket.ok) throw new Error(socket.error);
	expect(sendNow(socket.value, bytes)).toBe(-1);
	expect(opened.libc.close(socket.value).ok).toBe(true);
	expect(sendNow(socket.value, bytes)).toBe(-1);
});

test("nothing to send is no failure", () => {
	expect(sendNow(-1, new Uint8Array())).toBe(0);
});

test("without the C library it is written, and a descriptor that takes nothing is gone", () => {
	const descriptor = openSync("/dev/null", "w");
	expect(writeWaiting(descriptor, bytes)).toBe(bytes.length);
	closeSync(descriptor);
	const reading = openSync("/dev/null", "r");
	expect(writeWaiting(reading, bytes)).toBe(-1);
	closeSync(reading);
});
