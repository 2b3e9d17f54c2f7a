/** What an alert costs the daemon with and without sinks, and what it holds when all kinds of them are idle. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Datagrams } from "../test/ffi/support/datagrams.ts";
import { block, policy } from "../test/system/support/case.ts";
import { Daemon, Home } from "../test/system/support/daemon.ts";
import { Lab, spawnBound } from "../test/system/support/netns.ts";
import { flood, type Target } from "../test/system/support/traffic.ts";
import { memory, settle } from "./daemon.ts";
import { type Figure, interleave, quantity } from "./report.ts";

const receiverScript = join(import.meta.dir, "../test/sinks/support/webhook-receiver.ts");
const port = 8123;

/** Fewer a second than the kernel hands on of one rule. */
const alerts = { count: 2000, perSecond: 400 };

const target: Target = {
	expect: "drop",
	protocol: "udp",
	remote: "203.0.113.1",
	local: "198.18.0.1",
	port: 4000,
};

/** A daemon that blocks `target`, with what receives its alerts. */
class Host implements AsyncDisposable {
	readonly #closed: Disposable[];
	readonly lab: Lab;
	readonly daemon: Daemon;
	readonly sockets: readonly Datagrams[];

	private constructor(lab: Lab, daemon: Daemon, sockets: readonly Datagrams[], closed: Disposable[]) {
		this.lab = lab;
		this.daemon = daemon;
		this.sockets = sockets;
		this.#closed = closed;
	}

	static async create(sinks: boolean): Promise<Host> {
		const lab = await Lab.create();
		const home = new Home();
		home.put(
			"flood.json",
			policy("flood", { action: "Block", ingress: [{ from: [block("203.0.113.0/24")] }] }),
		);
		const closed: Disposable[] = [lab, home];
		if (!sinks) return new Host(lab, await Daemon.start(lab.guarded, {}, home), [], closed);
		const paths = ["journal", "log"].map((name) => join(home.path, name));
		const sockets = paths.map((path) => new Datagrams(path));
		const [journal = "", log = ""] = paths;
		const receiver = spawnBound(
			lab.guarded.inside([process.execPath, receiverScript, "127.0.0.1", String(port), "/dev/null"]),
		);
		await receiver.stdout.getReader().read();
		const config = {
			alerts: {
				sinks: [
					{ name: "journal", type: "journald", address: `unix:${journal}` },
					{ name: "log", type: "syslog", address: `unix:${log}`, format: "cef" },
					{ name: "hook", type: "webhook", url: `http://127.0.0.1:${port}/in`, format: "ecs" },
				],
			},
			kubearmorApi: { address: `unix:${join(home.path, "kubearmor.sock")}` },
		};
		const daemon = await Daemon.start(lab.guarded, { config }, home);
		const ending = { [Symbol.dispose]: () => receiver.kill("SIGKILL") };
		return new Host(lab, daemon, sockets, [...sockets, ending, ...closed]);
	}

	/** Microseconds of the processor's time that the daemon takes for an alert. */
	async cost(): Promise<number> {
		const before = processorTime(this.daemon.pid);
		const told = this.daemon.alerts.length;
		const taking = setInterval(() => {
			for (const socket of this.sockets) socket.take();
		}, 50);
		const { count, perSecond } = alerts;
		await flood(this.lab, {
			interface: "eth0",
			targets: [target],
			packets: count,
			rate: perSecond,
			sink: true,
		});
		// What waits for a batch goes within a second.
		await Bun.sleep(3000);
		clearInterval(taking);
		const came = this.daemon.alerts.length - told;
		if (came < count / 10) throw new Error(`${came} alerts of ${count} packets`);
		return (processorTime(this.daemon.pid) - before) / came;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.daemon[Symbol.asyncDispose]();
		for (const each of this.#closed) each[Symbol.dispose]();
	}
}

/** Microseconds; the kernel counts in hundredths of a second. */
function processorTime(pid: number): number {
	const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
	return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

export async function sinkFigures(): Promise<Figure[]> {
	await using without = await Host.create(false);
	await using all = await Host.create(true);
	await settle(all.daemon.pid);
	const idle = memory(all.daemon.pid, "VmRSS");
	const { none = Number.NaN, three = Number.NaN } = await interleave({
		none: () => without.cost(),
		three: () => all.cost(),
	});
	await Bun.sleep(10_000);
	await settle(all.daemon.pid);
	return [
		quantity("an alert to standard output", none, "µs of the processor", null),
		quantity("and to journald, syslog and a webhook", three, "µs of the processor", null),
		quantity("memory when idle, with these and KubeArmor's service", idle, "MB", 80),
		quantity("the same soon after their alerts", memory(all.daemon.pid, "VmRSS"), "MB", null),
	];
}
