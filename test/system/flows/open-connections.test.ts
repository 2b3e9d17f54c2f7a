/** A new explicit Block ends connections that are open; nothing else does. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { block, policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab, type Link } from "../support/netns.ts";
import { Conversation } from "../support/traffic.ts";

let lab: Lab;
let link: Link;
let open: Conversation[];

beforeEach(async () => {
	lab = await Lab.create();
	const [first] = lab.links;
	if (first === undefined) throw new Error("a lab without links");
	link = first;
	open = [];
});
afterEach(() => {
	for (const conversation of open) conversation[Symbol.dispose]();
	lab[Symbol.dispose]();
});

type Protocol = "tcp" | "udp";

/** A flow to port 7000 that has been used: from the peer (`ingress`) or to it (`egress`). */
async function talk(direction: "ingress" | "egress", protocol: Protocol, family: 4 | 6 = 4, source?: string) {
	const [client, server, address] =
		direction === "ingress"
			? [lab.peer, lab.guarded, family === 4 ? link.local4 : link.local6]
			: [lab.guarded, lab.peer, family === 4 ? link.remote4 : link.remote6];
	const conversation = await Conversation.open(client, server, protocol, address, 7000, source);
	open.push(conversation);
	expect(conversation.opened).toBe(true);
	expect(await conversation.say(2000)).toBe("echo");
	return conversation;
}

const bothProtocols = [port("TCP", 7000), port("UDP", 7000)];
const blocking = (name = "cut") =>
	policy(name, {
		action: "Block",
		ingress: [{ ports: bothProtocols }],
		egress: [{ ports: bothProtocols }],
	});

/** Changes a policy file and waits until the daemon has drawn its consequences for open connections. */
async function change({ home }: Daemon, name: string, content: string | null): Promise<void> {
	home.put(name, content);
	// The last good policies are saved after all else.
	const saved = join(home.state, "last-good.json");
	const known = () => existsSync(saved) && readFileSync(saved, "utf8").includes(`"${name}"`);
	await eventually("the saved state", () => known() === (content !== null));
}

const every = (["ingress", "egress"] as const).flatMap((direction) =>
	(["tcp", "udp"] as const).flatMap((protocol) =>
		([4, 6] as const).map((family) => [direction, protocol, family] as const),
	),
);

test("a new Block ends flows of both directions, protocols and families, whichever side speaks first", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	for (const first of ["client", "server"] as const) {
		const conversations: Conversation[] = [];
		for (const one of every) conversations.push(await talk(...one));
		await change(daemon, "cut.yaml", blocking());
		for (const [index, conversation] of conversations.entries()) {
			const client = () => conversation.say(100);
			const server = () => conversation.serve(100);
			const heard = [];
			for (const speak of first === "client" ? [client, server] : [server, client]) heard.push(await speak());
			expect({ flow: every[index], heard, ended: !heard.includes("echo") }).toMatchObject({ ended: true });
		}
		for (const conversation of conversations) conversation[Symbol.dispose]();
		await change(daemon, "cut.yaml", null);
	}
});

test("the posture, an Audit and a Block of something else end nothing", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	const conversations = [
		await talk("ingress", "tcp"),
		await talk("egress", "tcp"),
		await talk("ingress", "udp"),
	];
	// Allowlist mode in both directions, whose posture blocks what is not allowed.
	const other = [block("203.0.113.1/32")];
	const posture = policy("posture", {
		action: "Allow",
		ingress: [{ from: other }],
		egress: [{ to: other }],
	});
	await change(daemon, "posture.yaml", posture);
	const more = policy("more", {
		action: "Audit",
		ingress: [{ ports: bothProtocols }, { action: "Block", ports: [port("TCP", 7001)] }],
	});
	await change(daemon, "more.yaml", more);
	for (const conversation of conversations) expect(await conversation.say(2000)).toBe("echo");
});

test("a Block of one interface ends the flow that comes over it and spares the other's", async () => {
	using two = await Lab.create(["eth0", "eth1"]);
	await using daemon = await Daemon.start(two.guarded);
	const over = async (name: string, number: number) => {
		const { local4 } = two.link(name);
		const conversation = await Conversation.open(two.peer, two.guarded, "tcp", local4, number);
		open.push(conversation);
		expect(await conversation.say(2000)).toBe("echo");
		return conversation;
	};
	const first = await over("eth0", 7000);
	const second = await over("eth1", 7001);
	const cut = policy("cut", {
		action: "Block",
		ingress: [{ iface: ["eth0"], ports: [port("TCP", 7000, 7001)] }],
	});
	await change(daemon, "cut.yaml", cut);
	expect(await first.say(300)).not.toBe("echo");
	expect(await second.say(2000)).toBe("echo");
});

