import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket, UnixSocketListener } from "bun";
import { ask } from "../../../src/cli/change/control-client.ts";

let folder: string;
let path: string;
let listener: UnixSocketListener<undefined> | null = null;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "portward-control-"));
	path = join(folder, "control.sock");
});
afterEach(() => {
	listener?.stop(true);
	listener = null;
	rmSync(folder, { recursive: true });
});

/** Something that listens where the daemon should. */
function listen(data: (socket: Socket<undefined>, bytes: Buffer) => void): void {
	listener = Bun.listen({ unix: path, socket: { data } });
}

const request = { verb: "panic-open", unrecorded: "drill" } as const;

describe("asking the daemon", () => {
	test("a request that does not fit at once is sent to its end", async () => {
		const unrecorded = "x".repeat(4 * 1024 * 1024);
		let received = 0;
		listen((socket, bytes) => {
			received += bytes.length;
			if (bytes.at(-1) === 0x0a) socket.end(`${JSON.stringify({ ok: true, message: `${received}` })}\n`);
		});
		const length = Buffer.byteLength(`${JSON.stringify({ ...request, unrecorded })}\n`);
		expect(await ask(path, { ...request, unrecorded }, 20_000)).toEqual({
			answered: true,
			reply: { ok: true, message: `${length}` },
		});
	});

	test("one that says nothing is not waited for beyond the time given", async () => {
		listen(() => {});
		const started = performance.now();
		expect(await ask(path, request, 200)).toMatchObject({ answered: false });
		expect(performance.now() - started).toBeGreaterThanOrEqual(190);
	});

	test("one that never ends its line is not listened to without end", async () => {
		let sent = 0;
		listen((socket) => {
			const piece = Buffer.alloc(1024 * 1024, "y");
			for (let left = 8; left > 0; left--) sent += Math.max(0, socket.write(piece));
		});
		expect(await ask(path, request, 5000)).toMatchObject({ answered: false });
		expect(sent).toBeGreaterThan(0);
	});

	test("nobody there is said at once", async () => {
		expect(await ask(path, request, 5000)).toMatchObject({
			answered: false,
			message: expect.stringContaining(path),
		});
	});
});
