import { expect, test } from "bun:test";
import net from "node:net";
import { peekStream } from "../../ffi/peek.ts";

test("what waits is copied as often as one looks; an end is told from nothing", async () => {
	const accepted = Promise.withResolvers<Bun.Socket<undefined>>();
	const listener = Bun.listen({
		hostname: "127.0.0.1",
		port: 0,
		allowHalfOpen: true,
		socket: {
			open(socket) {
				socket.pause();
				accepted.resolve(socket);
			},
			data() {},
		},
	});
	const client = net.connect(listener.port, "127.0.0.1");
	const socket = await accepted.promise;
	const fd = "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
	const buffer = new Uint8Array(4);
	expect(peekStream(fd, buffer)).toBe(0);
	client.write("abcdef");
	while (peekStream(fd, buffer) === 0) await Bun.sleep(5);
	for (let look = 0; look < 3; look++) {
		expect(peekStream(fd, buffer)).toBe(4);
		expect(Buffer.from(buffer).toString()).toBe("abcd");
	}
	client.destroy();
	listener.stop(true);
	expect(peekStream(-1, buffer)).toBe(-1);
});
