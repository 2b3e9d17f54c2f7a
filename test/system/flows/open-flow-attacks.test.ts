/** Ways in which open connections once outlived a Block, or slipped in. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { DiscardedReset } from "../support/discarded-reset.ts";
import { eventually, Lab, type Link } from "../support/netns.ts";
import { Conversation, flood } from "../support/traffic.ts";

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

/** A used flow from the peer to a port of the guarded host. */
async function inbound(protocol: "tcp" | "udp", address: string, number = 7000): Promise<Conversation> {
	const conversation = await Conversation.open(lab.peer, lab.guarded, protocol, address, number);
	open.push(conversation);
	expect(await conversation.say(2000)).toBe("echo");
	return conversation;
}

/** A used flow to a port of the peer. */
async function outbound(protocol: "tcp" | "udp", number = 7000): Promise<Conversation> {
	const conversation = await Conversation.open(lab.guarded, lab.peer, protocol, link.remote4, number);
	open.push(conversation);
	expect(await conversation.say(2000)).toBe("echo");
	return conversation;
}

const blocked = policy("cut", {
	action: "Block",
	ingress: [{ ports: [port("TCP", 7000, 7020), port("UDP", 7000, 7020)] }],
});
/** So that something is judged, but none of the tests' ports. */
const elsewhere = policy("elsewhere", { action: "Block", ingress: [{ ports: [port("TCP", 1)] }] });
/** Allowlist mode, in which only the port 7100 is let in. */
const allowing = policy("allow", {
	action: "Allow",
	ingress: [{ ports: [port("TCP", 7100), port("UDP", 7100)] }],
});

/** Changes a policy file and waits until the daemon has drawn its consequences: what is good is saved after all else. */
async function change({ home }: Daemon, name: string, content: string): Promise<void> {
	home.put(name, content);
	const saved = join(home.state, "last-good.json");
	const known = () => existsSync(saved) && readFileSync(saved, "utf8").includes(`"${name}"`);
	await eventually("the saved state", known, 45_000);
}

async function expectEnd(conversation: Conversation, first: "client" | "server" = "server"): Promise<void> {
	const client = () => conversation.say(150);
	const server = () => conversation.serve(150);
	for (const speak of first === "server" ? [server, client] : [client, server])
		expect(await speak()).not.toBe("echo");
}

function entries(): string[] {
	return lab.guarded
		.run(["conntrack", "-L"])
		.split("\n")
		.concat(lab.guarded.run(["conntrack", "-L", "-f", "ipv6"]).split("\n"));
}

describe.each([4, 6] as const)("a reset that IPv%i discards after connection tracking saw it", (family) => {
	test.each([true, false])(
		"saves no connection from a later Block; the server has spoken: %p",
		async (spoken) => {
			await using daemon = await Daemon.start(lab.guarded, { policies: { "elsewhere.yaml": elsewhere } });
			lab.guarded.sysctl({ "netfilter/nf_conntrack_tcp_timeout_close": "1" });
			using reset = new DiscardedReset(lab, link, family);
			const conversation = await inbound("tcp", family === 4 ? link.local4 : link.local6);
			const tracked = (state: string) =>
				entries().some((line) => line.includes("dport=7000") && line.includes(state));
			await eventually("an established entry", () => tracked("ESTABLISHED"));
			reset.send(7000);
			await eventually("the end of the entry", () => !tracked("dport=7000"));
			// It lives, as its policies let it: what was dropped once is sent again.
			if (spoken) expect(await conversation.serve(4000)).toBe("echo");
			await change(daemon, "cut.yaml", blocked);
			await expectEnd(conversation);
		},
	);
});

