/** The routes of the main table over single interfaces (rtnetlink(7)); a router's other routes are not read. */

import { ENODEV, ENOENT, NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "../base/address.ts";
import type { Family } from "../base/model.ts";
import { type AddressBlock, AddressBlocks, blockOf } from "./address-blocks.ts";
import { localInterfaces } from "./local-interfaces.ts";
import { AttributeTable, MessageWriter, NLM_F_DUMP, NLM_F_REQUEST } from "./netlink-message.ts";
import { askEach } from "./netlink-request.ts";

/** linux/rtnetlink.h */
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const ROUTE_HEADER_BYTES = 12;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_MULTIPATH = 9;
const AF: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };
const bytesOf: Readonly<Record<Family, number>> = { 4: 4, 6: 16 };
const everywhere: Readonly<Record<Family, string>> = { 4: "0.0.0.0", 6: "::" };

type Failure = { readonly ok: false; readonly error: string };

/** Those of these interfaces, by index, that have a default route, of whatever family. */
export function withDefaultRoute(
	indexes: readonly number[],
): { readonly ok: true; readonly indexes: ReadonlySet<number> } | Failure {
	const found = new Set<number>();
	const read = eachRoute(indexes, (index, _, length) => {
		if (length === 0) found.add(index);
	});
	return read ?? { ok: true, indexes: found };
}

/** Addresses that mean nothing beyond a link or this host. */
const near = /^(?:127\.|169\.254\.|::1$|fe[89ab])/;

/** Interfaces that are asked about at most: each is two questions, for which the kernel looks through all of its routes. */
const mostAsked = 16;

/**
 * The address that this host is known by: the first one of an interface with a default route, IPv4 before IPv6, which reaches
 * beyond its link; "" where there is none, or nobody tells. Of hosts with many interfaces, those with the first addresses count.
 */
export function hostAddress(): string {
	const read = localInterfaces();
	if (!read.ok) return "";
	const { byIndex, addresses } = read.interfaces;
	const indexes = new Map([...byIndex].map(([index, name]) => [name, index]));
	const far = [...addresses].filter(([address]) => !near.test(address));
	const ofIpv6 = ([address]: readonly [string, readonly string[]]) => address.includes(":");
	/** Whether it has a default route. */
	const asked = new Map<string, boolean>();
	const leads = (name: string): boolean => {
		const index = indexes.get(name);
		if (index === undefined || (asked.size >= mostAsked && !asked.has(name))) return false;
		const routes = asked.get(name) ?? withDefaultRoute([index]);
		const found = typeof routes === "boolean" ? routes : routes.ok && routes.indexes.has(index);
		asked.set(name, found);
		return found;
	};
	const ordered = [...far.filter((one) => !ofIpv6(one)), ...far.filter(ofIpv6)];
	return ordered.find(([, owners]) => owners.some(leads))?.[0] ?? "";
}

/** The addresses that these interfaces, by index, lead to, but for default routes. */
export function addressesBehind(
	indexes: readonly number[],
): { readonly ok: true; readonly addresses: AddressBlocks } | Failure {
	const blocks: AddressBlock[] = [];
	const read = eachRoute(indexes, (_, destination, length) => {
		const block = length === 0 ? null : blockOf(destination, length);
		if (block !== null) blocks.push(block);
	});
	return read ?? { ok: true, addresses: new AddressBlocks(new Set(), blocks) };
}

type VisitRoute = (index: number, destination: string, prefixLength: number) => void;

/** Null, or why the routes of some interface that is there could not be read. */
function eachRoute(indexes: readonly number[], visit: VisitRoute): Failure | null {
	if (indexes.length === 0) return null;
	const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE, strict: true });
	if (!opened.ok) return opened;
	let failure: Failure | null = null;
	let sequence = 0;
	for (const index of indexes) {
		for (const family of [4, 6] as const) {
			sequence += 1;
			const error = dumpOver(opened.socket, sequence, family, index, visit);
			// Without IPv6 nothing has a route of it.
			if (error !== "" && family === 4) failure = { ok: false, error };
		}
	}
	opened.socket.close();
	return failure;
}

function dumpOver(
	socket: NetlinkSocket,
	sequence: number,
	family: Family,
	index: number,
	visit: VisitRoute,
): string {
	// Strictly checked, header and interface are a filter.
	const request = new MessageWriter(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence)
		.raw([AF[family], 0, 0, 0, RT_TABLE_MAIN, 0, 0, RTN_UNICAST, 0, 0, 0, 0])
		.attribute(RTA_OIF, new Uint8Array(Uint32Array.of(index).buffer))
		.finish();
	const table = new AttributeTable(RTA_MULTIPATH);
	const format = family === 4 ? formatIpv4 : formatIpv6;
	const answer = askEach(socket, request, sequence, ({ type, bytes, start, end }) => {
		if (type !== RTM_NEWROUTE || end - start < ROUTE_HEADER_BYTES) return;
		if (bytes[start + 4] !== RT_TABLE_MAIN || bytes[start + 7] !== RTN_UNICAST) return;
		table.read(bytes, start + ROUTE_HEADER_BYTES, end);
		const view = new DataView(bytes.buffer, bytes.byteOffset);
		const over = table.length(RTA_OIF) < 4 ? null : view.getUint32(table.offset(RTA_OIF), true);
		// One over several interfaces names none of them here; the kernel gave it as it goes over this one.
		if (over !== index && (over !== null || table.length(RTA_MULTIPATH) < 0)) return;
		const whole = table.length(RTA_DST) >= bytesOf[family];
		const destination = whole ? format(bytes, table.offset(RTA_DST)) : everywhere[family];
		visit(index, destination, whole ? (bytes[start + 1] ?? 0) : 0);
	});
	// An interface that has gone has no routes.
	return answer.ok || answer.errno === ENODEV || answer.errno === ENOENT ? "" : answer.error;
}
