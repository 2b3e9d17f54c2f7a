/** Sends one UDP datagram to each of the first COUNT ports of 127.0.0.1 above 10000: flood-ports.ts COUNT. */

import { AF_INET, SOCK_DGRAM } from "../../../ffi/constants.ts";
import { Libc } from "../../../ffi/libc.ts";

const opened = Libc.open();
const count = Number(process.argv[2]);
if (!opened.ok || !(count > 0 && count <= 50_000))
	throw new Error("usage: flood-ports.ts COUNT, up to 50000");
const { libc } = opened;
const created = libc.socket(AF_INET, SOCK_DGRAM, 0);
if (!created.ok) throw new Error(created.error);
const payload = new Uint8Array(1);
for (let port = 10_000; port < 10_000 + count; port++) {
	const address = new Uint8Array(16);
	new DataView(address.buffer).setUint16(0, AF_INET, true);
	address.set([port >> 8, port & 0xff, 127, 0, 0, 1], 2);
	// A refusal of the datagram before comes back as the error of this call, which then sent nothing.
	while (!libc.sendTo(created.value, payload, 0, address).ok) {}
}
