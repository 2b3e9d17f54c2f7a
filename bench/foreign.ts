/**
 * What a set of 100 000 elements in another table of the host costs us, and what quotas cost established flows. The set is
 * not ours to read: libnftables would read it for commands as small as `list counters`, for a second each.
 */

import { readdirSync, readFileSync } from "node:fs";
import { block, policy, port } from "../test/system/support/case.ts";
import { Daemon } from "../test/system/support/daemon.ts";
import { eventually, Lab } from "../test/system/support/netns.ts";
import { flood } from "../test/system/support/traffic.ts";
import { atMost, type Figure, interleave, median, quantity, rounds } from "./report.ts";

const elements = 100_000;
/** Of each kind in one measurement. */
const times = 10;
const packets = 400_000;

const kinds = ["reload", "scrape", "repair"] as const;
type Kind = (typeof kinds)[number];

const blocking = (last: number) =>
	policy("changing", { ingress: [{ action: "Block", from: [block(`192.0.2.${last}/32`)] }] });

/** Milliseconds of CPU time that the threads of a process used; a tick would be too coarse. */
function cpuMs(pid: number): number {
	return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
		const [ns = "0"] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ");
		return sum + Number(ns) / 1e6;
	}, 0);
}

async function does(daemon: Daemon, lab: Lab, kind: Kind, round: number): Promise<void> {
	if (kind === "scrape") void (await daemon.metrics());
	else if (kind === "reload")
		await daemon.after(() => daemon.home.put("a.yaml", blocking(1 + (round % 250))));
	else {
		const chain = () => lab.guarded.try(["nft", "list", "chain", "inet", "kubearmor", "ingress"]).out;
		const whole = chain();
		lab.guarded.run(["nft", "flush", "chain", "inet", "kubearmor", "ingress"]);
		await eventually("the repair", () => chain() === whole);
	}
}

/** The same on two hosts, of which one has the set of somebody else. */
async function beside(): Promise<Figure[]> {
	using plain = await Lab.create();
	using other = await Lab.create();
	const addresses = Array.from({ length: elements }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
	other.guarded.nft(`table inet others {
		set large {
			type ipv4_addr
			elements = { ${addresses.join(", ")} }
		}
	}`);
	const policies = { "a.yaml": blocking(1) };
	await using without = await Daemon.start(plain.guarded, { policies });
	await using daemon = await Daemon.start(other.guarded, { policies });
	let round = 0;
	const measure = (kind: Kind, one: Daemon, lab: Lab) => async () => {
		const before = cpuMs(one.pid);
		for (let i = 0; i < times; i++) {
			round += 1;
			await does(one, lab, kind, round);
		}
		return cpuMs(one.pid) - before;
	};
	const figures: Figure[] = [];
	for (const kind of kinds) {
		const { free = 0, loaded = 0 } = await interleave({
			free: measure(kind, without, plain),
			loaded: measure(kind, daemon, other),
		});
		figures.push(quantity(`CPU time of a ${kind}`, free / times, "ms", null));
		figures.push(atMost(`CPU time of a ${kind} beside a foreign set of ${elements}`, loaded / free, 1.2));
	}
	return figures;
}

/** Packets of open flows that a quota counts, against those that are accepted first of all. */
async function counting(): Promise<Figure[]> {
	const quota = { limit: "1000GB", duration: "1d" };
	const rules = { none: [], quota: [{ ports: [port("UDP", 5000)], ...quota }] };
	const seconds: Record<keyof typeof rules, number[]> = { none: [], quota: [] };
	for (let round = 0; round < rounds; round++) {
		for (const name of ["none", "quota"] as const) {
			using lab = await Lab.create();
			const policies = {
				"a.yaml": policy("p", {
					ingress: [
						{ action: "Block", ports: [port("TCP", 9)] },
						...rules[name].map((rule) => ({ action: "Block", ...rule })),
					],
				}),
			};
			await using _daemon = await Daemon.start(lab.guarded, { policies });
			const local = lab.links[0]?.local4 ?? "";
			const target = { expect: "pass", protocol: "udp", remote: "10.1.0.10", local, port: 5000 } as const;
			const options = {
				interface: "eth0",
				targets: [target],
				packets,
				rate: 0,
				sink: true,
				established: true,
			};
			seconds[name].push((await flood(lab, options)).seconds);
		}
	}
	const ratio = median(seconds.quota) / median(seconds.none);
	return [atMost("a packet of an open flow that one quota counts", ratio, 1.3)];
}

export async function foreignFigures(): Promise<Figure[]> {
	return [...(await beside()), ...(await counting())];
}
