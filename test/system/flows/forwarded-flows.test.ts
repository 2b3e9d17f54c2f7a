/** What a new Block does to the open flows of guests, whoever speaks next. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { block, documents, policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { Guest } from "../support/guests.ts";
import { eventually, Lab, type Link } from "../support/netns.ts";
import { Conversation } from "../support/traffic.ts";

let lab: Lab;
let link: Link;
let guest: Guest;
let open: Conversation[];

const published = [
	"meta l4proto { tcp, udp } th dport 7000 dnat ip to 172.17.0.2:7000",
	"meta l4proto { tcp, udp } th dport 17000 dnat ip to 172.17.0.2:7001",
];

beforeEach(async () => {
	lab = await Lab.create();
	const [first] = lab.links;
	if (first === undefined) throw new Error("a lab without links");
	link = first;
	guest = await Guest.create(lab, { published });
	open = [];
});
afterEach(() => {
	for (const conversation of open) conversation[Symbol.dispose]();
	guest[Symbol.dispose]();
	lab[Symbol.dispose]();
});

type Protocol = "tcp" | "udp";

async function used(conversation: Conversation): Promise<Conversation> {
	open.push(conversation);
	expect(conversation.opened).toBe(true);
	expect(await conversation.say(2000)).toBe("echo");
	return conversation;
}

/** From the peer to a port of the host that is the guest's `own`. */
async function toPublished(protocol: Protocol, number: number, own: number): Promise<Conversation> {
	const listened = { address: guest.address4, port: own };
	return used(
		await Conversation.open(lab.peer, guest.namespace, protocol, link.local4, number, undefined, listened),
	);
}

async function toGuest(protocol: Protocol, address: string, number: number): Promise<Conversation> {
	return used(await Conversation.open(lab.peer, guest.namespace, protocol, address, number));
}

async function fromGuest(protocol: Protocol, address: string, number: number): Promise<Conversation> {
	return used(await Conversation.open(guest.namespace, lab.peer, protocol, address, number));
}

/** Changes a policy file and waits until the daemon has drawn its consequences: what is good is saved after all else. */
async function change({ home }: Daemon, name: string, content: string | null): Promise<void> {
	home.put(name, content);
	const saved = join(home.state, "last-good.json");
	const known = () => existsSync(saved) && readFileSync(saved, "utf8").includes(`"${name}"`);
	await eventually("the saved state", () => known() === (content !== null), 45_000);
}

const config = { guests: { forwarded: "enforce" } };
const blocking = (...numbers: number[]) =>
	policy(`cut-${numbers.join("-")}`, {
		action: "Block",
		ingress: [{ ports: numbers.flatMap((number) => [port("TCP", number), port("UDP", number)]) }],
	});

async function expectEnd(conversation: Conversation, first: "client" | "server"): Promise<void> {
	const client = () => conversation.say(150);
	const server = () => conversation.serve(150);
	for (const speak of first === "server" ? [server, client, server] : [client, server, client])
		expect(await speak()).not.toBe("echo");
}

describe.each(["client", "server"] as const)("with the %s speaking first", (first) => {
	test("a Block of the host's port ends what came by it, and nothing that came by another", async () => {
		await using daemon = await Daemon.start(lab.guarded, { config });
		const ended = [await toPublished("tcp", 17_000, 7001), await toPublished("udp", 17_000, 7001)];
		const spared = [await toPublished("tcp", 7000, 7000), await toPublished("udp", 7000, 7000)];
		await change(daemon, "cut.yaml", blocking(17_000));
		for (const conversation of ended) await expectEnd(conversation, first);
		for (const conversation of spared) expect(await conversation.say(2000)).toBe("echo");
		// A port of the guest's own means what goes there without translation.
		await change(daemon, "own.yaml", blocking(7001));
		for (const conversation of spared) expect(await conversation.say(2000)).toBe("echo");
		await change(daemon, "both.yaml", blocking(7000, 17_000));
		for (const conversation of [...spared, ...ended]) await expectEnd(conversation, first);
	});

	test("a Block ends what reaches a guest by its own address, of both families", async () => {
		await using daemon = await Daemon.start(lab.guarded, { config });
		const ended = [
			await toGuest("tcp", guest.address4, 7002),
			await toGuest("tcp", guest.address6, 7002),
			await toGuest("udp", guest.address6, 7002),
		];
		await change(daemon, "cut.yaml", blocking(7002));
		for (const conversation of ended) await expectEnd(conversation, first);
	});

	test("a Block of egress ends what a guest opened", async () => {
		await using daemon = await Daemon.start(lab.guarded, { config });
		const ended = [
			await fromGuest("tcp", link.remote4, 7003),
			await fromGuest("udp", link.remote4, 7003),
			await fromGuest("tcp", link.remote6, 7003),
		];
		const spared = await fromGuest("tcp", link.remote4, 7004);
		const cut = policy("cut", {
			action: "Block",
			egress: [{ ports: [port("TCP", 7003), port("UDP", 7003)] }],
		});
		await change(daemon, "cut.yaml", cut);
		for (const conversation of ended) await expectEnd(conversation, first);
		expect(await spared.say(2000)).toBe("echo");
	});
});

