import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnixSocketTransport } from "../../../src/sinks/transports/unix-socket.ts";
import { Datagrams } from "../../ffi/support/datagrams.ts";
import { numbered } from "../support/settings.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-unix."));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const outgoing = (count: number, text = "line") =>
	Array.from({ length: count }, (_, index) => ({ alert: numbered(index), text: `${text} ${index}` }));

test("a datagram each; a full receiver is waited for; one that is gone is an error, and one that is back is none", async () => {
	const path = join(directory, "log");
	const sender = new UnixSocketTransport(path, ({ text }) => Buffer.from(text));
	expect((await sender.send(outgoing(1))).error).toContain("ENOENT");
	{
		using receiver = new Datagrams(path);
		expect(await sender.send(outgoing(2))).toMatchObject({ done: 2, error: "", wait: null });
		expect(receiver.take().flat()).toEqual(["line 0", "line 1"]);
		// A queue of datagrams is short (net.unix.max_dgram_qlen), and 5000 are more than any.
		const full = await sender.send(outgoing(5000));
		expect(full).toMatchObject({ error: "" });
		expect(full.done).toBeLessThan(5000);
		expect(full.wait).not.toBeNull();
		expect(receiver.take()).toHaveLength(full.done);
	}
	expect((await sender.send(outgoing(1))).error).toContain("ECONNREFUSED");
	rmSync(path);
	using again = new Datagrams(path);
	expect((await sender.send(outgoing(1))).done).toBe(1);
	expect(again.take()).toHaveLength(1);
	sender.close();
});

test("what is longer than any datagram is made shorter, and counted", async () => {
	const path = join(directory, "log");
	using receiver = new Datagrams(path);
	const sender = new UnixSocketTransport(path, ({ text }, short) => Buffer.from(short ? "short" : text));
	const [long] = outgoing(1, "x".repeat(20_000_000));
	if (long === undefined) throw new Error("none");
	expect(await sender.send([long])).toMatchObject({ done: 1, cut: 1 });
	expect(receiver.take()).toEqual([["short"]]);
	sender.close();
});

test("a path that no socket can have is an error", async () => {
	const sender = new UnixSocketTransport(`/${"x".repeat(200)}`, ({ text }) => Buffer.from(text));
	expect(await sender.send(outgoing(1))).toMatchObject({ done: 0 });
});
