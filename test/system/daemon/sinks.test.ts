/** The executable sends alerts to other systems, confined as it is, and keeps what they do not take. */

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Datagrams } from "../../ffi/support/datagrams.ts";
import { executable } from "../support/built.ts";
import { block, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, spawnBound } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const limit = 60_000;
const port = 8123;
const receiverScript = join(import.meta.dir, "../../sinks/support/webhook-receiver.ts");

/** How many of these ports are blocked now; each of them is an alert of its own. */
async function blocked(first: number, count: number): Promise<number> {
	const passed = await rig.prober.send(
		Array.from({ length: count }, (_, index) => ({
			direction: "ingress",
			protocol: "tcp",
			remote: "10.1.0.10",
			port: first + index,
		})),
	);
	return passed.filter((each) => !each).length;
}

interface SinkLine {
	readonly name: string;
	readonly state: string;
	readonly queued: number;
	readonly sent: number;
	readonly diskError: string;
}

async function sink(daemon: Daemon, name: string): Promise<SinkLine | undefined> {
	const status: unknown = JSON.parse(await (await daemon.get("/v1/status")).text());
	const { sinks } = status as { sinks: readonly SinkLine[] };
	return sinks.find((each) => each.name === name);
}

/** A webhook beside the daemon, in its network. */
async function receiver(file: string): Promise<Disposable> {
	const child = spawnBound(
		rig.lab.guarded.inside([process.execPath, receiverScript, "127.0.0.1", String(port), file]),
	);
	const { value } = await child.stdout.getReader().read();
	expect(new TextDecoder().decode(value)).toBe("ready\n");
	return { [Symbol.dispose]: () => child.kill("SIGKILL") };
}

/** The ports of the alerts that were received. */
const ports = (file: string) =>
	existsSync(file)
		? [...readFileSync(file, "utf8").matchAll(/"DestinationPort":"(\d+)"/g)].map((found) => Number(found[1]))
		: [];
const range = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);
const webhook = { name: "hook", type: "webhook", url: `http://127.0.0.1:${port}/in` };

test("confined, to a socket and over HTTP; what waits on disk outlives SIGKILL", async () => {
	const socket = join(rig.home.path, "log");
	const file = join(rig.home.path, "received");
	using log = new Datagrams(socket);
	const config = {
		alerts: {
			sinks: [
				webhook,
				{
					name: "log",
					type: "syslog",
					address: `unix:${socket}`,
					format: "cef",
					kinds: ["MatchedNetworkPolicy"],
				},
			],
		},
	};
	const policies = { "a.yaml": blocks("a", 1000, 1999) };
	{
		await using daemon = await Daemon.start(rig.lab.guarded, { policies, config }, rig.home);
		expect((await daemon.status()).confinement.systemCalls.active).toBe(true);
		expect(await blocked(1000, 20)).toBe(20);
		const lines: string[] = [];
		await eventually(
			"alerts on the socket",
			() => {
				lines.push(...log.take().flat());
				return lines.length === 20;
			},
			limit,
		);
		expect(lines[0]).toMatch(/^<\d+>\w{3} .\d \d\d:\d\d:\d\d portward\[\d+\]: CEF:0\|Portward\|/);
		await eventually(
			"a queue",
			async () =>
				((await sink(daemon, "hook"))?.state === "failing" ? (await sink(daemon, "hook"))?.queued : 0) === 20,
			limit,
		);
		expect((await daemon.status()).warnings).toContainEqual(
			expect.stringContaining("do not reach sink hook"),
		);
		await daemon.stop("SIGKILL");
	}
	using _up = await receiver(file);
	await using daemon = await Daemon.start(rig.lab.guarded, { policies, config }, rig.home);
	await eventually("what had waited", () => ports(file).length >= 20, limit);
	expect(await blocked(1100, 5)).toBe(5);
	await eventually("what came later", () => ports(file).length >= 25, limit);
	expect(ports(file).toSorted((a, b) => a - b)).toEqual([...range(1000, 20), ...range(1100, 5)]);
	// What the sinks say of themselves comes a moment later.
	const sent = async () => (await daemon.metrics()).get('portward_sink_sent_total{sink="hook"}') ?? 0;
	await eventually("25 sent", async () => (await sent()) >= 25, limit);
	await eventually("nothing waits", async () => (await sink(daemon, "hook"))?.queued === 0, limit);
	expect((await daemon.metrics()).get('portward_sink_dropped_total{sink="hook",reason="full"}')).toBe(0);
}, 180_000);

