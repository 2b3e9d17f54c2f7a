import { expect, test } from "bun:test";
import net from "node:net";
import { arrivedHello } from "../../src/kernel/arrived-hello.ts";
import { judgeHello } from "../../src/kernel/client-hello.ts";

/** A record of `length` bytes whose first is the message's type. */
function record(length: number, type = 22, message = 1, version = 3): Uint8Array {
	const bytes = new Uint8Array(5 + length);
	bytes.set([type, version, 1, length >> 8, length & 0xff, message]);
	return bytes;
}

test("a whole record with a ClientHello is one, and every beginning of it may become one", () => {
	const hello = record(508);
	expect(judgeHello(hello)).toBe("hello");
	for (let length = 0; length < hello.length; length++)
		expect(judgeHello(hello.subarray(0, length))).toBe("incomplete");
});

test.each([
	["another record", record(508, 23)],
	["another message", record(508, 22, 2)],
	["another protocol", record(508, 22, 1, 2)],
	["a request without TLS", new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
	["one byte of something else", Uint8Array.of(0x47)],
	["a record without room for a message", record(3)],
	["a record that is too long", record(20_000)],
] as const)("%s is none, as early as it shows", (_, bytes) => {
	expect(judgeHello(bytes)).toBe("other");
});

test("what arrives in a socket is seen and stays there", async () => {
	const accepted = Promise.withResolvers<Bun.Socket<undefined>>();
	const received: number[] = [];
	const listener = Bun.listen({
		hostname: "127.0.0.1",
		port: 0,
		socket: {
			open(socket) {
				socket.pause();
				accepted.resolve(socket);
			},
			data: (_, bytes) => void received.push(bytes.length),
		},
	});
	const client = net.connect(listener.port, "127.0.0.1");
	const socket = await accepted.promise;
	const fd = "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
	expect(arrivedHello(fd)).toBe("incomplete");
	client.write(record(508).subarray(0, 100));
	await Bun.sleep(20);
	expect(arrivedHello(fd)).toBe("incomplete");
	client.write(record(508).subarray(100));
	while (arrivedHello(fd) === "incomplete") await Bun.sleep(5);
	expect(arrivedHello(fd)).toBe("hello");
	expect(received).toEqual([]);
	socket.resume();
	while (received.length === 0) await Bun.sleep(5);
	expect(received.reduce((sum, length) => sum + length, 0)).toBe(513);
	client.destroy();
	listener.stop(true);
	expect(arrivedHello(-1)).toBe("other");
});
