/** What watching costs: a new flow, memory after very many, and an answer. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SeenHistory } from "../src/enforcers/network/history/seen-flow.ts";
import { seenSet } from "../src/enforcers/network/names.ts";
import { keyPlaces } from "../src/enforcers/network/observe/seen-sets.ts";
import { FlowKeeper } from "../src/enforcers/network/run/history/flow-keeper.ts";
import { executable } from "../test/system/support/built.ts";
import { Daemon } from "../test/system/support/daemon.ts";
import { Lab, spawnBound } from "../test/system/support/netns.ts";
import { connectionRate, flood, type Target } from "../test/system/support/traffic.ts";
import { memory, settle } from "./daemon.ts";
import { atMost, type Figure, interleave, median, quantity } from "./report.ts";
import { asPolicy, makeRules, type Rule } from "./rulesets.ts";

const local = "198.18.0.1";
const peer = "198.18.0.2";
const port = 999;
const packets = 100_000;
const rounds = 11;
/** So few that their counts stay in the processor's caches, as those of who comes again and again do. */
const few = 32;

interface Host {
	readonly lab: Lab;
	readonly rules: readonly Rule[];
}

/** A host whose rules stay when the daemon has gone, so that only the kernel is measured. */
async function hostOf(enabled: boolean, protocol: Rule["protocol"]): Promise<Host> {
	const lab = await Lab.create();
	const rules = [
		...makeRules(999, protocol),
		{ block: `${peer}/32`, address: peer, protocol, port } satisfies Rule,
	];
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "rules.json": asPolicy("rules", rules) },
		config: { observe: { enabled } },
	});
	await daemon.stop();
	return { lab, rules };
}

/** Microseconds a datagram that opens a flow of its own. */
async function udpCost({ lab, rules }: Host, sources: number): Promise<number> {
	const targets = rules.slice(0, sources).map(
		({ address, port: number }): Target => ({
			expect: "pass",
			protocol: "udp",
			remote: address,
			local,
			port: number,
		}),
	);
	const { seconds } = await flood(lab, { interface: "eth0", targets, packets, rate: 0, sink: true });
	lab.guarded.try(["conntrack", "-F"]);
	return (seconds / packets) * 1e6;
}

async function tcpCost({ lab }: Host): Promise<number> {
	const { perSecond, failed } = await connectionRate(lab, local, port, 1);
	lab.guarded.try(["conntrack", "-F"]);
	if (failed > 0) throw new Error(`${failed} connections failed`);
	return 1e6 / perSecond;
}

async function kernelFigures(): Promise<Figure[]> {
	const udp = { on: await hostOf(true, "udp"), off: await hostOf(false, "udp") };
	const tcp = { on: await hostOf(true, "tcp"), off: await hostOf(false, "tcp") };
	const cost = await interleave(
		{
			"udp on": () => udpCost(udp.on, few),
			"udp off": () => udpCost(udp.off, few),
			"many on": () => udpCost(udp.on, udp.on.rules.length),
			"many off": () => udpCost(udp.off, udp.off.rules.length),
			"tcp on": () => tcpCost(tcp.on),
			"tcp off": () => tcpCost(tcp.off),
		},
		rounds,
	);
	for (const { lab } of [udp.on, udp.off, tcp.on, tcp.off]) lab[Symbol.dispose]();
	const of = (name: string) => cost[name] ?? Number.NaN;
	return [
		quantity("a TCP connection, watched", of("tcp on"), "µs", null),
		quantity("a UDP packet of a new flow, watched", of("udp on"), "µs", null),
		atMost("a TCP connection, watched against not", of("tcp on") / of("tcp off"), 1.1),
		atMost("a UDP packet of a new flow, watched against not", of("udp on") / of("udp off"), 1.1),
		atMost("the same from 1000 sources in turn", of("many on") / of("many off"), 1.1),
	];
}

const million = 1_000_000;
const perLook = 50_000;
/** What is written into the sets here is another's change to the table, which the daemon looks after for a while. Milliseconds. */
const repairsAfter = 60_000;

