/**
 * Large sets in other tables of the host cost us nothing. libnftables reads every element of every set of the host for
 * commands as small as `list counters`. So what the kernel sends to the daemon is counted: one such command is more than all
 * else together.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Conversation } from "../support/traffic.ts";

const elements = 100_000;
/** What the kernel sends for one such set (measured). */
const fetched = elements * 16;

let lab: Lab;
let directory: string;
let daemon: Daemon;

beforeAll(async () => {
	lab = await Lab.create();
	directory = mkdtempSync(join(tmpdir(), "portward-trace-"));
	const addresses = Array.from(
		{ length: elements },
		(_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
	).join(", ");
	lab.guarded.nft(`table inet others {
		set large {
			type ipv4_addr
			elements = { ${addresses} }
		}
	}`);
	daemon = await Daemon.start(lab.guarded, {
		policies: { "a.yaml": blocking("a", "192.0.2.0/24") },
		under: ["strace", "-ff", "-yy", "-qq", "-e", "trace=recvmsg,recvfrom", "-o", join(directory, "trace")],
	});
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	lab[Symbol.dispose]();
	rmSync(directory, { recursive: true });
});

const blocking = (name: string, cidr: string) =>
	policy(name, { ingress: [{ action: "Block", from: [block(cidr)] }] });

/** Bytes that the kernel's nf_tables and its neighbours have sent to the daemon so far. */
function received(): number {
	const lines = readdirSync(directory).flatMap((name) =>
		readFileSync(join(directory, name), "latin1").split("\n"),
	);
	return lines
		.filter((line) => !line.includes("MSG_PEEK"))
		.map((line) => /<NETLINK:\[NETFILTER:.*\) = (\d+)$/.exec(line))
		.reduce((sum, match) => sum + Number(match?.[1] ?? 0), 0);
}

const enforcing = () => lab.guarded.try(["nft", "list", "chain", "inet", "kubearmor", "ingress"]);
/** What somebody else does to our table, and the repair of it. */
async function repaired(...damage: string[]): Promise<void> {
	const whole = enforcing().out;
	lab.guarded.run(["nft", ...damage]);
	await eventually("the repair", () => enforcing().out === whole);
}

test("a start, a reload, a scrape, the end of a connection and repairs read no set of anybody else's", async () => {
	expect(received()).toBeGreaterThan(1000);
	await daemon.after(() => daemon.home.put("b.yaml", blocking("b", "198.51.100.0/24")));
	await daemon.metrics();
	await daemon.status();
	const local = lab.links[0]?.local4 ?? "";
	using conversation = await Conversation.open(lab.peer, lab.guarded, "tcp", local, 7000);
	expect(await conversation.say(2000)).toBe("echo");
	daemon.home.put("cut.yaml", policy("cut", { ingress: [{ action: "Block", ports: [port("TCP", 7000)] }] }));
	const refused = () => lab.guarded.run(["nft", "list", "set", "inet", "kubearmor", "refused4"]);
	await eventually("the end of the connection", () => refused().includes("7000"));
	await repaired("flush", "chain", "inet", "kubearmor", "ingress");
	await repaired("delete", "table", "inet", "kubearmor");
	expect(received()).toBeLessThan(fetched / 2);
});
