/** The open connections of this network namespace, as connection tracking and the host's own sockets tell them. */

import { readFileSync } from "node:fs";
import { tcp } from "../../../base/protocol.ts";
import type { AddressBlocks } from "../../../kernel/address-blocks.ts";
import { Conntrack, type ConntrackEntry } from "../../../kernel/conntrack.ts";
import { type HostSocket, HostSockets, socketKey } from "../../../kernel/host-sockets.ts";
import { type LocalInterfaces, localInterfaces } from "../../../kernel/local-interfaces.ts";
import { LocalRoutes, RouteLookup } from "../../../kernel/routes.ts";
import { rolesOf } from "./flow-roles.ts";
import { forwardedRoles } from "./forwarded-flows.ts";
import { type GuestPlaces, readGuestAddresses } from "./guest-addresses.ts";
import { asEntry, inRole, type JudgedFlow, judgeable, type TrackedFlow } from "./open-connections.ts";

/** Never an interface's name, so only rules without `iface` match it. */
export const otherInterface = "";

/** One flow: its entry, its socket at this end, or both. */
export interface OpenFlow {
	readonly entry: ConntrackEntry | null;
	readonly socket: HostSocket | null;
}

/** What the kernel has by default (net.ipv4.ip_local_port_range). */
const defaultPorts = { first: 32_768, last: 60_999 };

/** The host's end of the network, as far as judging a flow needs it. */
export class HostNetwork {
	/** Interfaces that rules can mean: all but the loopback, and one that no rule names. */
	readonly everywhere: readonly string[];
	readonly sockets: HostSockets;
	/** Null where what is forwarded is not judged. */
	readonly #guests: AddressBlocks | null;
	readonly #interfaces: LocalInterfaces;
	readonly #routes: LocalRoutes;
	readonly #ports: { readonly first: number; readonly last: number };
	#lookup: RouteLookup | null | undefined;

	constructor(
		interfaces: LocalInterfaces,
		routes = new LocalRoutes(new Set(), []),
		sockets = new HostSockets([]),
		ports = defaultPorts,
		guests: AddressBlocks | null = null,
	) {
		this.everywhere = [...interfaces.names.filter((name) => name !== "lo"), otherInterface];
		this.sockets = sockets;
		this.#interfaces = interfaces;
		this.#routes = routes;
		this.#ports = ports;
		this.#guests = guests;
	}

	/**
	 * Reads what there is now. Close it when the flows are judged.
	 * @param places where guests are whose flows are judged; null where none are.
	 */
	static read(
		places: GuestPlaces | null = null,
	): { readonly ok: true; readonly network: HostNetwork } | { readonly ok: false; readonly error: string } {
		const own = localInterfaces();
		if (!own.ok) return own;
		const routes = LocalRoutes.read();
		if (!routes.ok) return routes;
		const guests = places && readGuestAddresses(places);
		if (guests?.ok === false) return guests;
		const { interfaces } = own;
		const behind = guests?.addresses ?? null;
		return {
			ok: true,
			network: new HostNetwork(interfaces, routes.routes, HostSockets.read(), localPorts(), behind),
		};
	}

	/** Whether flows to and from guests are judged. */
	get judgesForwarded(): boolean {
		return this.#guests !== null;
	}

	isGuest(address: string): boolean {
		return this.#guests?.has(address) === true && !this.isLocal(address);
	}

	isLocal(address: string): boolean {
		return (
			this.#interfaces.addresses.has(address) ||
			address.startsWith("127.") ||
			address === "::1" ||
			this.#routes.has(address)
		);
	}

