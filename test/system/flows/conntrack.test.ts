import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { createConnection, createServer, type Socket } from "node:net";
import { Nftables } from "../../../ffi/nftables.ts";
import type { Family } from "../../../src/base/model.ts";
import { Conntrack, type ConntrackEntry } from "../../../src/kernel/conntrack.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork, until } from "../support/isolated.ts";

describe("connection tracking in a network namespace", () => {
	let network: IsolatedNetwork;
	let conntrack: Conntrack;

	beforeAll(() => {
		network = enterIsolatedNetwork();
		const opened = Nftables.open();
		const tracking = Conntrack.open();
		if (!opened.ok || !tracking.ok) throw new Error("no netfilter");
		conntrack = tracking.conntrack;
		// Entries are made only while some rule asks for them.
		const loaded = opened.nftables.run(`
			table inet t {
				chain out {
					type filter hook output priority 0; policy accept;
					ct state new accept
				}
				chain translate {
					type nat hook output priority -100; policy accept;
					udp dport 7099 redirect to :7100
				}
			}
		`);
		opened.nftables.close();
		if (!loaded.ok) throw new Error(loaded.error);
	});
	afterAll(() => {
		conntrack.close();
		network.leave();
	});

	function dump(family: Family): ConntrackEntry[] {
		const entries = conntrack.dump(family);
		const list: ConntrackEntry[] = [];
		for (;;) {
			const step = entries.next();
			if (step.done === true) {
				if (!step.value.ok) throw new Error(step.value.error);
				return list;
			}
			list.push(step.value);
		}
	}

	function flush(): void {
		for (const family of [4, 6] as const) {
			for (const entry of dump(family)) expect(conntrack.delete(entry)).toEqual({ ok: true });
		}
	}

	/** Deletes until nothing is left: the last packets of a connection that a test closed make an entry anew. */
	async function empty(): Promise<void> {
		await until(() => {
			flush();
			const count = conntrack.count();
			return count.ok && count.count === 0;
		}, "an empty table");
	}

	async function connect(address: string): Promise<{ client: Socket; port: number; close(): void }> {
		const server = createServer(() => {});
		await new Promise<void>((resolve) => server.listen(0, address, resolve));
		const bound = server.address();
		if (bound === null || typeof bound === "string") throw new Error("no port");
		const client = createConnection(bound.port, address);
		await new Promise((resolve) => client.once("connect", resolve));
		return {
			client,
			port: bound.port,
			close() {
				client.destroy();
				server.close();
			},
		};
	}

	async function sendUdp(address: string, port: number): Promise<number> {
		const socket = createSocket("udp4");
		socket.on("error", () => {});
		await new Promise<void>((resolve) => socket.send("x", port, address, () => resolve()));
		const bound = socket.address();
		socket.close();
		return bound.port;
	}

	test.each([
		["127.0.0.1", 4],
		["::1", 6],
	] as const)(
		"a TCP connection to %s is listed with both tuples, and goes when it is deleted",
		async (address, family) => {
			flush();
			const connection = await connect(address);
			const entry = dump(family).find(({ original }) => original.destinationPort === connection.port);
			const clientPort = connection.client.localPort;
			expect(entry).toMatchObject({
				family,
				protocol: 6,
				original: {
					source: address,
					destination: address,
					sourcePort: clientPort,
					destinationPort: connection.port,
				},
				reply: {
					source: address,
					destination: address,
					sourcePort: connection.port,
					destinationPort: clientPort,
				},
				zone: 0,
			});
			if (entry === undefined) return;
			const others = dump(family).length - 1;
			expect(conntrack.delete(entry)).toEqual({ ok: true });
			expect(dump(family)).toHaveLength(others);
			expect(conntrack.delete(entry)).toEqual({ ok: true });
			connection.close();
		},
	);

	test("an entry that replaced the deleted one stays", async () => {
		flush();
		const connection = await connect("127.0.0.1");
		const [entry] = dump(4);
		if (entry === undefined) throw new Error("no entry");
		expect(conntrack.delete({ ...entry, id: (entry.id ^ 1) >>> 0 })).toEqual({ ok: true });
		expect(dump(4)).toHaveLength(1);
		connection.close();
	});

	test("the reply tuple shows address translation", async () => {
		flush();
		const port = await sendUdp("127.0.0.1", 7099);
		const entry = dump(4).find(({ protocol }) => protocol === 17);
		expect(entry?.original).toEqual({
			source: "127.0.0.1",
			destination: "127.0.0.1",
			sourcePort: port,
			destinationPort: 7099,
		});
		expect(entry?.reply.sourcePort).toBe(7100);
	});

	test("the count and the dump agree", async () => {
		await empty();
		const connections = await Promise.all([connect("127.0.0.1"), connect("127.0.0.1"), connect("::1")]);
		// Sockets that earlier tests closed may still say goodbye, which makes entries of their own.
		await until(() => {
			const count = conntrack.count();
			return count.ok && count.count >= 3 && count.count === dump(4).length + dump(6).length;
		}, "as many entries counted as dumped");
		for (const connection of connections) connection.close();
	});

	test("a table of many thousand entries is dumped whole", async () => {
		await empty();
		command(process.execPath, new URL("../support/flood-ports.ts", import.meta.url).pathname, "20000");
		await until(() => {
			const count = conntrack.count();
			return count.ok && count.count >= 20_000;
		}, "20 000 entries");
		const ports = new Set(
			dump(4).map(({ original }) => `${original.sourcePort}/${original.destinationPort}`),
		);
		expect(ports.size).toBeGreaterThanOrEqual(20_000);
		await empty();
	});
});
