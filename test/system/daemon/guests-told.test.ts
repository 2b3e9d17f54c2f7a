/** What operators are told of a guest of the host: by the daemon's status, and by plan while a connection is open. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../support/built.ts";
import { block, policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { Guest } from "../support/guests.ts";
import { eventually, Lab, type Link } from "../support/netns.ts";
import { Conversation } from "../support/traffic.ts";

const publishedPort = 17_000;
const guestPort = 7001;

let lab: Lab;
let link: Link;
let guest: Guest;
beforeEach(async () => {
	lab = await Lab.create();
	const [first] = lab.links;
	if (first === undefined) throw new Error("a lab without links");
	link = first;
	guest = await Guest.create(lab, {
		published: [`tcp dport ${publishedPort} dnat ip to 172.17.0.2:${guestPort}`],
	});
});
afterEach(() => {
	guest[Symbol.dispose]();
	lab[Symbol.dispose]();
});

const subnet = policy("db", {
	action: "Allow",
	ingress: [{ from: [block("203.0.113.0/24")], ports: [port("TCP", publishedPort)] }],
});
const cut = policy("cut", { action: "Block", ingress: [{ ports: [port("TCP", publishedPort)] }] });

/** The compiled command in the guarded namespace. */
function run(...words: readonly string[]) {
	return lab.guarded.try([executable(), ...words]);
}

test("status says who reaches a published port, as it is published and as policies change", async () => {
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "db.yaml": subnet },
		config: { guests: { forwarded: "enforce" }, hostDefaultNetworkPosture: "block" },
	});
	const status = () => run("status", "--config", daemon.home.config).out;
	const line = `published tcp 0.0.0.0:${publishedPort} -> 172.17.0.2:${guestPort} (`;
	await eventually("the published port in the status", () => status().includes(line), 30_000);
	expect(status()).toContain("open to 203.0.113.0/24; closed to the rest by DefaultPosture\n");
	expect(status()).toContain("guests: enforce: policies hold for what is forwarded, too\n");
	daemon.home.put("db.yaml", cut);
	await eventually("the verdict of the new policies", () => status().includes("): closed by cut\n"), 30_000);
});

test("status counts under audit what would have been blocked", async () => {
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "cut.yaml": cut },
		config: { guests: { forwarded: "audit" } },
	});
	const listened = { address: guest.address4, port: guestPort };
	using talk = await Conversation.open(
		...([lab.peer, guest.namespace, "tcp", link.local4, publishedPort, undefined, listened] as const),
	);
	expect(await talk.say(2000)).toBe("echo");
	const status = () => run("status", "--config", daemon.home.config).out;
	await eventually("the count", () => /; [1-9]\d* packets would have been blocked\n/u.test(status()), 30_000);
	expect(status()).toContain("closed by cut (audit: nothing is dropped yet)\n");
});

test("plan says whom it shuts out of a published port, and how many of its open connections end", async () => {
	using home = new Home();
	const fresh = join(home.path, "new");
	mkdirSync(fresh);
	writeFileSync(join(fresh, "cut.yaml"), cut);
	const own = { policyDir: home.policies, stateDir: home.state };
	writeFileSync(home.config, JSON.stringify({ ...own, guests: { forwarded: "enforce" } }));
	const listened = { address: guest.address4, port: guestPort };
	using talk = await Conversation.open(
		...([lab.peer, guest.namespace, "tcp", link.local4, publishedPort, undefined, listened] as const),
	);
	expect(await talk.say(2000)).toBe("echo");
	const { out, code } = run("plan", "--policy-dir", fresh, "--config", home.config);
	expect(code).toBe(2);
	expect(out).toContain(`closes published ${publishedPort}/tcp to all; ends 1 open connection\n`);
	expect(out).toContain("Open connections that would be ended: 1\n");
	// Connection tracking remembers it for a while after its end.
	talk[Symbol.dispose]();
	const again = () => run("plan", "--policy-dir", fresh, "--config", home.config).out;
	await eventually(
		"a plan that ends nothing",
		() => again().includes(`closes published ${publishedPort}/tcp to all\n`),
		30_000,
	);
});
