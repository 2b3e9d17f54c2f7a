import { expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { HostSockets } from "../../src/kernel/host-sockets.ts";
import { AttributeTable, MessageCursor, MessageWriter } from "../../src/kernel/netlink-message.ts";
import { destroySockets, diagSockets, readSocket, tcpState } from "../../src/kernel/socket-diag.ts";
import { enterIsolatedNetwork } from "../system/support/isolated.ts";
import { eventually } from "../system/support/netns.ts";

async function pair(address: string) {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "::", resolve));
	const bound = server.address();
	if (bound === null || typeof bound === "string") throw new Error("no port");
	const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
	const client = connect(bound.port, address);
	const other = await accepted;
	if (client.connecting) await new Promise<void>((resolve) => client.once("connect", () => resolve()));
	return { server, client, other, port: bound.port, clientPort: client.localPort ?? 0 };
}

test.each(["127.0.0.1", "::1"])(
	"who opened a connection to %s is seen, and it ends when it is destroyed",
	async (address) => {
		const network = enterIsolatedNetwork();
		try {
			const { server, client, other, port, clientPort } = await pair(address);
			const heard = new Promise<void>((resolve) => other.once("data", () => resolve()));
			client.write("hello");
			await heard;
			const read = diagSockets();
			if (!read.ok) throw new Error(read.error);
			const ends = read.sockets.filter(({ localPort, remotePort }) => [localPort, remotePort].includes(port));
			const told = ends.map(({ family, protocol, localPort, remotePort, state, surplus }) => [
				family,
				protocol,
				localPort,
				remotePort,
				state,
				surplus,
			]);
			const family = address.includes(":") ? 6 : 4;
			expect(told).toContainEqual([family, 6, clientPort, port, tcpState.established, 1]);
			expect(told).toContainEqual([family, 6, port, clientPort, tcpState.established, 0]);
			const sockets = new HostSockets(read.sockets);
			expect(sockets.serves(6, address, port)).toBe(true);
			expect(sockets.serves(6, address, clientPort)).toBe(false);
			const ended = new Promise<string>((resolve) =>
				client.once("error", (error: Error & { code?: string }) => resolve(error.code ?? "")),
			);
			other.on("error", () => {});
			const mine = ends.find(({ localPort }) => localPort === clientPort)?.handle;
			expect(destroySockets(mine ? [mine] : [])).toBe(1);
			expect(await ended).toBe("ECONNABORTED");
			// It has gone.
			expect(destroySockets(mine ? [mine] : [])).toBe(0);
			expect(destroySockets([])).toBe(0);
			server.close();
			other.destroy();
		} finally {
			network.leave();
		}
	},
);

test("a message that is cut is no socket", () => {
	const bytes = new MessageWriter(20, 0, 1).raw(new Uint8Array(40)).finish();
	const cursor = new MessageCursor(bytes);
	expect(cursor.advance()).toBe(true);
	expect(readSocket(cursor, 6, new AttributeTable(2))).toBeNull();
});

test("a connection whose process has ended is nobody's, and not root's", async () => {
	const network = enterIsolatedNetwork();
	try {
		const { server, client, other, port, clientPort } = await pair("127.0.0.1");
		const owners = () => {
			const read = diagSockets();
			if (!read.ok) throw new Error(read.error);
			const mine = read.sockets.filter((one) => one.localPort === clientPort && one.remotePort === port);
			return mine.map(({ state, owner }) => [state, owner?.user]);
		};
		expect(owners()).toEqual([[tcpState.established, 0]]);
		// What the other end does not read keeps the connection from ending.
		other.pause();
		client.write(new Uint8Array(32 * 1024 * 1024));
		await Bun.sleep(100);
		client.destroy();
		await eventually("an orphan", () => owners().every(([state]) => state !== tcpState.established));
		expect(owners()).toEqual([[expect.any(Number), undefined]]);
		server.close();
		other.destroy();
	} finally {
		network.leave();
	}
});