	/** The interfaces that have the local address of a flow; of a forwarded one those that lead to its remote end. */
	owners(flow: JudgedFlow): readonly string[] {
		return flow.forwarded ? this.expected(flow) : (this.#interfaces.addresses.get(flow.local) ?? []);
	}

	/** The interfaces that a flow's packets can be expected on: that of its address, and that of the way back. */
	expected(flow: JudgedFlow): readonly string[] {
		if (this.#lookup === undefined) this.#lookup = RouteLookup.open();
		const index = this.#lookup?.interfaceTo(flow.remote, flow.local) ?? null;
		const route = index === null ? undefined : this.#interfaces.byIndex.get(index);
		const own = flow.forwarded ? [] : this.owners(flow);
		const names = route === undefined ? own : [...own, route];
		return [...new Set(names.filter((name) => name !== "lo"))];
	}

	/**
	 * The flow in each role in which it has to be judged, the likeliest first; none for loopback, and for what is
	 * forwarded to and from nobody who is a guest here.
	 */
	roles({ entry, socket }: OpenFlow): readonly JudgedFlow[] {
		const flow = entry === null ? socket && this.#bySocket(socket) : this.#byEntry(entry, socket);
		if (flow === null) return entry === null || !this.judgesForwarded ? [] : forwardedRoles(entry, this);
		const { protocol, local, cut } = flow;
		const roles = rolesOf({
			protocol,
			localPort: cut.localPort,
			remotePort: cut.remotePort,
			entry: entry === null ? null : flow.direction,
			connected: socket !== null,
			surplus: socket?.surplus ?? null,
			served: this.sockets.serves(protocol, local, cut.localPort),
			ephemeral: (port) => this.isEphemeral(port),
		});
		const { owner } = socket ?? {};
		const owned = owner === undefined ? flow : { ...flow, owner };
		return roles.map((role) => inRole(role === "egress" ? owned : flow, role));
	}

	/** Ports on which UDP sockets wait for whoever comes, but those that the kernel gives to any socket. */
	get servedPorts(): number[] {
		return this.sockets.udpPorts.filter((port) => !this.isEphemeral(port));
	}

	close(): void {
		this.#lookup?.close();
		this.#lookup = undefined;
	}

	/** Whether the kernel gives a port to sockets that ask for none. */
	isEphemeral(port: number): boolean {
		return port >= this.#ports.first && port <= this.#ports.last;
	}

	/** A socket's own address is this host's, whatever the tables say of it. */
	#byEntry(entry: ConntrackEntry, socket: HostSocket | null): JudgedFlow | null {
		const flow = judgeable(entry, (address) => this.isLocal(address));
		if (flow !== null || socket === null || this.isLocal(entry.original.source)) return flow;
		const { source, sourcePort } = entry.original;
		return asEntry(entry, socket.local === source && socket.localPort === sourcePort ? "egress" : "ingress");
	}

	#bySocket(socket: HostSocket): JudgedFlow | null {
		return this.isLocal(socket.remote) ? null : asEntry(socketFlow(socket, false), "egress");
	}
}

function localPorts(): typeof defaultPorts {
	try {
		const [first, last] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1")
			.trim()
			.split(/\s+/);
		const ports = { first: Number(first), last: Number(last) };
		return ports.first > 0 && ports.last >= ports.first ? ports : defaultPorts;
	} catch {
		return defaultPorts;
	}
}

/**
 * Yields the entries of connection tracking, each with its socket, then the sockets whose flows it does not know,
 * and returns why entries are missing, or "".
 */
export function* openFlows({ connected }: HostSockets): Generator<OpenFlow, string> {
	let error = "";
	const untracked = new Map(connected);
	const opened = Conntrack.open();
	if (!opened.ok) error = opened.error;
	else {
		try {
			for (const family of [4, 6] as const) {
				const entries = opened.conntrack.dump(family);
				for (let step = entries.next(); ; step = entries.next()) {
					if (step.done === true) {
						if (!step.value.ok) error = step.value.error;
						break;
					}
					const entry = step.value;
					const key = keysOf(entry).find((key) => untracked.has(key));
					const socket = key === undefined ? null : (untracked.get(key) ?? null);
					if (key !== undefined) untracked.delete(key);
					yield { entry, socket };
				}
			}
		} finally {
			opened.conntrack.close();
		}
	}
	for (const socket of untracked.values()) yield { entry: null, socket };
	return error;
}

/** The names that the socket at this end may have: as who sent the first packet, or as who received it. */
function keysOf({ protocol, original, reply }: TrackedFlow): string[] {
	return [original, reply].map(({ source, sourcePort, destination, destinationPort }) =>
		socketKey(protocol, source, sourcePort, destination, destinationPort),
	);
}

/** The connection as connection tracking would tell it. @param accepted the other end opened it. */
export function socketFlow(socket: HostSocket, accepted: boolean): TrackedFlow {
	const { family, protocol, local, localPort, remote, remotePort } = socket;
	const out = { source: local, sourcePort: localPort, destination: remote, destinationPort: remotePort };
	const back = { source: remote, sourcePort: remotePort, destination: local, destinationPort: localPort };
	const [original, reply] = accepted ? [back, out] : [out, back];
	return { family, protocol, original, reply };
}

/** A TCP connection that nobody tracks: its next packet would be a new one. */
export function isUntracked({ entry, socket }: OpenFlow): boolean {
	return entry === null && socket?.protocol === tcp;
}
