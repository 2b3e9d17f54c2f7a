/** The flows that what runs on this host needs, from its sockets and links. Pure. */

import type { Direction, Family, Protocol } from "../../../../base/model.ts";
import { icmp, icmpv6, igmp, protocolLabel, protocolOf, tcp, udp } from "../../../../base/protocol.ts";

/** A socket of the host, as /proc/net tells it. */
export interface HostSocket {
	readonly kind: "tcp" | "udp" | "raw";
	readonly family: Family;
	readonly local: string;
	/** A port; of a raw socket the protocol number. */
	readonly number: number;
	readonly remotePort: number;
}

/** A kind of flows without which a service does not work. */
export interface Need {
	readonly direction: Direction;
	readonly family: Family;
	readonly protocol: Protocol;
	/** The destination port; null for protocols without ports. */
	readonly port: number | null;
	/** The one address that the other end has, such as a multicast group; null for anybody. */
	readonly address: string | null;
}

export interface HostService {
	/** What a person calls it, such as "VRRP (keepalived)". */
	readonly name: string;
	/** It speaks by itself, or is one of those that a firewall breaks in silence; other services are known to their users. */
	readonly notable: boolean;
	readonly needs: readonly Need[];
}

type Wanted = Omit<Need, "family" | "address"> & {
	readonly group?: Readonly<Partial<Record<Family, string>>>;
};

const flow = (
	direction: Direction,
	protocol: Protocol,
	port: number | null,
	group?: Wanted["group"],
): Wanted => (group === undefined ? { direction, protocol, port } : { direction, protocol, port, group });
const both = (protocol: Protocol, group?: Wanted["group"]) => [
	flow("ingress", protocol, null),
	flow("egress", protocol, null, group),
];

/** UDP ports of services that also speak first, or answer from another port than they were asked at. */
const udpServices: Readonly<Record<number, { readonly name: string; readonly needs: readonly Wanted[] }>> = {
	67: { name: "a DHCP server", needs: [flow("ingress", "udp", 67), flow("egress", "udp", 68)] },
	69: { name: "TFTP", needs: [flow("ingress", "udp", 69), flow("egress", "udp", 40_000)] },
	123: { name: "NTP", needs: [flow("ingress", "udp", 123), flow("egress", "udp", 123)] },
	500: { name: "IPsec (IKE)", needs: [flow("ingress", "udp", 500), flow("egress", "udp", 500)] },
	520: { name: "RIP", needs: [flow("ingress", "udp", 520), flow("egress", "udp", 520, { 4: "224.0.0.9" })] },
	547: { name: "a DHCPv6 server", needs: [flow("ingress", "udp", 547), flow("egress", "udp", 546)] },
	1194: { name: "OpenVPN", needs: [flow("ingress", "udp", 1194)] },
	1900: {
		name: "SSDP",
		needs: [flow("ingress", "udp", 1900), flow("egress", "udp", 1900, { 4: "239.255.255.250" })],
	},
	4500: { name: "IPsec (NAT traversal)", needs: [flow("ingress", "udp", 4500), flow("egress", "udp", 4500)] },
	5353: {
		name: "mDNS",
		needs: [flow("ingress", "udp", 5353), flow("egress", "udp", 5353, { 4: "224.0.0.251", 6: "ff02::fb" })],
	},
};

/** Raw sockets whose protocol says who they are. Those for ICMP are of ping, and of what the essentials let pass. */
const rawServices: Readonly<Record<number, { readonly name: string; readonly group?: Wanted["group"] }>> = {
	50: { name: "IPsec (ESP)" },
	88: { name: "EIGRP", group: { 4: "224.0.0.10", 6: "ff02::a" } },
	89: { name: "OSPF", group: { 4: "224.0.0.5", 6: "ff02::5" } },
	103: { name: "PIM", group: { 4: "224.0.0.13", 6: "ff02::d" } },
	112: { name: "VRRP (keepalived)", group: { 4: "224.0.0.18", 6: "ff02::12" } },
};
/** Options of IPv6 hop by hop, and IPPROTO_RAW, which only sends. */
const hopByHop = 0;
const rawOnly = 255;
const ordinaryRaw: ReadonlySet<number> = new Set([hopByHop, icmp, igmp, tcp, udp, icmpv6, rawOnly]);

