/**
 * Sends datagrams as somebody: `sender-child.ts UID GID CGROUP`. Each line of standard input is a list of targets, each
 * answered by a line that says which of them left the host: a packet that is dropped fails the call that sends it.
 */

import { writeFileSync } from "node:fs";
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

for await (const line of lines(Bun.stdin.stream())) {
	const passed: boolean[] = [];
	for (const target of JSON.parse(line)) passed.push(await leaves(target));
	console.log(JSON.stringify(passed));
}
