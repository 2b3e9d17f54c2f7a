/** Datagrams of given bytes and ports, from ordinary sockets. */

import type { Namespace } from "./netns.ts";

const script = `
// Nobody listens: an answer that says so is no matter.
process.on("uncaughtException", () => {});
const [localPort, address, port, text, host] = process.argv.slice(-5);
const options = host === "" ? {} : { hostname: host };
const socket = await Bun.udpSocket({ ...options, port: Number(localPort) });
try { socket.send(Buffer.from(text, "base64"), Number(port), address); } catch {}
await Bun.sleep(5);
socket.close();
`;

/** Sends one datagram; what a firewall refuses is no error. `localPort` 0 is any, `localAddress` "" too. */
export function sendDatagram(
	namespace: Namespace,
	to: { readonly address: string; readonly port: number },
	{ text = "x", localPort = 0, localAddress = "" } = {},
): void {
	const bytes = Buffer.from(text, "latin1").toString("base64");
	const host = localAddress === "" && to.address.includes(":") ? "::" : localAddress;
	namespace.run([
		process.execPath,
		"-e",
		script,
		"--",
		`${localPort}`,
		to.address,
		`${to.port}`,
		bytes,
		host,
	]);
}
