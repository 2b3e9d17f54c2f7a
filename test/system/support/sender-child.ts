/**
 * Sends as somebody: `sender-child.ts UID GID CGROUP`. Each line of standard input is answered by a line. A list of
 * targets: which of the datagrams to them left the host, as a packet that is dropped fails the call that sends it. One
 * target: whether a connection to it came about. A number: whether a byte on that connection is echoed within so many
 * milliseconds.
 */

import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { lines } from "./probe.ts";

const [user = "", group = "", controlGroup = ""] = process.argv.slice(2);

if (controlGroup !== "") writeFileSync(join(controlGroup, "cgroup.procs"), String(process.pid));
process.setgroups?.([]);
process.setgid?.(Number(group));
process.setuid?.(Number(user));

async function leaves({
	address,
	port,
}: {
	readonly address: string;
	readonly port: number;
}): Promise<boolean> {
	// A socket of its own is a flow of its own.
	const socket = await Bun.udpSocket({ hostname: address.includes(":") ? "::" : "0.0.0.0" });
	try {
		return socket.send("x", port, address);
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "EPERM") return false;
		throw error;
	} finally {
		socket.close();
	}
}

let connection: Socket | null = null;

function connected({ address, port }: { readonly address: string; readonly port: number }): Promise<boolean> {
	const socket = connect(port, address);
	connection = socket;
	return new Promise((resolve) => {
		socket.once("connect", () => resolve(true));
		socket.on("error", () => resolve(false));
	});
}

async function echoed(milliseconds: number): Promise<boolean> {
	const socket = connection;
	if (socket === null || socket.destroyed) return false;
	const heard = new Promise<boolean>((resolve) => {
		socket.once("data", () => resolve(true));
		socket.once("close", () => resolve(false));
		socket.write("x");
	});
	return await Promise.race([heard, Bun.sleep(milliseconds).then(() => false)]);
}

async function leaveAll(targets: readonly Parameters<typeof leaves>[0][]): Promise<boolean[]> {
	const passed: boolean[] = [];
	for (const target of targets) passed.push(await leaves(target));
	return passed;
}

for await (const line of lines(Bun.stdin.stream())) {
	const asked = JSON.parse(line);
	const answer =
		typeof asked === "number" ? echoed(asked) : Array.isArray(asked) ? leaveAll(asked) : connected(asked);
	console.log(JSON.stringify(await answer));
}
