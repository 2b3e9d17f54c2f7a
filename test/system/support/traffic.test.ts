/** The traffic helpers, against rulesets whose meaning is plain. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { Lab } from "./netns.ts";
import { Conversation, connectionRate, connects, flood, type Target } from "./traffic.ts";

let lab: Lab;

beforeAll(async () => {
	lab = await Lab.create();
});
afterAll(() => lab[Symbol.dispose]());

const local4 = "198.18.0.1";
const local6 = "fd98:18:0::1";

function load(rules: string): void {
	lab.guarded.nft(
		`add table inet lab\ndelete table inet lab\ntable inet lab {\nchain in {\ntype filter hook input priority 0; policy accept;\niif lo accept\n${rules}\n}\n}\n`,
	);
}

const targets: readonly Target[] = (["tcp", "udp", "sctp"] as const).flatMap((protocol) => [
	{ expect: "pass", protocol, remote: "203.0.113.1", local: local4, port: 1000 },
	{ expect: "drop", protocol, remote: "203.0.113.1", local: local4, port: 2000 },
	{ expect: "pass", protocol, remote: "2001:db8::1", local: local6, port: 1000 },
	{ expect: "drop", protocol, remote: "2001:db8::1", local: local6, port: 2000 },
]);

test("a flood is judged packet by packet", async () => {
	load("th dport 2000 drop");
	const { seconds, ...counts } = await flood(lab, {
		interface: "eth0",
		targets,
		packets: 24_000,
		rate: 50_000,
	});
	expect(counts).toEqual({
		sentToPass: 12_000,
		wronglyDropped: 0,
		sentToDrop: 12_000,
		wronglyPassed: 0,
		uncounted: 0,
	});
	expect(seconds).toBeGreaterThan(0);
});

test("misjudged packets are counted on their side", async () => {
	load("udp dport 1000 drop");
	const result = await flood(lab, { interface: "eth0", targets, packets: 24_000, rate: 50_000 });
	expect(result.wronglyDropped).toBe(4_000);
	expect(result.wronglyPassed).toBe(12_000);
});

test("TCP connections come about, or not", async () => {
	load("tcp dport 2000 drop");
	expect(await connects(lab.peer, lab.guarded, local4, 1000)).toBe(true);
	expect(await connects(lab.peer, lab.guarded, local6, 1000)).toBe(true);
	expect(await connects(lab.peer, lab.guarded, local6, 2000)).toBe(false);
	expect((await connectionRate(lab, local4, 1000, 0.2)).connected).toBeGreaterThan(0);
});

test("an open flow notices when it is cut", async () => {
	for (const protocol of ["tcp", "udp"] as const) {
		load("");
		using conversation = await Conversation.open(lab.peer, lab.guarded, protocol, local4, 1500);
		expect(conversation.opened).toBe(true);
		expect(await conversation.say()).toBe("echo");
		load("th dport 1500 drop");
		expect(await conversation.say()).toBe("silent");
	}
});
