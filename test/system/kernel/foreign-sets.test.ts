/**
 * Large sets in other tables of the host cost us nothing. libnftables reads every element of every set of the host for
 * commands as small as `list counters`. So what the kernel sends to the daemon is counted: one such command is more than all
 * else together.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executable } from "../support/built.ts";
import { block, documents, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Conversation } from "../support/traffic.ts";

const elements = 100_000;
/** What the kernel sends for one such set (measured). */
const fetched = elements * 16;

const directory = mkdtempSync(join(tmpdir(), "portward-trace-"));
const traced = [
	"strace",
	"-ff",
	"-yy",
	"-qq",
	"-e",
	"trace=recvmsg,recvfrom",
	"-o",
	join(directory, "trace"),
];

let lab: Lab;
let daemon: Daemon;

beforeAll(async () => {
	lab = await Lab.create();
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
		policies: { "a.yaml": blocking("a", "192.0.2.0/24"), "counted.yaml": counted },
		under: traced,
	});
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	lab[Symbol.dispose]();
	rmSync(directory, { recursive: true });
});

function staged(text: string): string {
	const { metadata, ...rest } = JSON.parse(text);
	return JSON.stringify({
		...rest,
		metadata: { ...metadata, annotations: { "portward.io/mode": "staged" } },
	});
}

const blocking = (name: string, cidr: string) =>
	policy(name, { ingress: [{ action: "Block", from: [block(cidr)] }] });

/** A quota whose windows are short, limits of rates and of connections, and what is staged. */
const counted = documents(
	policy("quota", { ingress: [{ action: "Block", ports: [port("UDP", 9)], limit: "1MB", duration: "1s" }] }),
	policy("limits", {
		ingress: [
			{
				action: "Allow",
				ports: [port("TCP", 7000)],
				rateLimit: { connections: "100/second" },
				connectionLimit: { max: 50 },
			},
			{ action: "Audit" },
		],
	}),
	staged(policy("later", { egress: [{ action: "Block", ports: [port("TCP", 9)] }] })),
);

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

test("a start, a reload, a scrape, the end of a connection, repairs and quotas read no set of anybody else's", async () => {
	expect(received()).toBeGreaterThan(1000);
	let before = 0;
	const read = (what: string) => {
		const now = received();
		const bytes = now - before;
		before = now;
		expect([what, bytes < fetched / 2 ? "little" : bytes]).toEqual([what, "little"]);
	};
	read("the start");
	await daemon.after(() => daemon.home.put("b.yaml", blocking("b", "198.51.100.0/24")));
	read("a reload");
	await daemon.metrics();
	await daemon.status();
	read("a scrape");
	const local = lab.links[0]?.local4 ?? "";
	using conversation = await Conversation.open(lab.peer, lab.guarded, "tcp", local, 7000);
	expect(await conversation.say(2000)).toBe("echo");
	daemon.home.put("cut.yaml", policy("cut", { ingress: [{ action: "Block", ports: [port("TCP", 7000)] }] }));
	const refused = () => lab.guarded.run(["nft", "list", "set", "inet", "kubearmor", "refused4"]);
	await eventually("the end of the connection", () => refused().includes("7000"));
	read("the end of a connection");
	await repaired("flush", "chain", "inet", "kubearmor", "ingress");
	read("the repair of a chain");
	await repaired("delete", "table", "inet", "kubearmor");
	read("the repair of the table");
	const window = async () =>
		JSON.parse(await (await daemon.get("/v1/status")).text()).enforcers.network.quotas[0].windowStart;
	const first = await window();
	const next = () => Bun.sleep(500).then(async () => (await window()) !== first);
	await eventually("the quota's next window", next);
	read("a quota's reset");
});

test("neither do the commands that change the table without a daemon, nor what collects evidence of it", async () => {
	// strace itself ends with what it runs.
	const [child = ""] = readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, "utf8").split(" ");
	process.kill(Number(child), "SIGTERM");
	await eventually("the end of the daemon", () => !existsSync(`/proc/${child}`));
	lab.guarded.run(["nft", "delete", "table", "inet", "kubearmor"]);
	const before = received();
	const { home } = daemon;
	const run = (...argv: readonly string[]) => {
		const { code, error } = lab.guarded.try([...traced, executable(), ...argv, "--config", home.config]);
		expect([argv[0], code, code === 0 ? "" : error]).toEqual([argv[0], 0, ""]);
	};
	run("restore");
	expect(enforcing().code).toBe(0);
	run("panic-open", "--reason", "a test");
	run("resume");
	run("support-bundle", "--out", join(home.path, "bundle.tar.gz"));
	run("explain", "ingress", "tcp", "192.0.2.1", "22", "--policy-dir", home.policies);
	run("release");
	expect(enforcing().code).not.toBe(0);
	expect(received()).toBeGreaterThan(before);
	expect(received() - before).toBeLessThan(fetched / 2);
});

test("a command that reads others' sets would be found", () => {
	const before = received();
	lab.guarded.run([...traced, "nft", "list", "tables"]);
	expect(received() - before).toBeGreaterThan(fetched / 2);
});
