/** `portward plan` beside real open connections, with a daemon and without one. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../support/built.ts";
import { block, policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab, type Link } from "../support/netns.ts";
import { Conversation } from "../support/traffic.ts";

interface Answer {
	readonly changes: boolean;
	readonly against: string;
	readonly connections: {
		readonly checked: boolean;
		readonly reason: string;
		readonly total: number;
		readonly cut: readonly Readonly<Record<string, unknown>>[];
	};
	readonly session: Readonly<Record<string, unknown>> | null;
	readonly failsafe: readonly unknown[];
}

let lab: Lab;
let link: Link;
let home: Home;
let fresh: string;
let open: Conversation[];
beforeEach(async () => {
	lab = await Lab.create();
	link = lab.link("eth0");
	home = new Home();
	fresh = join(home.path, "new");
	mkdirSync(fresh);
	open = [];
	settings();
});
afterEach(() => {
	for (const conversation of open) conversation[Symbol.dispose]();
	home[Symbol.dispose]();
	lab[Symbol.dispose]();
});

function settings(more: Readonly<Record<string, unknown>> = {}): void {
	const status = { address: `unix:${home.socket}` };
	const own = { policyDir: home.policies, stateDir: home.state, status };
	writeFileSync(home.config, JSON.stringify({ ...own, ...more }));
}

/** Runs the compiled plan in the guarded namespace; `before` are words that run it. */
function run(args: readonly string[] = [], before: readonly string[] = []) {
	return lab.guarded.try([
		...before,
		executable(),
		"plan",
		"--policy-dir",
		fresh,
		"--config",
		home.config,
		...args,
	]);
}

function ask(before: readonly string[] = []): Answer {
	const { code, out, error } = run(["--json"], before);
	if (code === 1 || code === 64) throw new Error(error + out);
	return JSON.parse(out);
}

async function talk(protocol: "tcp" | "udp", address: string, number: number) {
	const conversation = await Conversation.open(lab.peer, lab.guarded, protocol, address, number);
	open.push(conversation);
	expect(await conversation.say(2000)).toBe("echo");
	return conversation;
}

/** The client's port of the connection to a port of the guarded host. */
function clientPort(number: number): number {
	const row = lab.guarded
		.run(["ss", "-Htn", "sport", "=", `:${number}`])
		.trim()
		.split(/\s+/);
	return Number(/:(\d+)$/.exec(row[4] ?? "")?.[1]);
}

const blocking = policy("cut", {
	action: "Block",
	ingress: [{ ports: [port("TCP", 7000), port("TCP", 7003)] }, { ports: [port("UDP", 7002)] }],
});

/** Connections as the plan tells them, by local port. */
function told({ connections }: Answer) {
	return [...connections.cut].sort((a, b) => Number(a.localPort) - Number(b.localPort));
}