test("a connection that the policies let pass outlives the loss of its entry, whoever speaks", async () => {
	await using daemon = await Daemon.start(lab.guarded, {
		policies: {
			"allow.yaml": policy("allow", {
				action: "Allow",
				ingress: [{ ports: [port("TCP", 7000, 7010)] }],
				egress: [{ ports: [port("TCP", 7000, 7010)] }],
			}),
		},
	});
	const pushing = await inbound("tcp", link.local4, 7000);
	const asking = await outbound("tcp", 7001);
	const listening = await outbound("tcp", 7002);
	lab.guarded.try(["conntrack", "-F"]);
	expect(await pushing.serve(5000)).toBe("echo");
	expect(await asking.say(5000)).toBe("echo");
	// By now all of them are known again, this one before a packet of either side.
	expect(await listening.serve(2000)).toBe("echo");
	// An answer does not wait for the kernel's numbers for long.
	await eventually(
		"packets in the midst of connections",
		async () => ((await daemon.metrics()).get("portward_midstream_packets_total") ?? 0) > 0,
	);
});

test("a Block of all that comes in spares what this host opened, though its entry is turned round", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	const conversation = await outbound("tcp");
	await Bun.sleep(60);
	lab.guarded.try(["conntrack", "-F"]);
	expect(await conversation.serve(2000)).toBe("echo");
	expect(entries().some((line) => line.includes(`src=${link.remote4} dst=${link.local4} sport=7000`))).toBe(
		true,
	);
	await change(
		daemon,
		"cut.yaml",
		policy("cut", { action: "Block", ingress: [{ from: [block("0.0.0.0/0")] }] }),
	);
	expect(await conversation.serve(2000)).toBe("echo");
	expect(await conversation.say(2000)).toBe("echo");
});

test("a Block ends what came in though nobody listens any more and its entry is turned round", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	const script =
		"import socket,sys\ns=socket.create_server((sys.argv[1],7000))\nprint('up',flush=True)\nc,_=s.accept()\ns.close()\n" +
		"for line in sys.stdin:\n  c.send(b'x')\n  print('sent',flush=True)";
	const server = Bun.spawn(lab.guarded.inside(["python3", "-c", script, link.local4]), {
		stdin: "pipe",
		stdout: "pipe",
	});
	// It listens once it says so.
	const listening = server.stdout.getReader();
	await listening.read();
	listening.releaseLock();
	const client = Bun.spawn(
		lab.peer.inside([
			"python3",
			"-c",
			"import socket,sys\nc=socket.create_connection((sys.argv[1],7000),2)\nc.settimeout(None)\nwhile c.recv(1): print('got',flush=True)",
			link.local4,
		]),
		{ stdout: "pipe" },
	);
	try {
		let heard = "";
		void (async () => {
			for await (const chunk of client.stdout) heard += new TextDecoder().decode(chunk);
		})();
		const push = () => {
			server.stdin.write("\n");
			server.stdin.flush();
		};
		await eventually("a connection", () => entries().some((line) => line.includes("ESTABLISHED")));
		await Bun.sleep(60);
		lab.guarded.try(["conntrack", "-F"]);
		push();
		await eventually("what the server pushes", () => heard === "got\n");
		expect(entries().some((line) => line.includes(`src=${link.local4} dst=${link.remote4} sport=7000`))).toBe(
			true,
		);
		await change(daemon, "cut.yaml", blocked);
		push();
		await Bun.sleep(300);
		expect(heard).toBe("got\n");
	} finally {
		server.kill("SIGKILL");
		client.kill("SIGKILL");
	}
});

test("a UDP flow that was idle until connection tracking forgot it ends, whoever speaks first", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	lab.guarded.sysctl({
		"netfilter/nf_conntrack_udp_timeout": "1",
		"netfilter/nf_conntrack_udp_timeout_stream": "1",
	});
	const first = await inbound("udp", link.local4, 7000);
	const second = await inbound("udp", link.local4, 7001);
	await eventually("no entries", () => !entries().some((line) => line.includes("dport=700")));
	await change(daemon, "cut.yaml", blocked);
	await expectEnd(first, "server");
	await expectEnd(second, "client");
});

test("what is refused stays refused without an end", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	const conversation = await inbound("udp", link.local4);
	await change(daemon, "cut.yaml", blocked);
	await expectEnd(conversation);
	const listed = lab.guarded.run(["nft", "-j", "list", "set", "inet", "kubearmor", "refused4"]);
	const [, found]: { set: { elem: unknown[]; timeout?: number } }[] = JSON.parse(listed).nftables;
	expect(found?.set.timeout).toBeUndefined();
	// An element with an end of its own would be an object.
	expect(found?.set.elem).toEqual([{ concat: [link.remote4, "udp", expect.any(Number), 7000] }]);
});

