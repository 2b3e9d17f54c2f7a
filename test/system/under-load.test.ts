/** What happens to packets, 50 000 a second of them, while the daemon and its table go through trouble. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { block, policy, port } from "./support/case.ts";
import { Daemon, Home } from "./support/daemon.ts";
import { eventually, Lab } from "./support/netns.ts";
import { Prober } from "./support/probe.ts";
import { flood, type Target } from "./support/traffic.ts";

const rate = 50_000;

let lab: Lab;
let home: Home;

beforeEach(async () => {
	lab = await Lab.create();
	home = new Home();
});
afterEach(() => {
	lab[Symbol.dispose]();
	home[Symbol.dispose]();
});

/** Half of these must pass, half must be dropped, whichever version of the policies is in force. */
const targets: readonly Target[] = (["tcp", "udp", "sctp"] as const).flatMap((protocol) =>
	Array.from({ length: 20 }, (_, index) => index).flatMap((index): Target[] => [
		{ expect: "pass", protocol, remote: `10.1.${index}.1`, local: "198.18.0.1", port: 1000 + index },
		{ expect: "drop", protocol, remote: `10.1.${index}.1`, local: "198.18.0.1", port: 2000 + index },
		{ expect: "pass", protocol, remote: `2001:db8:1:${index}::1`, local: "fd98:18:0::1", port: 1000 + index },
		{ expect: "drop", protocol, remote: `2001:db8:2:${index}::1`, local: "fd98:18:0::1", port: 1000 + index },
	]),
);

/** The unchanging meaning, beside which `version` changes what no packet of the flood is about. */
function policies(version: number): string {
	const bulk = Array.from({ length: 2_000 }, (_, index) =>
		block(`172.${16 + (index >> 8)}.${index & 255}.${version & 255}/32`),
	);
	return [
		policy("in", {
			action: "Allow",
			ingress: [
				{ from: [block("10.1.0.0/16"), block("2001:db8:1::/48")] },
				{
					action: "Block",
					from: [block("10.1.0.0/16")],
					ports: ["TCP", "UDP", "SCTP"].map((name) => port(name, 2000, 2999)),
				},
			],
		}),
		policy("bulk", { action: version % 2 === 0 ? "Block" : "Audit", ingress: [{ from: bulk }] }),
	].join("\n---\n");
}

const nothingMisjudged = { wronglyDropped: 0, wronglyPassed: 0, uncounted: 0 };

function misjudged({ wronglyDropped, wronglyPassed, uncounted }: Awaited<ReturnType<typeof flood>>) {
	return { wronglyDropped, wronglyPassed, uncounted };
}

describe.each(["concatenated", "nested"])("%s ruleset", (rulesetForm) => {
	const config = { rulesetForm };

	test("50 reloads misjudge no packet", async () => {
		await using daemon = await Daemon.start(
			lab.guarded,
			{ config, policies: { "p.yaml": policies(0) } },
			home,
		);
		let running = true;
		const flooding = flood(lab, { interface: "eth0", targets, packets: rate * 15, rate }).finally(() => {
			running = false;
		});
		let reloads = 0;
		while (running || reloads < 50) {
			reloads++;
			await daemon.after(() => home.put("p.yaml", policies(reloads)));
		}
		expect(reloads).toBeGreaterThanOrEqual(50);
		expect(misjudged(await flooding)).toEqual(nothingMisjudged);
	});

	test("SIGKILL, a changed policy and a restart misjudge no packet", async () => {
		const first = await Daemon.start(lab.guarded, { config, policies: { "p.yaml": policies(0) } }, home);
		const flooding = flood(lab, { interface: "eth0", targets, packets: rate * 5, rate });
		await first.stop("SIGKILL");
		home.put("p.yaml", policies(1));
		await using second = await Daemon.start(lab.guarded, { config }, home);
		await second.stop();
		await using _third = await Daemon.start(lab.guarded, { config }, home);
		expect(misjudged(await flooding)).toEqual(nothingMisjudged);
	});
});