test("connections that NEW ends and those in force do not are told, with addresses, ports and rule", async () => {
	await using daemon = await Daemon.start(
		lab.guarded,
		{
			policies: { "a.yaml": policy("other", { action: "Audit", ingress: [{ ports: [port("TCP", 7001)] }] }) },
		},
		home,
	);
	await talk("tcp", link.local4, 7000);
	await talk("tcp", link.local4, 7001);
	await talk("udp", link.local6, 7002);
	// Connection tracking remembers it for two minutes.
	(await talk("tcp", link.local4, 7003))[Symbol.dispose]();
	open.pop();
	const sockets = () => lab.guarded.run(["ss", "-Htn", "sport", "=", ":7003"]).trim();
	await eventually("the end of its socket", () => sockets() === "");
	writeFileSync(join(fresh, "a.yaml"), blocking);
	const answer = ask();
	expect(answer).toMatchObject({ changes: true, against: home.policies });
	expect(answer.connections).toMatchObject({ checked: true, total: 2 });
	const cause = {
		policy: "cut",
		direction: "ingress",
		action: "Block",
		file: join(fresh, "a.yaml"),
		line: 1,
	};
	expect(told(answer)).toMatchObject([
		{
			direction: "ingress",
			protocol: 6,
			local: link.local4,
			localPort: 7000,
			remote: link.remote4,
			remotePort: clientPort(7000),
			cause: { ...cause, index: 0 },
			someInterfaces: false,
		},
		{
			direction: "ingress",
			protocol: 17,
			local: "fd98:18::1",
			localPort: 7002,
			cause: { ...cause, index: 1 },
		},
	]);
	// What NEW says is not yet in force, and asking has changed nothing.
	for (const conversation of open) expect(await conversation.say(2000)).toBe("echo");
	const text = run();
	expect(text.code).toBe(2);
	expect(text.out).toContain(`tcp ${link.local4}:7000 from ${link.remote4}:`);
	expect(text.error).toContain("2 open connections would be ended");
	// Put in force, NEW does what the plan said, and no more.
	await daemon.after(() => home.put("b.yaml", blocking));
	const [cut, spared, alsoCut] = open;
	for (const conversation of [cut, alsoCut])
		await eventually("its end", async () => (await conversation?.say(200)) === "silent");
	expect(await spared?.say(2000)).toBe("echo");
});

test("what is blocked already or failsafe is not told; where nothing is tracked yet the sockets are", async () => {
	settings({ failsafe: { ingress: [{ protocol: "TCP", cidr: `${link.remote6}/128`, port: 7003 }] } });
	await talk("tcp", link.local4, 7000);
	await talk("tcp", link.local6, 7003);
	writeFileSync(join(fresh, "a.yaml"), blocking);
	const answer = ask();
	expect(answer.failsafe).toHaveLength(1);
	expect(answer.connections).toMatchObject({ checked: true, total: 1, cut: [{ local: link.local4 }] });
	home.put("a.yaml", blocking);
	expect(ask()).toMatchObject({ changes: false, connections: { total: 0 } });
	expect(run().code).toBe(0);
});

test("without the right to read connection tracking it says so, and the exit code stays", async () => {
	writeFileSync(join(fresh, "a.yaml"), blocking);
	const without = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
	expect(ask(without).connections).toMatchObject({
		checked: false,
		reason: expect.stringContaining("not permitted"),
	});
	const { code, out } = run([], without);
	expect(code).toBe(2);
	expect(out).toContain("Open connections were not checked");
});

test("this SSH session is warned of, also where only an ancestor knows it", async () => {
	await talk("tcp", link.local4, 7000);
	const connection = `SSH_CONNECTION=${link.remote4} ${clientPort(7000)} ${link.local4} 7000`;
	writeFileSync(join(fresh, "a.yaml"), blocking);
	const own = ["env", connection];
	expect(ask(own).session).toMatchObject({
		client: link.remote4,
		serverPort: 7000,
		cut: true,
		refused: true,
		cause: { policy: "cut", index: 0 },
	});
	expect(run([], own).error).toContain("WARNING: this SSH session");
	const ancestor = ["env", connection, "sh", "-c", 'env -i "$@"; exit $?', "sh"];
	expect(ask(ancestor).session).toMatchObject({ cut: true });
	expect(ask(["env", "-u", "SSH_CONNECTION"]).session).toBeNull();
	// The posture ends no connection, but lets no new one in.
	const office = policy("office", { action: "Allow", ingress: [{ from: [block("203.0.113.0/24")] }] });
	writeFileSync(join(fresh, "a.yaml"), office);
	expect(ask(own).session).toMatchObject({ cut: false, refused: true, cause: { policy: "DefaultPosture" } });
	expect(run([], own).error).toContain("a new one like it would be refused");
	settings({ failsafe: { ingress: [{ protocol: "TCP", port: 7000, cidr: `${link.remote4}/32` }] } });
	expect(ask(own).session).toMatchObject({ cut: false, refused: false, cause: null });
});
