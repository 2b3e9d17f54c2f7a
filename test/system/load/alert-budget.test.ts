/** A flood under many rules raises no more alerts than the budget has, and washes nothing of others out. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { block, policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";
import { flood, type Target } from "../support/traffic.ts";

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

const rules = 50;
const packets = 160_000;

/** Of spoofed sources, so that nearly every packet is a flow of its own. */
const spoofed: Target[] = Array.from({ length: 200 * rules }, (_, index) => ({
	expect: "drop",
	protocol: "udp",
	remote: `203.0.${100 + (index % rules)}.${1 + (Math.floor(index / rules) % 250)}`,
	local: "198.18.0.1",
	port: 1024 + index,
}));

test("fifty rules under a spoofed flood share the budget; a quiet rule's alert stays in memory and file; the sums are exact", async () => {
	const file = join(home.path, "alerts.log");
	const policies = Object.fromEntries(
		Array.from({ length: rules }, (_, index) => [
			`loud${index}.yaml`,
			policy(`loud${index}`, { action: "Block", ingress: [{ from: [block(`203.0.${100 + index}.0/24`)] }] }),
		]),
	);
	policies["quiet.yaml"] = policy("quiet", { action: "Audit", ingress: [{ ports: [port("TCP", 22)] }] });
	const alerts = { file, fileMaxBytes: 262_144, fileKeep: 2, buffer: 500 };
	await using daemon = await Daemon.start(lab.guarded, { policies, config: { alerts } }, home);
	using prober = new Prober(lab);
	await prober.send([{ direction: "ingress", protocol: "tcp", remote: "10.9.9.1", port: 22 }]);
	await daemon.alert("the first", ({ PolicyName }) => PolicyName === "quiet");

	const began = performance.now();
	const flooding = flood(lab, { interface: "eth0", targets: spoofed, packets, rate: 40_000 });
	await Bun.sleep(500);
	await prober.send([{ direction: "ingress", protocol: "tcp", remote: "10.9.9.2", port: 22 }]);
	await daemon.alert("in the midst of it", ({ EventData }) => EventData.SourceIP === "10.9.9.2");
	expect((await flooding).wronglyPassed).toBe(0);
	const seconds = (performance.now() - began) / 1000;

	const loud = () => daemon.alerts.filter(({ PolicyName }) => PolicyName.startsWith("loud"));
	const summaries = () => daemon.alerts.filter(({ Tags }) => Tags === "SUMMARY");
	const sum = (name: string) =>
		summaries().reduce((total, { EventData }) => total + Number(EventData[name] ?? 0), 0);
	const outcome = async (name: string) =>
		[...(await daemon.metrics())].reduce(
			(total, [sample, value]) =>
				sample.startsWith("portward_policy_log_packets_total") &&
				sample.includes('policy="loud') &&
				sample.includes(`outcome="${name}"`)
					? total + value
					: total,
			0,
		);
	await eventually(
		"sums that are whole",
		async () => loud().length + sum("Packets") + (await outcome("aggregated")) === packets,
		60_000,
	);
	expect(loud().length).toBeLessThanOrEqual(1000 * (seconds + 1));
	expect(sum("Packets")).toBeGreaterThan(packets / 2);
	const each = Array.from(
		{ length: rules },
		(_, index) => loud().filter(({ PolicyName }) => PolicyName === `loud${index}`).length,
	);
	expect(Math.min(...each)).toBeGreaterThan(Math.max(...each) / 3);

	const kept = JSON.parse(await (await daemon.get("/v1/alerts?policy=quiet")).text());
	expect(kept.alerts).toHaveLength(2);
	const names = readdirSync(home.path).filter((name) => name.startsWith("alerts.log"));
	expect(names).toHaveLength(3);
	const written = names.map((name) => readFileSync(join(home.path, name), "utf8")).join("");
	for (const source of ["10.9.9.1", "10.9.9.2"]) expect(written).toContain(`"SourceIP":"${source}"`);
});