test("a flushed ruleset is back within a second, under load, alerted and counted", async () => {
	await using daemon = await Daemon.start(lab.guarded, { policies: { "p.yaml": policies(0) } }, home);
	using prober = new Prober(lab);
	const dropped = { direction: "ingress", protocol: "tcp", remote: "10.1.0.1", port: 2000 } as const;
	const flooding = flood(lab, { interface: "eth0", targets, packets: rate * 4, rate });
	const start = performance.now();
	lab.guarded.run(["nft", "flush", "ruleset"]);
	await eventually("the repair", async () => !(await prober.send([dropped]))[0], 5_000);
	const elapsed = performance.now() - start;
	const during = await flooding;
	expect(during.uncounted).toBe(0);
	// What came through is what was sent in the time that the promise leaves, not more.
	expect(during.wronglyPassed).toBeLessThan(rate / 2);
	expect(elapsed).toBeLessThan(5_000);
	await eventually(
		"a count of the drift",
		async () => ((await daemon.metrics()).get("portward_drift_total") ?? 0) > 0,
	);
	await daemon.alert("of the drift", (alert) => alert.Type === "SystemEvent");
	expect(misjudged(await flood(lab, { interface: "eth0", targets, packets: rate, rate }))).toEqual(
		nothingMisjudged,
	);
});

test("a flood of 400 000 blocked packets is accounted for exactly, and starves no other policy's alerts", async () => {
	await using daemon = await Daemon.start(
		lab.guarded,
		{
			policies: {
				"flood.yaml": policy("flood", { action: "Block", ingress: [{ from: [block("203.0.113.0/24")] }] }),
				"quiet.yaml": policy("quiet", { action: "Audit", ingress: [{ ports: [port("TCP", 22)] }] }),
			},
		},
		home,
	);
	using prober = new Prober(lab);
	const packets = 400_000;
	const blocked: Target[] = Array.from({ length: 250 }, (_, index) => ({
		expect: "drop",
		protocol: "udp",
		remote: `203.0.113.${index + 1}`,
		local: "198.18.0.1",
		port: 4000 + index,
	}));
	const flooding = flood(lab, { interface: "eth0", targets: blocked, packets, rate: 0 });
	const sources = Array.from({ length: 5 }, (_, index) => `10.9.9.${index + 1}`);
	for (const remote of sources) {
		expect(await prober.send([{ direction: "ingress", protocol: "tcp", remote, port: 22 }])).toEqual([true]);
	}
	const result = await flooding;
	expect(result.wronglyPassed).toBe(0);
	await daemon.alert("of the quiet policy", (alert) => alert.PolicyName === "quiet");

	const ruleOf = (name: string, metric: string) =>
		new RegExp(`^portward_${metric}\\{.*policy="${name}"`, "u");
	const total = async (name: string, metric: string) => {
		let sum = 0;
		for (const [sample, value] of await daemon.metrics()) if (ruleOf(name, metric).test(sample)) sum += value;
		return sum;
	};
	await eventually(
		"all packets counted",
		async () => (await total("flood", "policy_packets_total")) === result.sentToDrop,
	);
	expect(await total("quiet", "policy_packets_total")).toBe(sources.length);
});

test("slow and stuck HTTP clients keep nobody else waiting", async () => {
	await using daemon = await Daemon.start(lab.guarded, { policies: { "p.yaml": policies(0) } }, home);
	const idle = { data() {}, close() {}, error() {} };
	const stuck = await Promise.all(
		Array.from({ length: 50 }, () => Bun.connect({ unix: home.socket, socket: idle })),
	);
	for (const socket of stuck) socket.write("GET /v1/status HTTP/1.1\r\nHost: loc");
	const answers = await Promise.all(Array.from({ length: 5 }, () => daemon.get("/healthz")));
	expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200]);
	await daemon.after(() => home.put("p.yaml", policies(1)));
	for (const socket of stuck) socket.end();
});
