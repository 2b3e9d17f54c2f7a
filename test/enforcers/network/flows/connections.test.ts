import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { Nftables } from "../../../../ffi/nftables.ts";
import { Connections } from "../../../../src/enforcers/network/flows/connections.ts";
import type { JudgedFlow } from "../../../../src/enforcers/network/flows/open-connections.ts";
import type { JudgeRequest } from "../../../../src/enforcers/network/run/calls.ts";
import { Conntrack } from "../../../../src/kernel/conntrack.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../../system/support/isolated.ts";

const remote = "192.0.2.7";

const asked = (request: Partial<JudgeRequest> = {}): JudgeRequest => ({
	refused: [],
	spared: [],
	before: [],
	mutedPorts: [],
	guests: null,
	strict: false,
	...request,
});
const nothing = { blocked: 0, strayed: 0, refused: [], muted: [], overflow: 0, spared: [], error: "" };

describe("open connections of a network namespace", () => {
	let network: IsolatedNetwork;
	let conntrack: Conntrack;

	beforeAll(() => {
		network = enterIsolatedNetwork();
		command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
		command("ip", "addr", "add", "192.0.2.1/24", "dev", "d0");
		command("ip", "link", "set", "d0", "up");
		command("ip", "link", "set", "d1", "up");
		const opened = Nftables.open();
		const tracking = Conntrack.open();
		if (!opened.ok || !tracking.ok) throw new Error("no netfilter");
		conntrack = tracking.conntrack;
		// Entries are made only while some rule asks for them.
		const loaded = opened.nftables.run(
			"table inet t { chain out { type filter hook output priority 0; ct state new accept; }; }",
		);
		opened.nftables.close();
		if (!loaded.ok) throw new Error(loaded.error);
	});
	afterAll(() => {
		conntrack.close();
		network.leave();
	});

	/** Destination ports of the UDP entries that the kernel holds. */
	function open(): number[] {
		return [...conntrack.dump(4)]
			.filter(({ protocol }) => protocol === 17)
			.map(({ original }) => original.destinationPort);
	}

	async function send(address: string, port: number): Promise<number> {
		const socket = createSocket("udp4");
		socket.on("error", () => {});
		await new Promise<void>((resolve) => socket.send("x", port, address, () => resolve()));
		const bound = socket.address();
		socket.close();
		return bound.port;
	}

	beforeEach(() => {
		for (const entry of [...conntrack.dump(4)]) conntrack.delete(entry);
	});

	test("what is blocked on every interface is refused by its tuple, and its entry goes with end", async () => {
		const localPort = await send(remote, 4000);
		await send(remote, 4001);
		const connections = new Connections();
		const flows: JudgedFlow[] = [];
		const judged = connections.judge((flow) => {
			flows.push(flow);
			return flow.destinationPort === 4000 ? "blocked" : "other";
		}, asked());
		expect(judged).toMatchObject({ blocked: 1, error: "" });
		expect(judged.refused).toEqual([
			{
				direction: "egress",
				family: 4,
				local: "192.0.2.1",
				remote,
				protocol: 17,
				destinationPort: 4000,
				cut: { family: 4, remote, protocol: 17, remotePort: 4000, localPort },
			},
		]);
		expect(new Set(flows.map(({ direction }) => direction))).toEqual(new Set(["egress"]));
		expect(open().sort()).toEqual([4000, 4001]);
		expect(connections.end()).toEqual({ ended: 1, error: "" });
		expect(open()).toEqual([4001]);
		expect(connections.end()).toEqual({ ended: 0, error: "" });
	});

	test("what is blocked on the interface that its packets take ends, and is refused there", async () => {
		await send(remote, 4000);
		const connections = new Connections();
		const names = new Set<string>();
		const judged = connections.judge((_flow, name) => {
			names.add(name);
			return name === "d0" ? "blocked" : "other";
		}, asked());
		expect(judged).toMatchObject({
			blocked: 1,
			refused: [{ remote, cut: { interfaces: ["d0"] } }],
			error: "",
		});
		// Each interface but the loopback; and any other.
		expect([...names].sort()).toEqual(["", "d0", "d1"]);
		expect(connections.end().ended).toBe(1);
		expect(open()).toEqual([]);
	});

	test("what is blocked on an interface that its packets do not take goes on", async () => {
		await send(remote, 4000);
		const connections = new Connections();
		expect(connections.judge((_flow, name) => (name === "d1" ? "blocked" : "other"), asked())).toEqual(
			nothing,
		);
		expect(connections.end().ended).toBe(0);
		expect(open()).toEqual([4000]);
	});

	test("what a failsafe rule of the interface with the local address accepts is left alone", async () => {
		await send(remote, 4000);
		const on = (own: string) =>
			new Connections().judge((_flow, name) => (name === own ? "failsafe" : "blocked"), asked());
		expect(on("d0")).toEqual(nothing);
		expect(on("d1")).toMatchObject({ blocked: 1, refused: [{ cut: { interfaces: ["d0"] } }] });
	});

	test("what the posture refuses goes on, unless it must have slipped in", async () => {
		await send(remote, 4000);
		const first = new Connections().judge(() => "posture", asked());
		expect(first).toMatchObject({ blocked: 0, strayed: 0 });
		expect(first.spared).toHaveLength(1);
		await send(remote, 4001);
		const connections = new Connections();
		const second = connections.judge(() => "posture", asked({ spared: first.spared, strict: true }));
		expect(second).toMatchObject({ blocked: 0, strayed: 1, spared: first.spared });
		expect(connections.end()).toEqual({ ended: 1, error: "" });
		expect(open()).toEqual([4000]);
	});

	test("a Block that was in force before counts in the likeliest role alone", async () => {
		// A socket without a peer serves its port, and speaks first.
		const socket = createSocket("udp4");
		await new Promise<void>((resolve) => socket.bind(7000, "192.0.2.1", () => resolve()));
		await new Promise<void>((resolve) => socket.send("x", 40_000, remote, () => resolve()));
		const served = (verdict: "blocked" | "held") =>
			new Connections().judge(({ direction }) => (direction === "ingress" ? verdict : "other"), asked());
		expect(served("held")).toEqual(nothing);
		expect(served("blocked")).toMatchObject({
			blocked: 1,
			refused: [{ direction: "ingress", destinationPort: 7000 }],
		});
		socket.close();
	});

	test("loopback connections are never ended", async () => {
		await send("127.0.0.1", 4000);
		await send("192.0.2.1", 4000);
		expect(open()).toEqual([4000, 4000]);
		expect(new Connections().judge(() => "blocked", asked())).toEqual(nothing);
		expect(open()).toEqual([4000, 4000]);
	});

	test("flows refused before stay refused while they are blocked, and are given up when not", () => {
		const before = (port: number): JudgedFlow => ({
			direction: "ingress",
			family: 4,
			local: "192.0.2.1",
			remote,
			protocol: 6,
			destinationPort: port,
			cut: { family: 4, remote, protocol: 6, remotePort: 1024, localPort: port },
		});
		const flows = [before(22), before(80)];
		const judged = new Connections().judge(
			(flow) => (flow.destinationPort === 22 ? "blocked" : "other"),
			asked({ refused: flows }),
		);
		expect(judged).toEqual({ ...nothing, refused: flows.slice(0, 1) });
	});

	test("one flow is refused once, however often it is found", async () => {
		await send(remote, 4000);
		const connections = new Connections();
		const first = connections.judge(() => "blocked", asked());
		const second = connections.judge(() => "blocked", asked({ refused: first.refused }));
		expect(second.refused).toEqual(first.refused);
	});
});