/** A million flows through the store of a daemon, in this process: what they add to its memory, and an answer of all that is kept. */
function keeperFigures(): Figure[] {
	const stateDirectory = mkdtempSync(join(tmpdir(), "portward-bench-"));
	const place = { direction: "ingress", forwarded: false, family: 4 } as const;
	const at = keyPlaces(place, "named");
	const key = new Uint8Array(at.length);
	const view = new DataView(key.buffer);
	view.setUint32(at.interface, 2, true);
	key[at.protocol] = 6;
	if (at.port !== null) view.setUint16(at.port, 443);
	let next = 0;
	let now = 0;
	const keeper = new FlowKeeper({
		stateDirectory,
		maxFlows: 100_000,
		read: (each) => {
			for (const end = next + perLook; next < end; next++) {
				view.setUint32(at.remote, Math.imul(next, 0x9e37_79b1) >>> 0);
				each(place, "named", { key, count: 1, left: 300_000 });
			}
			return null;
		},
		unseen: () => 0,
		interfaceName: () => "eth0",
		time: () => Date.now(),
		now: () => now,
		seed: 1,
	});
	Bun.gc(true);
	const before = process.memoryUsage.rss();
	const started = performance.now();
	while (next < million) {
		// As long after the look before as the kernel keeps an element.
		now += 301_000;
		let polled = keeper.poll({ generation: 1 });
		while (polled.questions.length > 0) {
			const rows = polled.questions.map(({ row }) => row);
			const answers = rows.map(() => ({ action: "Allow", policy: "web" }) as const);
			polled = keeper.decided({ generation: 1, rows, answers });
		}
	}
	const taken = (performance.now() - started) / million;
	Bun.gc(true);
	const grown = (process.memoryUsage.rss() - before) / 1e6;
	const asked = performance.now();
	const said = keeper.flows({ query: "limit=100000" });
	const answered = (performance.now() - asked) / 1000;
	if (!said.ok) throw new Error(said.message);
	rmSync(stateDirectory, { recursive: true });
	return [
		atMost("the store after 1 000 000 flows, in process, MB", grown, 120),
		quantity("a flow, from the kernel's element to the store", taken * 1000, "µs", null),
		atMost(`an answer of all ${keeper.facts.flows} that are kept, s`, answered, 1),
	];
}

/** Scatters numbers over the addresses, each on one of its own. */
const scattered = (index: number) => {
	const bits = Math.imul(index, 0x9e37_79b1) >>> 0;
	return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
};

/**
 * A million flows through a whole daemon: they lie in the kernel's own set, as if they had come, are other ones at each
 * look, and are soon forgotten, as those of five minutes ago would be.
 */
async function daemonAfterMillion(rules: number): Promise<Figure[]> {
	using lab = await Lab.create();
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "rules.json": asPolicy("rules", makeRules(rules, "tcp")) },
	});
	await settle(daemon.pid);
	const before = memory(daemon.pid, "VmRSS");
	const set = seenSet({ direction: "ingress", forwarded: false, family: 4 }, "named");
	let peak = before;
	for (let next = 0; next < million; next += perLook) {
		const elements = Array.from(
			{ length: perLook },
			(_, index) =>
				`"eth0" . ${scattered(next + index)} . tcp . 443 counter packets 1 bytes 60 timeout 5m expires 2s`,
		);
		lab.guarded.nft(
			`flush set inet kubearmor ${set}\nadd element inet kubearmor ${set} { ${elements.join(", ")} }`,
		);
		// An answer has what came until then.
		const answer = await daemon.get("/v1/flows?limit=1");
		if (answer.status !== 200) throw new Error(await answer.text());
		await answer.text();
		peak = Math.max(peak, memory(daemon.pid, "VmRSS"));
	}
	await Bun.sleep(repairsAfter);
	await settle(daemon.pid);
	const after = memory(daemon.pid, "VmRSS");
	const { merged, lost } = (await daemon
		.get("/v1/flows?limit=1")
		.then((reply) => reply.json())) as SeenHistory;
	const command = await flowsCommand(lab, daemon);
	return [
		quantity(`a daemon with ${rules} rules before any flow`, before, "MB", null),
		quantity(
			`after 1 000 000 flows, of which ${merged} lie in blocks and ${lost} were too many`,
			after,
			"MB",
			120,
		),
		quantity("meanwhile at most", peak, "MB", null),
		quantity("portward flows of all that are kept", command, "s", 1),
	];
}

/** Seconds of `portward flows`, median of several. */
async function flowsCommand(lab: Lab, daemon: Daemon): Promise<number> {
	const times: number[] = [];
	for (let round = 0; round < 5; round++) {
		const start = performance.now();
		const child = spawnBound(lab.guarded.inside([executable(), "flows", "--config", daemon.home.config]));
		const [, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
		if (code !== 0) throw new Error(error.slice(0, 1000));
		times.push((performance.now() - start) / 1000);
	}
	return median(times);
}

export async function observeFigures(): Promise<Figure[]> {
	return [
		...keeperFigures(),
		...(await daemonAfterMillion(10)),
		...(await daemonAfterMillion(1000)),
		...(await kernelFigures()),
	];
}