test("after the policy is gone, the same UDP tuple passes again, and a TCP socket has ended", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	const udp = await talk("ingress", "udp");
	const tcp = await talk("ingress", "tcp");
	await change(daemon, "cut.yaml", blocking());
	expect(await udp.say(300)).not.toBe("echo");
	expect(await tcp.say(300)).not.toBe("echo");
	await change(daemon, "cut.yaml", null);
	await eventually("an echo", async () => (await udp.say(500)) === "echo");
	await eventually("the end of the socket", async () => (await tcp.say(500)) === "closed");
	using anew = await Conversation.open(lab.peer, lab.guarded, "tcp", link.local4, 7001);
	expect(await anew.say(2000)).toBe("echo");
});

test("a Block of one source ends its flows alone", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	lab.peer.run(["ip", "address", "add", "198.18.0.3/24", "dev", link.peerName]);
	const kept = await talk("ingress", "udp");
	const ended = await Conversation.open(lab.peer, lab.guarded, "udp", link.local4, 7001, "198.18.0.3");
	open.push(ended);
	expect(await ended.say(2000)).toBe("echo");
	const cut = policy("cut", { action: "Block", ingress: [{ from: [block("198.18.0.3/32")] }] });
	await change(daemon, "cut.yaml", cut);
	expect(await ended.say(300)).not.toBe("echo");
	expect(await kept.say(2000)).toBe("echo");
});

test.each([4, 6] as const)(
	"connections of IPv%i older than the first start end where a policy blocks them",
	async (family) => {
		const blocked = await talk("ingress", "tcp", family);
		const spared = await talk("egress", "udp", family);
		const outgoing = await Conversation.open(
			lab.guarded,
			lab.peer,
			"tcp",
			family === 4 ? link.remote4 : link.remote6,
			7002,
		);
		open.push(outgoing);
		await using _daemon = await Daemon.start(lab.guarded, {
			policies: { "cut.yaml": policy("cut", { action: "Block", ingress: [{ ports: bothProtocols }] }) },
		});
		await eventually("the end", async () => (await blocked.say(200)) !== "echo");
		expect(await blocked.serve(300)).not.toBe("echo");
		expect(await blocked.say(300)).not.toBe("echo");
		expect(await spared.say(2000)).toBe("echo");
		expect(await outgoing.say(2000)).toBe("echo");
		expect(await outgoing.serve(2000)).toBe("echo");
	},
);

test.each([
	["ingress", 4],
	["ingress", 6],
	["egress", 4],
	["egress", 6],
] as const)(
	"a connection older than the first start that only receives goes on under a posture that drops: %s, IPv%i",
	async (direction, family) => {
		const old = await talk(direction, "tcp", family);
		/** The peer sends first. */
		const push = () => (direction === "ingress" ? old.say(2000) : old.serve(2000));
		// Allowlist mode in both directions: nothing of the lab is allowed.
		const other = [block("203.0.113.1/32"), block("2001:db8::1/128")];
		await using daemon = await Daemon.start(lab.guarded, {
			policies: {
				"posture.yaml": policy("posture", {
					action: "Allow",
					ingress: [{ from: other }],
					egress: [{ to: other }],
				}),
			},
		});
		expect(await push()).toBe("echo");
		expect(await push()).toBe("echo");
		expect(daemon.alerts).toEqual([]);
		expect(daemon.log).not.toContain("stall");
		using anew =
			direction === "ingress"
				? await Conversation.open(
						lab.peer,
						lab.guarded,
						"tcp",
						family === 4 ? link.local4 : link.local6,
						7001,
					)
				: await Conversation.open(
						lab.guarded,
						lab.peer,
						"tcp",
						family === 4 ? link.remote4 : link.remote6,
						7001,
					);
		expect(anew.opened).toBe(false);
	},
);

test("what a Block ended stays ended over a restart of the daemon, until the policy is gone", async () => {
	using home = new Home();
	const first = await Daemon.start(lab.guarded, {}, home);
	const conversation = await talk("ingress", "udp");
	await change(first, "cut.yaml", blocking());
	await first.stop("SIGKILL");
	expect(await conversation.serve(200)).not.toBe("echo");
	const second = await Daemon.start(lab.guarded, {}, home);
	// Its own list of refused flows takes the place of the old one.
	await change(
		second,
		"more.yaml",
		policy("more", { action: "Block", ingress: [{ ports: [port("TCP", 1)] }] }),
	);
	expect(await conversation.serve(200)).not.toBe("echo");
	expect(await conversation.say(200)).not.toBe("echo");
	await second.stop();
	home.put("cut.yaml", null);
	await using _third = await Daemon.start(lab.guarded, {}, home);
	await eventually("an echo", async () => (await conversation.say(500)) === "echo");
});
