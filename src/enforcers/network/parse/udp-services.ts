/** Ports whose service speaks mostly UDP, where an entry that names no protocol takes TCP. */

import { isMap } from "yaml";
import type { Item, NodeReader } from "../../../document/nodes.ts";

/** Well-known ports with what listens there: RFC 6335's registry, and what hosts really run. */
const udpServices: ReadonlyMap<number, string> = new Map([
	[53, "DNS"],
	[67, "DHCP"],
	[68, "DHCP"],
	[69, "TFTP"],
	[123, "NTP"],
	[137, "NetBIOS"],
	[138, "NetBIOS"],
	[161, "SNMP"],
	[162, "SNMP traps"],
	[319, "PTP"],
	[320, "PTP"],
	[500, "IKE"],
	[514, "syslog"],
	[520, "RIP"],
	[546, "DHCPv6"],
	[547, "DHCPv6"],
	[623, "IPMI"],
	[1194, "OpenVPN"],
	[1701, "L2TP"],
	[1812, "RADIUS"],
	[1813, "RADIUS"],
	[1900, "SSDP"],
	[3478, "STUN"],
	[4500, "IPsec"],
	[4789, "VXLAN"],
	[5353, "mDNS"],
	[5355, "LLMNR"],
	[6081, "Geneve"],
	[6343, "sFlow"],
	[51820, "WireGuard"],
]);

/** Warns of an entry without a protocol whose port is one of those. */
export function warnOfAssumedTcp(
	reader: NodeReader,
	{ node, path }: Pick<Item, "node" | "path">,
	range: { readonly first: number; readonly last: number } | null,
): void {
	if (range === null || range.first !== range.last || !isMap(node) || node.has("protocol")) return;
	const service = udpServices.get(range.first);
	if (service === undefined) return;
	const message = `without a protocol, port ${range.first} is that of TCP, and ${service} speaks mostly UDP`;
	const hint = `write protocol: UDP, and a second entry with protocol: TCP where both are meant`;
	reader.warn(node, path, "tcp-assumed", message, hint);
}
