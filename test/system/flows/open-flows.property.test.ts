/**
 * Whatever a policy blocks is blocked, however the flow began: open flows of
 * both directions, families and protocols, whose entries connection tracking
 * has kept, forgotten or turned round, under Blocks of one direction, on every
 * interface or one, whichever side speaks next. Those of the other direction
 * go on.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Conversation } from "../support/traffic.ts";

const directions = ["ingress", "egress"] as const;
const protocols = ["tcp", "udp"] as const;
const families = [4, 6] as const;
/** What connection tracking knows of a flow when the Block comes. */
const entries = ["kept", "forgotten", "reversed"] as const;
const speakers = ["client", "server"] as const;

interface Case {
	readonly direction: (typeof directions)[number];
	readonly protocol: (typeof protocols)[number];
	readonly family: 4 | 6;
	readonly entry: (typeof entries)[number];
	/** Who speaks first after the Block. */
	readonly first: (typeof speakers)[number];
}

const cases: readonly Case[] = directions.flatMap((direction) =>
	protocols.flatMap((protocol) =>
		families.flatMap((family) =>
			entries.flatMap((entry) => speakers.map((first) => ({ direction, protocol, family, entry, first }))),
		),
	),
);

const firstPort = 7000;
const lastPort = firstPort + cases.length - 1;

let lab: Lab;
let daemon: Daemon;

beforeAll(async () => {
	lab = await Lab.create(["eth0", "eth1"]);
	daemon = await Daemon.start(lab.guarded);
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	lab[Symbol.dispose]();
});

/** Changes the policy and waits until the daemon has drawn its consequences for open flows: what is good is saved after all else. */
async function change(content: string | null): Promise<void> {
	const saved = join(daemon.home.state, "last-good.json");
	daemon.home.put("cut.yaml", content);
	const known = () => existsSync(saved) && readFileSync(saved, "utf8").includes('"cut.yaml"');
	await eventually("the saved state", () => known() === (content !== null));
}

async function open({ direction, protocol, family }: Case, number: number, name: string) {
	const link = lab.link(name);
	const own = direction === "ingress";
	const [client, server] = own ? [lab.peer, lab.guarded] : [lab.guarded, lab.peer];
	const address = family === 4 ? (own ? link.local4 : link.remote4) : own ? link.local6 : link.remote6;
	const conversation = await Conversation.open(client, server, protocol, address, number);
	expect(await conversation.say(3000)).toBe("echo");
	return conversation;
}

/** Opens all flows over one interface, and brings their entries into the state that each case wants. */
async function prepare(name: string): Promise<Conversation[]> {
	const opened = (wanted: boolean) =>
		Promise.all(
			cases.map((one, index) =>
				(one.entry === "kept") === wanted ? open(one, firstPort + index, name) : null,
			),
		);
	const others = await opened(false);
	// Acknowledgements that were delayed would make entries of their own.
	await Bun.sleep(60);
	lab.guarded.try(["conntrack", "-F"]);
	await Promise.all(
		cases.map(async ({ entry, direction }, index) => {
			const conversation = others[index];
			if (entry !== "reversed" || !conversation) return;
			// The side that did not open the flow makes the entry.
			expect({ direction, heard: await conversation.serve(3000) }).toEqual({ direction, heard: "echo" });
		}),
	);
	const kept = await opened(true);
	return cases.flatMap((_, index) => kept[index] ?? others[index] ?? []);
}

async function passes(conversation: Conversation, first: Case["first"], milliseconds: number) {
	const client = () => conversation.say(milliseconds);
	const server = () => conversation.serve(milliseconds);
	const heard = [];
	for (const speak of first === "client" ? [client, server] : [server, client]) heard.push(await speak());
	return heard;
}

test.each(directions.flatMap((direction) => [null, "eth0"].map((name) => [direction, name] as const)))(
	"a Block of %s on interface %p ends what it means and nothing else",
	async (direction, name) => {
		const ports = [port("TCP", firstPort, lastPort), port("UDP", firstPort, lastPort)];
		const rule = name === null ? { ports } : { iface: [name], ports };
		const conversations = await prepare("eth0");
		const elsewhere =
			name === null
				? []
				: await Promise.all(
						protocols.map((protocol) =>
							open({ direction, protocol, family: 4, entry: "kept", first: "server" }, lastPort, "eth1"),
						),
					);
		try {
			await change(policy("cut", { action: "Block", [direction]: [rule] }));
			const wrong = await Promise.all(
				cases.map(async (one, index) => {
					const conversation = conversations[index];
					if (conversation === undefined) throw new Error("a case without its flow");
					const blocked = one.direction === direction;
					const heard = await passes(conversation, one.first, blocked ? 200 : 8000);
					const right = blocked ? !heard.includes("echo") : heard.every((word) => word === "echo");
					return right ? [] : [{ ...one, heard }];
				}),
			);
			expect(wrong.flat()).toEqual([]);
			for (const conversation of elsewhere)
				expect(await passes(conversation, "server", 8000)).toEqual(["echo", "echo"]);
		} finally {
			for (const conversation of [...conversations, ...elsewhere]) conversation[Symbol.dispose]();
			await change(null);
		}
	},
	60_000,
);