/** Tunnels that have no socket, by the kind of their link. */
const tunnelLinks: Readonly<Record<string, { readonly protocol: number; readonly family: Family }>> = {
	gre: { protocol: 47, family: 4 },
	gretap: { protocol: 47, family: 4 },
	erspan: { protocol: 47, family: 4 },
	ip6gre: { protocol: 47, family: 6 },
	ip6gretap: { protocol: 47, family: 6 },
	ipip: { protocol: 4, family: 4 },
	sit: { protocol: 41, family: 4 },
};

/** From here on ports are given to those who ask for any (ip_local_port_range). */
const firstEphemeral = 32_768;
/** WireGuard's own, and those that follow for further interfaces. */
const isWireguardPort = (port: number) => port >= 51_820 && port < 51_900;

/** What the sockets and the links' kinds say. Loopback's own are left out: no policy is asked about them. */
export function hostServices(sockets: readonly HostSocket[], linkKinds: readonly string[]): HostService[] {
	const found = new Map<string, { name: string; notable: boolean; needs: Map<string, Need> }>();
	const note = (name: string, notable: boolean, family: Family, wanted: readonly Wanted[]) => {
		const service = found.get(name) ?? { name, notable, needs: new Map<string, Need>() };
		found.set(name, service);
		for (const { direction, protocol, port, group } of wanted) {
			const need: Need = { direction, family, protocol, port, address: group?.[family] ?? null };
			service.needs.set(JSON.stringify(need), need);
		}
	};
	const wireguard = linkKinds.includes("wireguard");
	for (const socket of sockets) {
		if (isLoopback(socket.local)) noteChrony(socket, note);
		else if (socket.kind === "raw") noteRaw(socket, note);
		else if (socket.kind === "udp") noteUdp(socket, wireguard, note);
		else
			note(`a program that listens on TCP ${socket.number}`, false, socket.family, [
				flow("ingress", "tcp", socket.number),
			]);
	}
	for (const kind of new Set(linkKinds)) {
		const tunnel = Object.hasOwn(tunnelLinks, kind) ? tunnelLinks[kind] : undefined;
		if (tunnel !== undefined)
			note(`a ${kind} tunnel`, true, tunnel.family, both(protocolOf(tunnel.protocol)));
	}
	return [...found.values()].map((service) => ({ ...service, needs: [...service.needs.values()] }));
}

type Note = (name: string, notable: boolean, family: Family, wanted: readonly Wanted[]) => void;

function noteRaw({ family, number }: HostSocket, note: Note): void {
	if (ordinaryRaw.has(number)) return;
	const known = Object.hasOwn(rawServices, number) ? rawServices[number] : undefined;
	const protocol = protocolOf(number);
	note(
		known?.name ?? `a raw socket of ${protocolLabel(protocol)}`,
		true,
		family,
		both(protocol, known?.group),
	);
}

function noteUdp({ family, number, remotePort }: HostSocket, wireguard: boolean, note: Note): void {
	if (remotePort !== 0) {
		// A client of NTP; of other questions the answers say nothing about what runs here.
		if (remotePort === 123) note("NTP", true, family, [flow("egress", "udp", 123)]);
		return;
	}
	const known = Object.hasOwn(udpServices, number) ? udpServices[number] : undefined;
	if (known !== undefined) note(known.name, true, family, known.needs);
	else if (wireguard && isWireguardPort(number)) {
		note(`WireGuard on UDP ${number}`, true, family, [flow("ingress", "udp", number)]);
	} else if (number < firstEphemeral && !ownPorts.has(number)) {
		note(`a program that listens on UDP ${number}`, false, family, [flow("ingress", "udp", number)]);
	}
}

/** Where DHCP's clients hear; the essentials let that pass. */
const ownPorts: ReadonlySet<number> = new Set([68, 546]);

/** chronyd asks from a port of its own for each question; its command port tells that it runs. */
function noteChrony({ kind, family, number }: HostSocket, note: Note): void {
	if (kind === "udp" && number === 323) note("NTP", true, family, [flow("egress", "udp", 123)]);
}

function isLoopback(address: string): boolean {
	return address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.");
}
