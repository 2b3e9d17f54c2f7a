import { expect, test } from "bun:test";
import { connect, createServer } from "node:net";
import { parseSockets, readProcSockets } from "../../src/kernel/open-sockets.ts";

/** As Linux prints them on a little-endian machine, cut after the state. */
const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000
   1: 010012C6:0016 020012C6:A5E0 01 00000000:00000000 00:00000000 00000000
   2: 010012C6:BBF8 020012C6:01BB 08 00000000:00000000 00:00000000 00000000
   3: 010012C6:BBF9 020012C6:01BB 06 00000000:00000000 00:00000000 00000000
   4: 010012C6:BBFA 020012C6:01BB 02 00000000:00000000 00:00000000 00000000
   5: 010012C6:BBFB 020012C6:01BB 09 00000000:00000000 00:00000000 00000000
`;
const tcp6 = `   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000
   1: 0000000000000000FFFF0000010012C6:1F90 0000000000000000FFFF0000020012C6:C001 01 00000000
   2: 180098FD000000000000000001000000:C002 B80D0120000000000000000002000000:0050 04 00000000
   3: rubbish
`;

test("sockets are told with both ends and their state; opening and ended ones are left out", () => {
	const told = (
		local: string,
		localPort: number,
		remote: string,
		remotePort: number,
		state: number,
		family: 4 | 6 = 4,
	) => ({ family, protocol: 6, local, localPort, remote, remotePort, state, surplus: null, handle: null });
	expect(parseSockets(tcp + tcp6)).toEqual([
		told("0.0.0.0", 22, "0.0.0.0", 0, 10),
		told("198.18.0.1", 22, "198.18.0.2", 42464, 1),
		told("198.18.0.1", 48120, "198.18.0.2", 443, 8),
		told("198.18.0.1", 48123, "198.18.0.2", 443, 9),
		told("::", 8080, "::", 0, 10, 6),
		told("198.18.0.1", 8080, "198.18.0.2", 49153, 1),
		told("fd98:18::1", 49154, "2001:db8::2", 80, 4, 6),
	]);
	expect(parseSockets("")).toEqual([]);
});

test("a connection of this process is found from both its ends, and its listener", async () => {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("no port");
	const accepted = new Promise<{ destroy(): void }>((resolve) => server.once("connection", resolve));
	const client = connect(address.port, "127.0.0.1");
	const other = await accepted;
	await new Promise<void>((resolve) =>
		client.connecting ? client.once("connect", () => resolve()) : resolve(),
	);
	const ends = readProcSockets().filter(
		(socket) => socket.localPort === address.port || socket.remotePort === address.port,
	);
	expect(ends.map((socket) => [socket.local, socket.remote, socket.state]).sort()).toEqual([
		["127.0.0.1", "0.0.0.0", 10],
		["127.0.0.1", "127.0.0.1", 1],
		["127.0.0.1", "127.0.0.1", 1],
	]);
	client.destroy();
	other.destroy();
	server.close();
});
