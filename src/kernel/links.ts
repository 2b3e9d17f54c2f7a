/** The network links of this namespace and how they hang together, over rtnetlink(7). */

import { NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { dump, RTM_GETLINK, RTM_NEWLINK } from "./local-interfaces.ts";
import { AttributeTable, type MessageCursor } from "./netlink-message.ts";

/** linux/if_link.h */
const IFLA_IFNAME = 3;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_LINK_NETNSID = 37;
const IFLA_PROP_LIST = 52;
const IFLA_ALT_IFNAME = 53;
const IFLA_INFO_KIND = 1;
/** struct ifinfomsg of linux/rtnetlink.h */
const LINK_HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;

export interface Link {
	readonly index: number;
	readonly name: string;
	/** Other names that `ip link` takes; packets never bear them. */
	readonly altNames: readonly string[];
	/** As `ip -d link` calls it: bridge, bond, macvlan, …; "" for hardware. */
	readonly kind: string;
	/** The bridge, bond, team or VRF that it belongs to; null for none. */
	readonly master: { readonly name: string; readonly kind: string } | null;
	/** The name of the link below, such as a macvlan's parent, where that is in this namespace; null for none. */
	readonly parent: string | null;
}

/** As the compiler takes it. */
export interface Vrf {
	readonly name: string;
	readonly members: readonly string[];
}

export type LinksResult =
	| { readonly ok: true; readonly links: readonly Link[] }
	| { readonly ok: false; readonly error: string };

/** What one message tells; other links are told by their index. */
interface RawLink extends Omit<Link, "master" | "parent"> {
	readonly masterIndex: number;
	readonly parentIndex: number;
}

/** Reads every link there is now. */
export function readLinks(): LinksResult {
	const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE });
	if (!opened.ok) return opened;
	const found: RawLink[] = [];
	const result = dump(opened.socket, 1, RTM_GETLINK, (message) => {
		const link = message.type === RTM_NEWLINK ? decodeLink(message) : null;
		if (link !== null) found.push(link);
	});
	opened.socket.close();
	return result.ok ? { ok: true, links: resolve(found) } : { ok: false, error: result.error };
}

/** A link as RTM_NEWLINK tells it; null where it has no name. */
export function decodeLink({
	bytes,
	start,
	end,
}: Pick<MessageCursor, "bytes" | "start" | "end">): RawLink | null {
	if (end - start < LINK_HEADER_BYTES) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset);
	const table = new AttributeTable(IFLA_PROP_LIST).read(bytes, start + LINK_HEADER_BYTES, end);
	const name = table.text(IFLA_IFNAME);
	if (name === null) return null;
	/** rtnetlink's numbers are in host order. */
	const number = (type: number) => (table.length(type) < 4 ? 0 : view.getUint32(table.offset(type), true));
	const info = new AttributeTable(IFLA_INFO_KIND).readNested(table, IFLA_LINKINFO);
	// A parent in another namespace has an index of that namespace.
	const elsewhere = table.length(IFLA_LINK_NETNSID) >= 0;
	return {
		index: view.getUint32(start + 4, true),
		name,
		altNames: altNames(bytes, table.offset(IFLA_PROP_LIST), table.length(IFLA_PROP_LIST)),
		kind: info.text(IFLA_INFO_KIND) ?? "",
		masterIndex: number(IFLA_MASTER),
		parentIndex: elsewhere ? 0 : number(IFLA_LINK),
	};
}

/** An attribute of the same type for each of the names. */
function altNames(bytes: Uint8Array, start: number, length: number): string[] {
	const names: string[] = [];
	const view = new DataView(bytes.buffer, bytes.byteOffset);
	const table = new AttributeTable(IFLA_ALT_IFNAME);
	const end = start + Math.max(length, 0);
	for (let at = start; end - at >= ATTRIBUTE_HEADER_BYTES; ) {
		const size = view.getUint16(at, true);
		if (size < ATTRIBUTE_HEADER_BYTES || size > end - at) break;
		const name = table.read(bytes, at, at + size).text(IFLA_ALT_IFNAME);
		if (name !== null) names.push(name);
		at += (size + 3) & ~3;
	}
	return names;
}

function resolve(found: readonly RawLink[]): Link[] {
	const byIndex = new Map(found.map((link) => [link.index, link]));
	return found.map(({ masterIndex, parentIndex, ...link }) => {
		const master = byIndex.get(masterIndex);
		return {
			...link,
			master: master === undefined ? null : { name: master.name, kind: master.kind },
			parent: byIndex.get(parentIndex)?.name ?? null,
		};
	});
}

/** The VRFs among the links and their members, in alphabetical order; none where the links cannot be read. */
export function vrfsOf(read: LinksResult = readLinks()): Vrf[] {
	const links = read.ok ? read.links : [];
	const names = links.flatMap(({ name, kind }) => (kind === "vrf" ? [name] : [])).sort();
	return names.map((name) => {
		const members = links.filter(({ master }) => master?.kind === "vrf" && master.name === name);
		return { name, members: members.map((member) => member.name).sort() };
	});
}