test("140 000 spoofed UDP flows push no refused connection out", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	const conversations = [];
	for (let number = 7000; number < 7006; number++)
		conversations.push(await inbound("tcp", link.local4, number));
	const targets = Array.from({ length: 14_000 }, (_, index) => ({
		expect: "pass" as const,
		protocol: "udp" as const,
		remote: `203.${index >> 8}.${index & 0xff}.1`,
		local: link.local4,
		port: 7010,
	}));
	// Each packet has a port of its own.
	await flood(lab, { interface: "eth0", targets, packets: 140_000, rate: 0, sink: true });
	const count = Number(lab.guarded.run(["conntrack", "-C"]));
	expect(count).toBeGreaterThan(100_000);
	await change(daemon, "cut.yaml", blocked);
	await Promise.all(conversations.map((conversation) => expectEnd(conversation)));
	expect(daemon.log).not.toContain("too many");
});

test("a block of addresses that is local by a route alone is this host's", async () => {
	lab.guarded.run(["ip", "route", "add", "local", "198.51.100.0/24", "dev", "lo"]);
	await using daemon = await Daemon.start(lab.guarded);
	const tcp = await inbound("tcp", "198.51.100.7", 7000);
	const udp = await inbound("udp", "198.51.100.8", 7001);
	const spared = await inbound("tcp", "198.51.100.9", 7100);
	await change(daemon, "cut.yaml", blocked);
	await expectEnd(tcp);
	await expectEnd(udp);
	expect(await spared.serve(2000)).toBe("echo");
});

test("connections that slip in while the table is gone end with the repair, and are alerted", async () => {
	const before = await inbound("tcp", link.local4, 7001);
	await using daemon = await Daemon.start(lab.guarded, { policies: { "allow.yaml": allowing } });
	expect(await before.serve(3000)).toBe("echo");
	const allowed = await inbound("tcp", link.local4, 7100);
	daemon.signal("SIGSTOP");
	lab.guarded.nft("flush ruleset");
	const slipped = [
		await inbound("tcp", link.local4, 7002),
		await inbound("tcp", link.local6, 7003),
		await inbound("tcp", link.local4, 7004),
	];
	daemon.signal("SIGCONT");
	const alert = await daemon.alert("of ended connections", ({ Message }) =>
		Message.startsWith("Connections that began"),
	);
	expect(alert.EventData).toMatchObject({ Connections: "3", Since: expect.any(String) });
	for (const conversation of slipped) await expectEnd(conversation);
	// What the posture found there when it came goes on, and so does what is allowed.
	for (const conversation of [before, allowed]) {
		expect(await conversation.serve(3000)).toBe("echo");
		expect(await conversation.say(3000)).toBe("echo");
	}
	await daemon.alert("of counters", ({ Message }) => Message.includes("counters of its rules begin anew"));
	expect((await daemon.metrics()).get('portward_open_connections_ended_total{reason="loss"}')).toBe(3);
});

test("with endRefusedAtStart the first start ends what the posture refuses, and no later one does", async () => {
	const conversation = await inbound("tcp", link.local4, 7001);
	const allowed = await inbound("tcp", link.local4, 7100);
	{
		await using daemon = await Daemon.start(lab.guarded, {
			policies: { "allow.yaml": allowing },
			config: { endRefusedAtStart: true },
		});
		await daemon.alert("of ended connections", ({ Message }) => Message.includes("before the first start"));
		await expectEnd(conversation);
		expect(await allowed.serve(3000)).toBe("echo");
		await daemon.stop();
	}
	await using again = await Daemon.start(lab.guarded, {
		policies: { "less.yaml": policy("less", { action: "Allow", ingress: [{ ports: [port("TCP", 7101)] }] }) },
		config: { endRefusedAtStart: true },
	});
	expect(await allowed.serve(3000)).toBe("echo");
	expect(again.alerts.filter(({ Message }) => Message.includes("first start"))).toEqual([]);
});
