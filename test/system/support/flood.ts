/**
 * Sends UDP datagrams to a port of loopback as fast as it can: flood.ts PORT COUNT. Run as a program of its own, as
 * it blocks its thread. The sources are 200 addresses of 127.0.0.0/8, so that there are as many flows.
 */

import { AF_INET, SOCK_DGRAM } from "../../../ffi/constants.ts";
import { Libc } from "../../../ffi/libc.ts";

const SOURCES = 200;

function address(last: number, port: number): Uint8Array {
	const bytes = new Uint8Array(16);
	new DataView(bytes.buffer).setUint16(0, AF_INET, true);
	bytes.set([port >> 8, port & 0xff, 127, 0, 0, last], 2);
	return bytes;
}

const [port, count] = process.argv.slice(2).map(Number);
const opened = Libc.open();
if (!opened.ok || port === undefined || count === undefined) throw new Error("usage: flood.ts PORT COUNT");
const { libc } = opened;
const sockets = Array.from({ length: SOURCES }, (_, i) => {
	const created = libc.socket(AF_INET, SOCK_DGRAM, 0);
	if (!created.ok) throw new Error(created.error);
	const bound = libc.bind(created.value, address(i + 2, 0));
	if (!bound.ok) throw new Error(bound.error);
	return created.value;
});
const target = address(1, port);
const payload = new Uint8Array(1);
for (let i = 0; i < count; i++) libc.sendTo(sockets[i % SOURCES] ?? -1, payload, 0, target);
