/**
 * What the routing tables say (rtnetlink(7)): which addresses are this host's,
 * whole blocks of them included (`ip route add local …`), over which interface
 * packets to an address leave.
 */

import { ENOENT, NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "../base/address.ts";
import { parseAddress } from "../base/cidr.ts";
import type { Family } from "../base/model.ts";
import { type AddressBlock, AddressBlocks, blockOf } from "./address-blocks.ts";
import { AttributeTable, MessageWriter, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "./netlink-message.ts";
import { type Answer, askEach } from "./netlink-request.ts";

/** linux/rtnetlink.h */
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const ROUTE_HEADER_BYTES = 12;
const RT_TABLE_LOCAL = 255;
const RTN_LOCAL = 2;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const AF: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };
const bits: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

/**
 * The addresses of the routes of type `local` in the table of that name. Those in other tables are for packets that
 * a rule picks, as a transparent proxy does with all of them, and make no address this host's.
 */
export class LocalRoutes extends AddressBlocks {
	static read():
		| { readonly ok: true; readonly routes: LocalRoutes }
		| { readonly ok: false; readonly error: string } {
		const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE, strict: true });
		if (!opened.ok) return opened;
		const addresses = new Set<string>();
		const blocks: AddressBlock[] = [];
		let failure: (Answer & { ok: false }) | null = null;
		for (const family of [4, 6] as const) {
			const answer = dumpLocal(opened.socket, family, (text, length) => {
				if (length === bits[family]) return void addresses.add(text);
				const block = blockOf(text, length);
				if (block !== null) blocks.push(block);
			});
			// Without IPv6 there is nothing to read about it, and no table until an interface is up.
			if (!answer.ok && family === 4 && answer.errno !== ENOENT) failure = answer;
		}
		opened.socket.close();
		if (failure !== null) return { ok: false, error: failure.error };
		return { ok: true, routes: new LocalRoutes(addresses, blocks) };
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
	return askEach(socket, request, sequence, ({ type, bytes, start, end }) => {
		const own = bytes[start + 4] === RT_TABLE_LOCAL && bytes[start + 7] === RTN_LOCAL;
		if (type !== RTM_NEWROUTE || end - start < ROUTE_HEADER_BYTES || !own) return;
		table.read(bytes, start + ROUTE_HEADER_BYTES, end);
		// Without a destination it is the route of all addresses, which would leave no remote ones.
		if (table.length(RTA_DST) < bits[family] / 8) return;
		const format = family === 4 ? formatIpv4 : formatIpv6;
		found(format(bytes, table.offset(RTA_DST)), bytes[start + 1] ?? 0);
	});
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
		let found: number | null = null;
		askEach(this.#socket, message.finish(), this.#sequence, ({ type, bytes, start, end }) => {
			if (type !== RTM_NEWROUTE) return;
			this.#table.read(bytes, start + ROUTE_HEADER_BYTES, end);
			if (this.#table.length(RTA_OIF) < 4) return;
			const view = new DataView(bytes.buffer, bytes.byteOffset + this.#table.offset(RTA_OIF));
			found = view.getUint32(0, true);
		});
		return found;
	}
}

function addressBytes(text: string): Uint8Array | null {
	const address = parseAddress(text);
	if ("message" in address) return null;
	return Uint8Array.fromHex(address.value.toString(16).padStart(bits[address.family] / 4, "0"));
}
