/**
 * What the routing tables say (rtnetlink(7)): which addresses are this host's,
 * whole blocks of them included (`ip route add local …`), over which interface
 * packets to an address leave, and which interfaces have a default route.
 */

import { ENODEV, ENOENT, NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "../base/address.ts";
import { parseAddress } from "../base/cidr.ts";
import type { Family } from "../base/model.ts";
import { AttributeTable, MessageWriter, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "./netlink-message.ts";
import { type Answer, ask } from "./netlink-request.ts";

/** linux/rtnetlink.h */
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const ROUTE_HEADER_BYTES = 12;
const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RTN_UNICAST = 1;
const RTN_LOCAL = 2;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_MULTIPATH = 9;
const AF: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };
const bits: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

/** A block of addresses that this host answers for. */
interface LocalBlock {
	readonly family: Family;
	/** The bits that all of its addresses share, as a number, and how many those are. */
	readonly prefix: bigint;
	readonly length: number;
}

/**
 * The addresses of the routes of type `local` in the table of that name. Those in other tables are for packets that
 * a rule picks, as a transparent proxy does with all of them, and make no address this host's.
 */
export class LocalRoutes {
	readonly #addresses: ReadonlySet<string>;
	readonly #blocks: readonly LocalBlock[];
	readonly #known = new Map<string, boolean>();

	constructor(addresses: ReadonlySet<string>, blocks: readonly LocalBlock[]) {
		this.#addresses = addresses;
		this.#blocks = blocks;
	}

	static read():
		| { readonly ok: true; readonly routes: LocalRoutes }
		| { readonly ok: false; readonly error: string } {
		const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE, strict: true });
		if (!opened.ok) return opened;
		const addresses = new Set<string>();
		const blocks: LocalBlock[] = [];
		let failure: (Answer & { ok: false }) | null = null;
		for (const family of [4, 6] as const) {
			const answer = dumpLocal(opened.socket, family, (text, length) => {
				if (length === bits[family]) return void addresses.add(text);
				const parsed = parseAddress(text);
				if ("message" in parsed) return;
				blocks.push({ family, prefix: parsed.value >> BigInt(bits[family] - length), length });
			});
			// Without IPv6 there is nothing to read about it, and no table until an interface is up.
			if (!answer.ok && family === 4 && answer.errno !== ENOENT) failure = answer;
		}
		opened.socket.close();
		if (failure !== null) return { ok: false, error: failure.error };
		return { ok: true, routes: new LocalRoutes(addresses, blocks) };
	}

	has(address: string): boolean {
		if (this.#addresses.has(address)) return true;
		if (this.#blocks.length === 0) return false;
		const known = this.#known.get(address) ?? this.#inBlock(address);
		this.#known.set(address, known);
		return known;
	}

	#inBlock(text: string): boolean {
		const address = parseAddress(text);
		if ("message" in address) return false;
		return this.#blocks.some(
			({ family, prefix, length }) =>
				family === address.family && address.value >> BigInt(bits[family] - length) === prefix,
		);
	}
}

function dumpLocal(
	socket: NetlinkSocket,
	family: Family,
	found: (address: string, length: number) => void,
): Answer {
	const sequence = family;
	// Strictly checked, the header is a filter: a router's million routes are not all read.
	const request = new MessageWriter(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence)
		.raw([AF[family], 0, 0, 0, RT_TABLE_LOCAL, 0, 0, RTN_LOCAL, 0, 0, 0, 0])
		.finish();
	const table = new AttributeTable(RTA_OIF);
	const answer = ask(socket, request, sequence);
	for (;;) {
		const step = answer.next();
		if (step.done === true) return step.value;
		const { type, bytes, start, end } = step.value;
		const own = bytes[start + 4] === RT_TABLE_LOCAL && bytes[start + 7] === RTN_LOCAL;
		if (type !== RTM_NEWROUTE || end - start < ROUTE_HEADER_BYTES || !own) continue;
		table.read(bytes, start + ROUTE_HEADER_BYTES, end);
		// Without a destination it is the route of all addresses, which would leave no remote ones.
		if (table.length(RTA_DST) < bits[family] / 8) continue;
		const format = family === 4 ? formatIpv4 : formatIpv6;
		found(format(bytes, table.offset(RTA_DST)), bytes[start + 1] ?? 0);
	}
}

