/**
 * Enters TCP connections that are open into connection tracking. By itself it
 * makes an entry only at a connection's next packet, which is a new one to the
 * rules: they would drop a segment of a connection that has long been
 * established, and drop every one that this host sends.
 */

import { tcp } from "../../../base/protocol.ts";
import { Conntrack } from "../../../kernel/conntrack.ts";
import { type HostSocket, HostSockets } from "../../../kernel/host-sockets.ts";
import { fateOf, type JudgeFlow, strays } from "./connections.ts";
import { HostNetwork, isUntracked, openFlows, socketFlow } from "./open-flows.ts";

/** More connections are left to their next packet: starting must not take seconds. */
const maxAdopted = 65_536;

/**
 * Enters all there are, before the first ruleset asks about them. Returns "", or why some connections could not be
 * entered.
 */
export function adoptConnections(sockets: HostSockets = HostSockets.read()): string {
	const remote = [...sockets.connected.values()].filter(
		({ protocol, remote }) => protocol === tcp && !isLoopback(remote),
	);
	return enter(remote.map((socket) => ({ socket, accepted: isAccepted(socket, sockets) })));
}

/** Enters those that connection tracking does not know and that the policies as a whole let pass. */
export function adoptAllowed(verdict: JudgeFlow): string {
	const read = HostNetwork.read();
	if (!read.ok) return read.error;
	const { network } = read;
	const found: Adopted[] = [];
	const flows = openFlows(network.sockets);
	let step = flows.next();
	for (; step.done !== true; step = flows.next()) {
		const { socket } = step.value;
		if (!isUntracked(step.value) || socket === null) continue;
		const roles = network.roles(step.value);
		const [first] = roles;
		if (first === undefined || fateOf(network, verdict, roles)?.blocked !== "none") continue;
		if (!strays(network, verdict, first)) found.push({ socket, accepted: first.direction === "ingress" });
	}
	network.close();
	return step.value || enter(found);
}

interface Adopted {
	readonly socket: HostSocket;
	/** The other end opened the connection. */
	readonly accepted: boolean;
}

function enter(found: readonly Adopted[]): string {
	if (found.length === 0) return "";
	const opened = Conntrack.open();
	if (!opened.ok) return `connection tracking cannot be told of them: ${opened.error}`;
	const entries = found.slice(0, maxAdopted).map(({ socket, accepted }) => {
		const { family, original } = socketFlow(socket, accepted);
		return { family, original, closing: socket.closing };
	});
	const { failed, error } = opened.conntrack.establishAll(entries);
	opened.conntrack.close();
	const left = found.length - entries.length;
	return failed + left === 0
		? ""
		: `connection tracking was not told of ${failed + left} out of ${found.length}: ${error || `there are more than ${maxAdopted}`}`;
}

/** Who listens on the local port did not open the connection, unless its byte counts show that it did. */
function isAccepted({ protocol, local, localPort, surplus }: HostSocket, sockets: HostSockets): boolean {
	return surplus !== 1 && sockets.serves(protocol, local, localPort);
}

/** Its packets pass before any state is asked for. */
function isLoopback(address: string): boolean {
	return address.startsWith("127.") || address === "::1";
}
