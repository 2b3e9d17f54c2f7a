import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NotifySocket } from "../../ffi/notify.ts";
import { Datagrams } from "./support/datagrams.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-notify."));
});
afterEach(() => rmSync(directory, { recursive: true }));

function open(address: string): NotifySocket {
	const opened = NotifySocket.open(address);
	if (!opened.ok) throw new Error(opened.error);
	return opened.socket;
}

test.each([
	["a path", () => join(directory, "notify")],
	["the longest path", () => join(directory, "x".repeat(107 - directory.length - 1))],
	["an abstract name", () => `@portward-test/${process.pid}`],
	["the longest abstract name", () => `@${`${process.pid}`.padEnd(107, "y")}`],
])("a datagram arrives at %s", (_, address) => {
	using manager = new Datagrams(address());
	const socket = open(address());
	expect(socket.send(["READY=1", "STATUS=üx"])).toBeNull();
	expect(socket.send(["WATCHDOG=1"])).toBeNull();
	socket.close();
	expect(manager.take()).toEqual([["READY=1", "STATUS=üx"], ["WATCHDOG=1"]]);
	expect(socket.send(["READY=1"])).toContain("closed");
	socket.close();
});

test.each([
	[""],
	["/"],
	["@"],
	["relative/path"],
	["vsock:2:1234"],
	["/a\0b"],
	[`/${"x".repeat(107)}`],
	[`@${"y".repeat(108)}`],
])("%p is refused as an address", (address) => {
	expect(NotifySocket.open(address).ok).toBe(false);
});

test("nobody who listens, and a queue that is full, are error texts at once", () => {
	const path = join(directory, "notify");
	const socket = open(path);
	expect(socket.send(["READY=1"])).toContain("ENOENT");
	using manager = new Datagrams(path);
	let error: string | null = null;
	for (let count = 0; count < 10_000 && error === null; count++) error = socket.send(["WATCHDOG=1"]);
	expect(error).toContain("EAGAIN");
	expect(manager.take().length).toBeGreaterThan(0);
	expect(socket.send(["WATCHDOG=1"])).toBeNull();
	const before = readdirSync("/proc/self/fd").length;
	socket.close();
	expect(readdirSync("/proc/self/fd").length).toBe(before - 1);
});
