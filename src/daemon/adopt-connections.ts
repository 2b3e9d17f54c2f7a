/**
 * Enters the TCP connections that are already open into connection tracking,
 * before the first ruleset asks about it. By itself it makes an entry only at a
 * connection's next packet, which is a new one to the rules: they would drop a
 * segment of a connection that has long been established.
 */

import { Conntrack } from "../observe/conntrack.ts";
import { type OpenSocket, openSockets } from "../observe/open-sockets.ts";
import { socketFlow } from "./open-flows.ts";

/** More connections are left to their next packet: starting must not take seconds. */
const maxAdopted = 65_536;

/** Returns "", or why some connections could not be entered. */
export function adoptConnections(sockets: readonly OpenSocket[] = openSockets()): string {
	const remote = sockets.filter((socket) => !isLoopback(socket.remote));
	if (remote.length === 0) return "";
	const opened = Conntrack.open();
	if (!opened.ok) return `connection tracking cannot be told of them: ${opened.error}`;
	let failed = Math.max(0, remote.length - maxAdopted);
	let error = `there are more than ${maxAdopted}`;
	for (const socket of remote.slice(0, maxAdopted)) {
		const { family, original } = socketFlow(socket);
		const made = opened.conntrack.establish(family, original, socket.closing);
		if (made.ok) continue;
		failed += 1;
		error = made.error;
	}
	opened.conntrack.close();
	return failed === 0
		? ""
		: `connection tracking was not told of ${failed} out of ${remote.length}: ${error}`;
}

/** Its packets pass before any state is asked for. */
function isLoopback(address: string): boolean {
	return address.startsWith("127.") || address === "::1";
}