/** Those of these interfaces, by index, that have a default route in the main table, of whatever family. */
export function withDefaultRoute(
	indexes: readonly number[],
):
	| { readonly ok: true; readonly indexes: ReadonlySet<number> }
	| { readonly ok: false; readonly error: string } {
	const found = new Set<number>();
	if (indexes.length === 0) return { ok: true, indexes: found };
	const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE, strict: true });
	if (!opened.ok) return opened;
	let sequence = 0;
	let failure = "";
	for (const index of indexes) {
		for (const family of [4, 6] as const) {
			sequence += 1;
			const answer = dumpDefault(opened.socket, sequence, family, index);
			if (answer.found) found.add(index);
			// An interface that has gone has no routes, and without IPv6 nothing has one of those.
			else if (answer.error !== "" && family === 4) failure = answer.error;
		}
	}
	opened.socket.close();
	return failure === "" ? { ok: true, indexes: found } : { ok: false, error: failure };
}

function dumpDefault(
	socket: NetlinkSocket,
	sequence: number,
	family: Family,
	index: number,
): { readonly found: boolean; readonly error: string } {
	// As in `dumpLocal`: of a router's routes the kernel gives those over this interface alone.
	const request = new MessageWriter(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence)
		.raw([AF[family], 0, 0, 0, RT_TABLE_MAIN, 0, 0, RTN_UNICAST, 0, 0, 0, 0])
		.attribute(RTA_OIF, new Uint8Array(Uint32Array.of(index).buffer))
		.finish();
	const table = new AttributeTable(RTA_MULTIPATH);
	const answer = ask(socket, request, sequence);
	let found = false;
	for (;;) {
		const step = answer.next();
		if (step.done === true) {
			const gone = !step.value.ok && (step.value.errno === ENODEV || step.value.errno === ENOENT);
			return { found, error: step.value.ok || gone ? "" : step.value.error };
		}
		const { type, bytes, start, end } = step.value;
		if (type !== RTM_NEWROUTE || end - start < ROUTE_HEADER_BYTES) continue;
		const isDefault = bytes[start + 1] === 0 && bytes[start + 7] === RTN_UNICAST;
		if (!isDefault || bytes[start + 4] !== RT_TABLE_MAIN) continue;
		table.read(bytes, start + ROUTE_HEADER_BYTES, end);
		const view = new DataView(bytes.buffer, bytes.byteOffset);
		const over = table.length(RTA_OIF) < 4 ? null : view.getUint32(table.offset(RTA_OIF), true);
		// One over several interfaces names none of them here; the kernel gave it as it goes over this one.
		if (over === index || (over === null && table.length(RTA_MULTIPATH) >= 0)) found = true;
	}
}

/** Asks the kernel where packets would leave. */
export class RouteLookup {
	readonly #socket: NetlinkSocket;
	readonly #table = new AttributeTable(RTA_OIF);
	#sequence = 0;

	private constructor(socket: NetlinkSocket) {
		this.#socket = socket;
	}

	/** Null where it cannot be asked. */
	static open(): RouteLookup | null {
		const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE });
		return opened.ok ? new RouteLookup(opened.socket) : null;
	}

	/** The index of the interface over which packets from `local` to `remote` leave; null without a route. */
	interfaceTo(remote: string, local: string): number | null {
		return this.#ask(remote, local) ?? this.#ask(remote, null);
	}

	close(): void {
		this.#socket.close();
	}

	/** An address that is no interface's own is refused as a source. */
	#ask(remote: string, local: string | null): number | null {
		const to = addressBytes(remote);
		const from = local === null ? null : addressBytes(local);
		if (to === null) return null;
		this.#sequence += 1;
		const length = to.length * 8;
		const family = to.length === 4 ? AF[4] : AF[6];
		const source = from !== null && from.length === to.length ? from : null;
		const message = new MessageWriter(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_ACK, this.#sequence)
			.raw([family, length, source === null ? 0 : length, 0, 0, 0, 0, 0, 0, 0, 0, 0])
			.attribute(RTA_DST, to);
		if (source !== null) message.attribute(RTA_SRC, source);
		const answer = ask(this.#socket, message.finish(), this.#sequence);
		let found: number | null = null;
		for (;;) {
			const step = answer.next();
			if (step.done === true) return found;
			const { type, bytes, start, end } = step.value;
			if (type !== RTM_NEWROUTE) continue;
			this.#table.read(bytes, start + ROUTE_HEADER_BYTES, end);
			if (this.#table.length(RTA_OIF) < 4) continue;
			const view = new DataView(bytes.buffer, bytes.byteOffset + this.#table.offset(RTA_OIF));
			found = view.getUint32(0, true);
		}
	}
}

function addressBytes(text: string): Uint8Array | null {
	const address = parseAddress(text);
	if ("message" in address) return null;
	return Uint8Array.fromHex(address.value.toString(16).padStart(bits[address.family] / 4, "0"));
}
