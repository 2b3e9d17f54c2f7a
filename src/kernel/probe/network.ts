/**
 * A network in which packets can be sent at this kernel's own rules: interfaces whose other end is a descriptor, and
 * blocks of addresses that are this host's. It has to be made in a network namespace of its own, and it says so where
 * it is not.
 */

import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { EPERM, NETLINK_ROUTE } from "../../../ffi/constants.ts";
import { makeTunnel } from "../../../ffi/namespace.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { RawSocket } from "../../../ffi/raw-socket.ts";
import type { Cidr, Direction, Family } from "../../base/model.ts";
import { readLinks } from "../links.ts";
import { MessageWriter, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST } from "../netlink-message.ts";
import { perform } from "../netlink-request.ts";
import { addressBytes, type ProbePacket, packetBytes } from "./packet.ts";

/** linux/rtnetlink.h, linux/if.h */
const RTM_NEWLINK = 16;
const RTM_NEWROUTE = 24;
const IFF_UP = 1;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_PRIORITY = 6;
const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_HOST = 254;
const RTN_UNICAST = 1;
const RTN_LOCAL = 2;
const AF: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };

const loopback = "lo";

/** Packets that were not ours are read away up to this many at once: neighbours and routers are looked for. */
const mostNoise = 1000;

export class ProbeError extends Error {}

interface Tunnel {
	readonly fd: number;
	readonly index: number;
}

/** What is sent, by which interface. */
export interface Probe extends ProbePacket {
	readonly direction: Direction;
	readonly interface: string;
}

export class ProbeNetwork implements Disposable {
	readonly #tunnels = new Map<string, Tunnel>();
	readonly #receivers = new Map<string, RawSocket>();
	readonly #senders = new Map<string, RawSocket>();
	readonly #buffer = Buffer.alloc(65_536);

	/**
	 * @param interfaces their names
	 * @param local the blocks of addresses that are this host's, one of a family
	 * @throws ProbeError where the namespace is not new, or the kernel refuses something
	 */
	constructor(interfaces: readonly string[], local: readonly Cidr[]) {
		const links = readLinks();
		if (!links.ok) throw new ProbeError(links.error);
		if (links.links.some(({ name }) => name !== loopback))
			throw new ProbeError("this is no new network namespace: it has interfaces");
		try {
			for (const name of interfaces) this.#tunnels.set(name, { fd: tunnel(name), index: 0 });
			const made = readLinks();
			if (!made.ok) throw new ProbeError(made.error);
			for (const { name, index } of made.links) {
				const known = this.#tunnels.get(name);
				if (known !== undefined) this.#tunnels.set(name, { ...known, index });
			}
			unfilter(interfaces);
			configure(
				made.links.map(({ index }) => index),
				[...this.#tunnels.values()],
				local,
			);
		} catch (error) {
			this[Symbol.dispose]();
			throw error;
		}
	}

	/** Sends one packet, and says whether the kernel let it through: to a socket of this host, or out. */
	passes(probe: Probe): boolean {
		const found = this.#tunnels.get(probe.interface);
		if (found === undefined) throw new ProbeError(`there is no interface ${probe.interface}`);
		return probe.direction === "ingress" ? this.#comesIn(probe, found) : this.#goesOut(probe, found);
	}

	[Symbol.dispose](): void {
		for (const socket of [...this.#receivers.values(), ...this.#senders.values()]) socket.close();
		for (const { fd } of this.#tunnels.values()) closeSync(fd);
		this.#tunnels.clear();
		this.#receivers.clear();
		this.#senders.clear();
	}

	/** What is written to the descriptor has met every rule when the call returns. */
	#comesIn(probe: Probe, { fd }: Tunnel): boolean {
		const receiver = this.#socket(this.#receivers, `${probe.family} ${probe.protocol}`, () =>
			RawSocket.open(probe.family, probe.protocol),
		);
		drain(() => receiver.take());
		writeSync(fd, packetBytes(probe));
		const taken = receiver.take();
		if (taken === null) throw new ProbeError("a raw socket cannot be read");
		return taken;
	}

	#goesOut(probe: Probe, { fd, index }: Tunnel): boolean {
		const sender = this.#socket(this.#senders, `${probe.family} ${index}`, () =>
			RawSocket.open(probe.family, null, index),
		);
		drain(() => this.#read(fd) !== null);
		const packet = packetBytes(probe);
		const sent = sender.send(packet, addressBytes(probe.family, probe.destination));
		// A rule that drops is told to who sends.
		if (!sent.ok && sent.errno !== EPERM) throw new ProbeError(sent.error);
		for (let noise = 0; noise < mostNoise; noise++) {
			const read = this.#read(fd);
			if (read === null) return false;
			if (sameFlow(read, packet, probe.family)) return true;
		}
		return false;
	}

	/** Null where nothing waits. */
	#read(fd: number): Uint8Array | null {
		try {
			return this.#buffer.subarray(0, readSync(fd, this.#buffer));
		} catch (error) {
			if (error instanceof Error && "code" in error && error.code === "EAGAIN") return null;
			throw error;
		}
	}