test("what was ended stays ended while the Block stands, also for the next daemon, and no longer", async () => {
	using home = new Home();
	const first = await Daemon.start(lab.guarded, { config }, home);
	const conversation = await toPublished("udp", 17_000, 7001);
	await change(first, "cut.yaml", blocking(17_000));
	await expectEnd(conversation, "server");
	await first.stop("SIGKILL");
	expect(await conversation.serve(150)).not.toBe("echo");
	await using second = await Daemon.start(lab.guarded, { config }, home);
	await expectEnd(conversation, "server");
	await change(second, "cut.yaml", null);
	await eventually("the flow again", async () => (await conversation.say(300)) === "echo");
});

test("the loss of all entries saves no flow from a later Block, though the guest turned it round", async () => {
	await using daemon = await Daemon.start(lab.guarded, { config });
	const conversation = await toPublished("tcp", 7000, 7000);
	lab.guarded.try(["conntrack", "-F"]);
	// The guest's segment makes an entry from the guest to the peer.
	await conversation.serve(1000);
	await change(daemon, "cut.yaml", blocking(7000));
	await expectEnd(conversation, "server");
});

test.each(["audit", "off"] as const)("nothing of guests ends with forwarded: %s", async (forwarded) => {
	await using daemon = await Daemon.start(lab.guarded, { config: { guests: { forwarded } } });
	const conversations = [
		await toPublished("tcp", 17_000, 7001),
		await toPublished("udp", 7000, 7000),
		await fromGuest("tcp", link.remote4, 7003),
	];
	const all = [block("0.0.0.0/0")];
	await change(
		daemon,
		"cut.yaml",
		policy("cut", { action: "Block", ingress: [{ from: all }], egress: [{ to: all }] }),
	);
	for (const conversation of conversations) {
		expect(await conversation.serve(2000)).toBe("echo");
		expect(await conversation.say(2000)).toBe("echo");
	}
});

test("a policy for the host alone ends nothing of guests, and one for guests nothing of the host", async () => {
	await using daemon = await Daemon.start(lab.guarded, { config });
	const forwarded = await toPublished("tcp", 7000, 7000);
	const own = await used(await Conversation.open(lab.peer, lab.guarded, "tcp", link.local4, 7005));
	const scoped = (name: string, scope: string, number: number) => {
		const document = JSON.parse(
			policy(name, { action: "Block", ingress: [{ ports: [port("TCP", number)] }] }),
		);
		document.metadata.annotations = { "portward.io/applies-to": scope };
		return JSON.stringify(document);
	};
	await change(daemon, "cut.yaml", documents(scoped("h", "host", 7000), scoped("g", "guests", 7005)));
	for (const conversation of [forwarded, own]) expect(await conversation.say(2000)).toBe("echo");
	await change(
		daemon,
		"cut.yaml",
		[scoped("h2", "host", 7005), scoped("g2", "guests", 7000)].join("\n---\n"),
	);
	await eventually(
		"the end",
		async () => (await forwarded.say(150)) !== "echo" && (await own.say(150)) !== "echo",
	);
});
