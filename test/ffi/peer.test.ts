import { expect, test } from "bun:test";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peerCredentials } from "../../ffi/peer.ts";

test("the kernel tells who connected to a Unix socket", async () => {
	const directory = mkdtempSync(join(tmpdir(), "portward-peer."));
	const path = join(directory, "s");
	const seen = Promise.withResolvers<ReturnType<typeof peerCredentials>>();
	const listener = Bun.listen({
		unix: path,
		socket: {
			open: (socket) =>
				seen.resolve(peerCredentials("fd" in socket && typeof socket.fd === "number" ? socket.fd : -1)),
			data: () => {},
		},
	});
	const client = await Bun.connect({ unix: path, socket: { data: () => {} } });
	expect(await seen.promise).toEqual({
		ok: true,
		peer: { pid: process.pid, uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 },
	});
	client.end();
	listener.stop(true);
	rmSync(directory, { recursive: true });
});

test("what is no Unix socket has no peer", () => {
	expect(peerCredentials(openSync("/dev/null", "r")).ok).toBe(false);
	expect(peerCredentials(-1).ok).toBe(false);
});