	#socket(
		known: Map<string, RawSocket>,
		key: string,
		open: () => ReturnType<typeof RawSocket.open>,
	): RawSocket {
		const old = known.get(key);
		if (old !== undefined) return old;
		const opened = open();
		if (!opened.ok) throw new ProbeError(opened.error);
		known.set(key, opened.socket);
		return opened.socket;
	}
}

function drain(more: () => boolean | null): void {
	for (let noise = 0; noise < mostNoise && more() === true; noise++);
}

/** The addresses, and all behind the header: what the kernel fills in of a header does not matter. */
function sameFlow(read: Uint8Array, sent: Uint8Array, family: Family): boolean {
	const [from, to] = family === 4 ? [12, 20] : [8, 40];
	return Buffer.from(read.subarray(from)).equals(Buffer.from(sent.subarray(from))) && read[to] === sent[to];
}

function tunnel(name: string): number {
	const device = "/dev/net/tun";
	let fd: number;
	try {
		fd = openSync(device, constants.O_RDWR | constants.O_NONBLOCK);
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		throw new ProbeError(`${reason}; load the module tun: modprobe tun`);
	}
	const made = makeTunnel(fd, name);
	if (made.ok) return fd;
	closeSync(fd);
	throw new ProbeError(`the interface ${name} cannot be made: ${made.error}`);
}

/** Packets come from any address. A check of the way back is per interface or "all", whichever is stricter. */
function unfilter(interfaces: readonly string[]): void {
	for (const name of ["all", ...interfaces]) {
		const path = `/proc/sys/net/ipv4/conf/${name}/rp_filter`;
		if (readFileSync(path, "utf8").trim() !== "0") writeFileSync(path, "0");
	}
}

function configure(links: readonly number[], tunnels: readonly Tunnel[], local: readonly Cidr[]): void {
	const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE });
	if (!opened.ok) throw new ProbeError(opened.error);
	let sequence = 0;
	const ask = (type: number, flags: number, write: (message: MessageWriter) => void) => {
		sequence += 1;
		const message = new MessageWriter(type, NLM_F_REQUEST | NLM_F_ACK | flags, sequence);
		write(message);
		const answer = perform(opened.socket, message.finish(), sequence);
		if (!answer.ok) throw new ProbeError(answer.error);
	};
	try {
		for (const index of links)
			ask(RTM_NEWLINK, 0, (message) =>
				message.raw([0, 0, 0, 0, ...words(index), ...words(IFF_UP), ...words(IFF_UP)]),
			);
		for (const { family, base, prefix } of local) {
			const header = [AF[family], prefix, 0, 0, RT_TABLE_LOCAL, RTPROT_STATIC, RT_SCOPE_HOST, RTN_LOCAL];
			ask(RTM_NEWROUTE, NLM_F_CREATE, (message) =>
				message
					.raw([...header, ...words(0)])
					.attribute(RTA_DST, addressBytes(family, base))
					.attribute(RTA_OIF, words(loopbackIndex)),
			);
			for (const [place, { index }] of tunnels.entries()) {
				const scope = family === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
				const way = [AF[family], 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST];
				ask(RTM_NEWROUTE, NLM_F_CREATE, (message) =>
					message
						.raw([...way, ...words(0)])
						.attribute(RTA_OIF, words(index))
						.attribute(RTA_PRIORITY, words(place + 1)),
				);
			}
		}
	} finally {
		opened.socket.close();
	}
}

/** Of every network namespace (drivers/net/loopback.c). */
const loopbackIndex = 1;

/** A number of 32 bits in the order of this machine, as rtnetlink has it. */
function words(value: number): number[] {
	return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}
