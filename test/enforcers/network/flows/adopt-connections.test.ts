import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { adoptAllowed, adoptConnections } from "../../../../src/enforcers/network/flows/adopt-connections.ts";
import type { FlowVerdict } from "../../../../src/enforcers/network/flows/connections.ts";
import type { JudgedFlow } from "../../../../src/enforcers/network/flows/open-connections.ts";
import { Conntrack } from "../../../../src/kernel/conntrack.ts";
import { HostSockets } from "../../../../src/kernel/host-sockets.ts";
import { type DiagSocket, tcpState } from "../../../../src/kernel/socket-diag.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../../system/support/isolated.ts";
import { Namespace } from "../../../system/support/netns.ts";

describe("connections of a network namespace without connection tracking", () => {
	let network: IsolatedNetwork;
	let conntrack: Conntrack;
	let peer: Namespace;

	beforeAll(async () => {
		peer = await Namespace.create();
		network = enterIsolatedNetwork();
		command("ip", "addr", "add", "192.0.2.1/32", "dev", "lo");
		command("ip", "addr", "add", "2001:db8::1/128", "dev", "lo", "nodad");
		const tracking = Conntrack.open();
		if (!tracking.ok) throw new Error(tracking.error);
		conntrack = tracking.conntrack;
	});
	afterAll(() => {
		conntrack.close();
		peer[Symbol.dispose]();
		network.leave();
	});
	beforeEach(() => {
		for (const family of [4, 6] as const)
			for (const entry of [...conntrack.dump(family)]) conntrack.delete(entry);
	});

	/** A connection to `address`, accepted by a listener of `listening`. */
	async function open(address: string, listening: string) {
		const server = createServer({ allowHalfOpen: true });
		await new Promise<void>((resolve) => server.listen(0, listening, resolve));
		const bound = server.address();
		if (bound === null || typeof bound === "string") throw new Error("no port");
		const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
		const client = connect(bound.port, address);
		const other = await accepted;
		await new Promise<void>((resolve) =>
			client.connecting ? client.once("connect", () => resolve()) : resolve(),
		);
		return {
			client,
			accepted: other,
			clientPort: client.localPort ?? 0,
			serverPort: bound.port,
			[Symbol.dispose]() {
				client.destroy();
				other.destroy();
				server.close();
			},
		};
	}

	/** As a remote host's would be. */
	const socket = (index: number, family: 4 | 6 = 4): DiagSocket => ({
		family,
		local: family === 4 ? "192.0.2.1" : "2001:db8::1",
		localPort: 22,
		remote:
			family === 4
				? `198.18.${(index >> 8) & 0xff}.${index & 0xff}`
				: `2001:db8:1::${(index + 1).toString(16)}`,
		remotePort: 1024 + (index >> 16),
		protocol: 6,
		state: tcpState.established,
		surplus: null,
		handle: null,
	});

	const listener: DiagSocket = {
		...socket(0),
		local: "::",
		remote: "::",
		remotePort: 0,
		state: tcpState.listen,
	};
	const adopt = (...sockets: readonly DiagSocket[]) => adoptConnections(new HostSockets(sockets));

	test.each([
		["192.0.2.1", "0.0.0.0", 4],
		// The accepting socket shows an IPv4-mapped address.
		["192.0.2.1", "::", 4],
		["2001:db8::1", "::", 6],
	] as const)(
		"one to %s, where %s is listened on, is made known once",
		async (address, listening, family) => {
			using connection = await open(address, listening);
			expect([...conntrack.dump(family)]).toEqual([]);
			expect(adoptConnections()).toBe("");
			const { clientPort, serverPort } = connection;
			const entry = {
				original: {
					source: address,
					destination: address,
					sourcePort: clientPort,
					destinationPort: serverPort,
				},
				reply: { source: address, destination: address, sourcePort: serverPort, destinationPort: clientPort },
			};
			const tracked = () =>
				[...conntrack.dump(family)].filter(({ original }) => original.destinationPort === serverPort);
			expect(tracked()).toEqual([expect.objectContaining({ family, protocol: 6, ...entry })]);
			expect(adoptConnections()).toBe("");
			expect(tracked()).toHaveLength(1);
		},
	);

	test.each([
		["192.0.2.1", "of both directions"],
		["192.0.2.1", "that its client closed"],
		["2001:db8::1", "of both directions"],
		["2001:db8::1", "that its client closed"],
	])("one to %s %s goes on where rules accept only what is established", async (address, kind) => {
		using connection = await open(address, "::");
		const { client, accepted } = connection;
		if (kind === "that its client closed") {
			const ended = new Promise<void>((resolve) => accepted.once("end", resolve));
			accepted.resume();
			client.end();
			await ended;
		}
		expect(adoptConnections()).toBe("");
		const drop = (hook: string) =>
			`chain ${hook} { type filter hook ${hook} priority 0; ct state established accept; meta l4proto tcp drop; }`;
		command("nft", `table inet t { ${drop("input")}; ${drop("output")}; }`);
		try {
			const heard = new Promise<string>((resolve) => client.once("data", (data) => resolve(`${data}`)));
			accepted.write("still here");
			expect(await heard).toBe("still here");
		} finally {
			command("nft", "delete", "table", "inet", "t");
		}
	});

	test("who listens did not make the connection", () => {
		const outgoing: DiagSocket = { ...socket(7), localPort: 40_000, remotePort: 443 };
		// Bound to the port of a listener of its own, as its byte counts show.
		const bound: DiagSocket = { ...socket(8), surplus: 1 };
		for (const family of [4, 6] as const) {
			expect(adopt(listener, socket(1, family), ...(family === 4 ? [outgoing, bound] : []))).toBe("");
		}
		const originals = ([4, 6] as const).flatMap((family) =>
			[...conntrack.dump(family)].map(
				({ original }) => `${original.source}>${original.destination}:${original.destinationPort}`,
			),
		);
		expect(originals.sort()).toEqual([
			"192.0.2.1>198.18.0.7:443",
			"192.0.2.1>198.18.0.8:1024",
			"198.18.0.1>192.0.2.1:22",
			"2001:db8:1::2>2001:db8::1:22",
		]);
	});

	test("of those that nobody tracks only what the policies let pass is entered", async () => {
		command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1", "netns", `${peer.pid}`);
		command("ip", "addr", "add", "198.18.5.1/24", "dev", "d0");
		command("ip", "link", "set", "d0", "up");
		peer.run(["ip", "addr", "add", "198.18.5.2/24", "dev", "d1"]);
		peer.run(["ip", "link", "set", "d1", "up"]);
		const script =
			"import socket,time\nfor p in (7001,7002,7003):\n  globals()[f's{p}']=socket.create_server(('',p))\nprint('up',flush=True)\ntime.sleep(60)";
		const servers = Bun.spawn(peer.inside(["python3", "-c", script]), { stdout: "pipe" });
		await servers.stdout.getReader().read();
		const clients = await Promise.all(
			[7001, 7002, 7003].map(async (port) => {
				const client = connect(port, "198.18.5.2");
				await new Promise<void>((resolve) => client.once("connect", () => resolve()));
				return client;
			}),
		);
		try {
			const verdicts = { 7001: "other", 7002: "blocked", 7003: "posture" } as const;
			const verdict = ({ direction, destinationPort }: JudgedFlow): FlowVerdict =>
				direction === "egress" && destinationPort in verdicts
					? verdicts[destinationPort as keyof typeof verdicts]
					: "other";
			expect(adoptAllowed(verdict)).toBe("");
			expect(
				[...conntrack.dump(4)].map(({ original }) => [original.source, original.destinationPort]),
			).toEqual([["198.18.5.1", 7001]]);
		} finally {
			for (const client of clients) client.destroy();
			servers.kill();
		}
	});

	test("loopback connections need no entry", () => {
		expect(adopt({ ...socket(1), remote: "127.0.0.1" })).toBe("");
		expect(adopt({ ...socket(1, 6), remote: "::1" })).toBe("");
		expect(conntrack.count()).toEqual({ ok: true, count: 0 });
	});

	test("more than 65 536 are left to their next packet, and that is said", () => {
		const sockets = Array.from({ length: 65_546 }, (_, index) => socket(index));
		expect(adopt(...sockets)).toBe(
			"connection tracking was not told of 10 out of 65546: there are more than 65536",
		);
		expect(conntrack.count()).toEqual({ ok: true, count: 65_536 });
	});
});