test("a full disk leaves the queue to memory, and SIGHUP takes over other sinks", async () => {
	const file = join(rig.home.path, "received");
	const script = `mount -t tmpfs -o size=2m,mode=700 tmpfs ${rig.home.state}; exec "$@"`;
	await using daemon = await Daemon.start(
		rig.lab.guarded,
		{
			under: ["unshare", "--mount", "sh", "-ec", script, "sh"],
			policies: { "a.yaml": blocks("a", 1000, 1999) },
		},
		rig.home,
	);
	expect(await sink(daemon, "hook")).toBeUndefined();
	const configure = (sinks: readonly unknown[]) => {
		const settings = JSON.parse(readFileSync(rig.home.config, "utf8"));
		return daemon.after(() => {
			writeFileSync(rig.home.config, JSON.stringify({ ...settings, alerts: { sinks } }));
			daemon.signal("SIGHUP");
		});
	};
	await configure([webhook]);
	const state = `/proc/${daemon.pid}/root${rig.home.state}`;
	await eventually("a queue on disk", () => existsSync(join(state, "sinks", "hook", "position")), limit);
	const { bavail, bsize } = statfsSync(state);
	writeFileSync(join(state, "ballast"), Buffer.alloc(Number(bavail) * Number(bsize)));
	expect(await blocked(1000, 30)).toBe(30);
	await eventually("a queue in memory", async () => (await sink(daemon, "hook"))?.diskError !== "", limit);
	expect((await daemon.status()).warnings).toContainEqual(expect.stringContaining("in memory alone"));
	rmSync(join(state, "ballast"));
	using _up = await receiver(file);
	await eventually("every alert", () => new Set(ports(file)).size === 30, limit);
	expect(ports(file).toSorted((a, b) => a - b)).toEqual(range(1000, 30));
	await configure([]);
	expect(await sink(daemon, "hook")).toBeUndefined();
	await eventually("no queue", () => !existsSync(join(state, "sinks", "hook")), limit);
}, 180_000);

test("a sink that egress policies cut off is a warning, until they do not", async () => {
	const cut = policy("cut", { action: "Block", egress: [{ to: [block("10.1.0.10/32")] }] });
	const address = "udp://10.1.0.10:514";
	const config = { alerts: { sinks: [{ name: "far", type: "syslog", address }] } };
	await using daemon = await Daemon.start(rig.lab.guarded, { policies: { "a.yaml": cut }, config }, rig.home);
	const blocked = async () => (await daemon.metrics()).get('portward_sink_blocked{sink="far"}');
	await eventually("a warning", async () => (await blocked()) === 1, limit);
	expect((await daemon.status()).warnings).toContainEqual(
		expect.stringMatching(
			/cut off sink far: egress udp 514 to 10\.1\.0\.10 is blocked by cut egress\[0\] \(/,
		),
	);
	const next = join(rig.home.path, "next");
	mkdirSync(next);
	writeFileSync(join(next, "a.yaml"), cut);
	const common = ["--config", rig.home.config, "--state-dir", rig.home.state];
	const plan = [executable(), "plan", "--policy-dir", next, ...common];
	const planned = rig.lab.guarded.run(["sh", "-c", 'exec "$@" 2>&1', "sh", ...plan]);
	expect(planned).toContain("alerts would not reach sink far");
	await daemon.after(() => rig.home.put("a.yaml", cut.replace("Block", "Audit")));
	await eventually("no warning", async () => (await blocked()) === 0, limit);
	expect((await daemon.status()).warnings.join()).not.toContain("sink far");
}, 180_000);
