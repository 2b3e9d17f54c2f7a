/**
 * A reset that connection tracking believes and the host never sees: it bears
 * the next sequence number of a connection, in a packet that IP discards for
 * its options only after connection tracking has seen it.
 */

import { Libc } from "../../../ffi/libc.ts";
import { parseAddress } from "../../../src/base/cidr.ts";
import { joinNetwork } from "./isolated.ts";
import type { Lab, Link } from "./netns.ts";

/** linux/if_packet.h, linux/if_ether.h */
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const ETH_P: Readonly<Record<4 | 6, number>> = { 4: 0x0800, 6: 0x86dd };
const RST = 0x04;

const swapped = (value: number) => ((value & 0xff) << 8) | (value >> 8);

/** The peer's end of connections to the guarded host. */
export class DiscardedReset implements Disposable {
	readonly #libc: Libc;
	readonly #fd: number;
	readonly #link: Link;
	readonly #family: 4 | 6;
	readonly #index: number;
	readonly #hardware: Uint8Array;

	constructor(lab: Lab, link: Link, family: 4 | 6) {
		const libc = Libc.open();
		if (!libc.ok) throw new Error(libc.reason);
		this.#libc = libc.libc;
		this.#link = link;
		this.#family = family;
		const ends: { ifindex: number; address: string }[] = [
			...JSON.parse(lab.peer.run(["ip", "-json", "link", "show", "dev", link.peerName])),
			...JSON.parse(lab.guarded.run(["ip", "-json", "link", "show", "dev", link.name])),
		];
		this.#index = ends[0]?.ifindex ?? 0;
		this.#hardware = Uint8Array.fromHex((ends[1]?.address ?? "").replaceAll(":", ""));
		const network = joinNetwork(lab.peer);
		const opened = this.#libc.socket(AF_PACKET, SOCK_DGRAM, swapped(ETH_P[family]));
		network.leave();
		if (!opened.ok) throw new Error(opened.error);
		this.#fd = opened.value;
	}

	/** Sends it for the connection to `port` whose packets were seen since this was made. */
	send(port: number): void {
		const { clientPort, next } = this.#lastAnswer(port);
		const tcp = Buffer.alloc(20);
		tcp.writeUInt16BE(clientPort, 0);
		tcp.writeUInt16BE(port, 2);
		tcp.writeUInt32BE(next, 4);
		tcp[12] = 5 << 4;
		tcp[13] = RST;
		const { remote4, remote6, local4, local6 } = this.#link;
		const [from, to] = this.#family === 4 ? [remote4, local4] : [remote6, local6];
		const pseudo = Buffer.concat([bytes(from), bytes(to), Buffer.from([0, 6, 0, tcp.length])]);
		tcp.writeUInt16BE(checksum(Buffer.concat([pseudo, tcp])), 16);
		const header =
			this.#family === 4 ? looseSourceRoute(from, to, tcp.length) : unknownOption(from, to, tcp.length);
		const address = Buffer.alloc(20);
		address.writeUInt16LE(AF_PACKET, 0);
		address.writeUInt16BE(ETH_P[this.#family], 2);
		address.writeInt32LE(this.#index, 4);
		address[11] = 6;
		address.set(this.#hardware, 12);
		const sent = this.#libc.sendTo(this.#fd, Buffer.concat([header, tcp]), 0, address);
		if (!sent.ok) throw new Error(sent.error);
	}

	/** What the guarded host expects next, by its newest packet from `port`. */
	#lastAnswer(port: number): { clientPort: number; next: number } {
		const buffer = new Uint8Array(65_536);
		let found: { clientPort: number; next: number } | null = null;
		for (;;) {
			const got = this.#libc.receiveFrom(this.#fd, buffer, MSG_DONTWAIT, new Uint8Array(20));
			if (!got.ok) break;
			const packet = Buffer.from(buffer.buffer, 0, got.value);
			const start = this.#family === 4 ? ((packet[0] ?? 0) & 0xf) * 4 : 40;
			const protocol = packet[this.#family === 4 ? 9 : 6];
			if (protocol !== 6 || packet.readUInt16BE(start) !== port) continue;
			found = { clientPort: packet.readUInt16BE(start + 2), next: packet.readUInt32BE(start + 8) };
		}
		if (found === null) throw new Error(`no packet from port ${port}`);
		return found;
	}

	[Symbol.dispose](): void {
		this.#libc.close(this.#fd);
	}
}

/** Refused where net.ipv4.conf.*.accept_source_route is off, as it is by default. */
function looseSourceRoute(from: string, to: string, payload: number): Buffer {
	const header = Buffer.alloc(28);
	header[0] = (4 << 4) | 7;
	header.writeUInt16BE(header.length + payload, 2);
	header[8] = 64;
	header[9] = 6;
	header.set(bytes(from), 12);
	header.set(bytes(to), 16);
	// Loose source and record route: its length, a pointer to the one address left, and that.
	header.set([131, 7, 4, ...bytes(to), 0], 20);
	header.writeUInt16BE(checksum(header), 10);
	return header;
}

/** An option whose type says that a packet with it is to be discarded by who does not know it (RFC 8200, 4.2). */
function unknownOption(from: string, to: string, payload: number): Buffer {
	const header = Buffer.alloc(48);
	header[0] = 6 << 4;
	header.writeUInt16BE(8 + payload, 4);
	header[6] = 60;
	header[7] = 64;
	header.set(bytes(from), 8);
	header.set(bytes(to), 24);
	header.set([6, 0, 0x5e, 4, 0, 0, 0, 0], 40);
	return header;
}

function bytes(text: string): Uint8Array {
	const address = parseAddress(text);
	if ("message" in address) throw new Error(text);
	return Uint8Array.fromHex(address.value.toString(16).padStart(address.family === 4 ? 8 : 32, "0"));
}

/** RFC 1071. */
function checksum(data: Uint8Array): number {
	let sum = 0;
	for (let at = 0; at < data.length; at += 2) sum += ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}
