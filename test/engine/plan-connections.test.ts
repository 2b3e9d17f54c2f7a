/** What the compiled command makes of it is shown in test/system/daemon/plan.test.ts. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
	buildModel,
	type Meaning,
	type NetworkModel,
	ruleSets,
} from "../../src/enforcers/network/compile/program.ts";
import { networkPart } from "../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { type Models, planConnections, planSession } from "../../src/engine/plan-connections.ts";
import { block, policy, port } from "../system/support/case.ts";
import { type IsolatedNetwork, joinNetwork } from "../system/support/isolated.ts";
import { eventually, Lab, type Link, spawnBound } from "../system/support/netns.ts";
import { Conversation } from "../system/support/traffic.ts";

let lab: Lab;
let link: Link;
let network: IsolatedNetwork;
const open: Disposable[] = [];
/** Ports of the guarded host that the peer is connected to. */
const ports = [7000, 7001];
beforeAll(async () => {
	lab = await Lab.create(["eth0", "eth1"]);
	link = lab.link("eth0");
	// Entries are made only while some rule asks for them.
	lab.guarded.nft("table inet t { chain in { type filter hook input priority 0; ct state new accept; }; }");
	for (const number of ports) {
		const conversation = await Conversation.open(lab.peer, lab.guarded, "tcp", link.local4, number);
		open.push(conversation);
		expect(await conversation.say(2000)).toBe("echo");
	}
	const flow = await Conversation.open(lab.peer, lab.guarded, "udp", link.local6, 7002);
	open.push(flow);
	expect(await flow.say(2000)).toBe("echo");
	network = joinNetwork(lab.guarded);
});
afterAll(() => {
	network.leave();
	for (const item of open) item[Symbol.dispose]();
	lab[Symbol.dispose]();
});

const meaning: Meaning = {
	posture: "block",
	allowlistScope: "direction",
	failsafe: { ingress: [], egress: [] },
};

function model(text: string | null, over: Partial<Meaning> = {}): NetworkModel {
	const found = text === null ? [] : networkPart.in(parsePolicyFile("new.json", text).documents);
	return buildModel(ruleSets(found), { ...meaning, ...over });
}

const nothing = model(null);
const change = (text: string | null, before = nothing): Models => ({ before, after: model(text) });
const blocking = (...rules: readonly object[]) => policy("cut", { action: "Block", ingress: rules });

test("connections that are ended are told, with the rule that ends each", () => {
	const plan = planConnections(
		change(blocking({ ports: [port("TCP", 7000)] }, { ports: [port("UDP", 7002)] })),
	);
	expect(plan).toMatchObject({ checked: true, reason: "", total: 2 });
	const cut = plan.cut.toSorted((a, b) => a.localPort - b.localPort);
	expect(cut).toEqual([
		{
			direction: "ingress",
			protocol: 6,
			local: link.local4,
			localPort: 7000,
			remote: link.remote4,
			remotePort: expect.any(Number),
			cause: { policy: "cut", direction: "ingress", index: 0, action: "Block", file: "new.json", line: 1 },
			someInterfaces: false,
			guest: false,
		},
		expect.objectContaining({ protocol: 17, local: "fd98:18::1", localPort: 7002, remote: "fd98:18::2" }),
	]);
	expect(cut[1]?.cause.index).toBe(1);
});

test("a rule for one interface ends what comes over it, and says that others are spared", () => {
	const over = (name: string) =>
		planConnections(change(blocking({ iface: [name], ports: [port("TCP", 7000)] })));
	expect(over("eth0").cut).toEqual([expect.objectContaining({ localPort: 7000, someInterfaces: true })]);
});

test("what was blocked before, what is closed and what the posture refuses are not told", () => {
	const text = blocking({ ports: [port("TCP", 7000)] });
	expect(planConnections(change(text, model(text)))).toEqual({
		checked: true,
		reason: "",
		cut: [],
		total: 0,
		refusedAtStart: null,
	});
	const allowing = policy("office", { action: "Allow", ingress: [{ from: [block("203.0.113.0/24")] }] });
	expect(planConnections(change(allowing)).total).toBe(0);
	expect(planConnections(change(blocking({ ports: [port("TCP", 7009)] }))).total).toBe(0);
});

/** A process that an SSH session has to do with, and what the plan says of that session. */
async function session(models: Models, connection: string) {
	const child = spawnBound(["sleep", "60"], { env: { SSH_CONNECTION: connection } });
	try {
		await eventually("the process's own program", () =>
			readFileSync(`/proc/${child.pid}/cmdline`, "latin1").startsWith("sleep"),
		);
		return planSession(models, child.pid);
	} finally {
		child.kill("SIGKILL");
	}
}

test("an SSH session is judged as the connection that it is, tracked or not", async () => {
	const own = `${link.remote4} 50000 ${link.local4} 22`;
	const cause = {
		policy: "cut",
		direction: "ingress" as const,
		index: 0,
		action: "Block" as const,
		file: "new.json",
		line: 1,
	};
	expect(await session(change(blocking({ ports: [port("TCP", 22)] })), own)).toEqual({
		client: link.remote4,
		clientPort: 50000,
		server: link.local4,
		serverPort: 22,
		cut: true,
		refused: true,
		cause,
	});
	expect(await session(change(blocking({ ports: [port("TCP", 23)] })), own)).toMatchObject({
		cut: false,
		refused: false,
		cause: null,
	});
	// The interface that has the session's address decides, not one that it does not come over.
	expect(await session(change(blocking({ iface: ["eth1"] })), own)).toMatchObject({ refused: false });
	const office = policy("office", { action: "Allow", ingress: [{ from: [block("203.0.113.0/24")] }] });
	expect(await session(change(office), own)).toMatchObject({
		cut: false,
		refused: true,
		cause: { policy: "DefaultPosture", index: null, file: null, line: null },
	});
});

test("a failsafe rule spares the session", async () => {
	const own = `${link.remote6} 50000 ${link.local6} 22`;
	const failsafe = {
		ingress: [{ protocol: "tcp" as const, cidr: null, port: { first: 22, last: 22 }, interface: null }],
		egress: [],
	};
	const after = model(blocking({}), { failsafe });
	expect(await session({ before: nothing, after }, own)).toMatchObject({ cut: false, refused: false });
});

test("without a session, or with one that is none, nothing is said", async () => {
	const models = change(blocking({}));
	expect(await session(models, "what ever")).toBeNull();
	expect(await session(models, "")).toBeNull();
});
