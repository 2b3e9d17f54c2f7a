/** What somebody else does to the table while 50 000 packets a second go through it. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { flood, type Target } from "../support/traffic.ts";

const rate = 50_000;
const remote = "10.1.0.1";

let lab: Lab;
let daemon: Daemon;

beforeAll(async () => {
	lab = await Lab.create();
	daemon = await Daemon.start(lab.guarded, { policies });
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	lab[Symbol.dispose]();
});

const targets: readonly Target[] = [
	{ expect: "pass", protocol: "udp", remote, local: "198.18.0.1", port: 1000 },
	{ expect: "drop", protocol: "udp", remote, local: "198.18.0.1", port: 2000 },
	{ expect: "drop", protocol: "tcp", remote: "203.0.113.7", local: "198.18.0.1", port: 1000 },
	{ expect: "drop", protocol: "udp", remote: "2001:db8::7", local: "fd98:18:0::1", port: 1000 },
];

/** Ingress is in allowlist mode, so it drops by default; egress is not. 5 000 elements, as a busy host may have. */
const policies = {
	"in.yaml": policy("in", {
		action: "Allow",
		ingress: [{ from: [block("10.1.0.0/16")] }, { action: "Block", ports: [port("UDP", 2000)] }],
	}),
	"bulk.yaml": policy("bulk", {
		action: "Block",
		egress: [
			{
				to: Array.from({ length: 5_000 }, (_, index) =>
					block(`172.${16 + (index >> 8)}.${index & 255}.9/32`),
				),
			},
		],
	}),
};

/** The first map that ingress decides by, as the kernel lists it. */
function someMap(): string {
	const out = lab.guarded.run(["nft", "--terse", "list", "table", "inet", "kubearmor"]);
	const name = /map (\S+) \{/u.exec(out)?.[1];
	if (name === undefined) throw new Error("no map in the table");
	return name;
}

/** The chain that the root of ingress leads to. */
function rootChain(): string {
	const out = lab.guarded.run(["nft", "list", "chain", "inet", "kubearmor", "root_ingress"]);
	const name = /goto (\S+)/u.exec(out)?.[1];
	if (name === undefined) throw new Error("no way out of the root");
	return name;
}

/** Each opens or changes the firewall in another way. */
const vandalism: readonly [string, () => string][] = [
	["flushes the ruleset", () => "flush ruleset"],
	["empties every chain", () => "flush table inet kubearmor"],
	["empties the root", () => "flush chain inet kubearmor root_ingress"],
	["empties the chain behind the root", () => `flush chain inet kubearmor ${rootChain()}`],
	["accepts everything first", () => "insert rule inet kubearmor ingress accept"],
	["drops everything first", () => "insert rule inet kubearmor ingress drop"],
	["puts the table to sleep", () => "add table inet kubearmor { flags dormant; }"],
	["empties a map", () => `flush map inet kubearmor ${someMap()}`],
];

const drift = async () => (await daemon.metrics()).get("portward_drift_total") ?? 0;
const alerts = () => daemon.alerts.filter(({ Message }) => Message.startsWith("Somebody else changed"));
const restored = () => daemon.log.split("the table is restored").length - 1;

test.each(vandalism)(
	"somebody %s: noticed, undone within a second, alerted and counted",
	async (_, commands) => {
		const before = { drift: await drift(), alerts: alerts().length, restored: restored() };
		const script = commands();
		const flooding = flood(lab, { interface: "eth0", targets, packets: rate * 1.2, rate });
		// The flood takes a moment to start; the change should come into its midst.
		await Bun.sleep(200);
		lab.guarded.nft(script);
		const during = await flooding;
		expect(during.uncounted).toBe(0);
		// Three quarters of the packets are to be dropped: this is what comes in two thirds of a second.
		expect(during.wronglyPassed).toBeLessThan(rate * 0.5);
		expect(during.wronglyDropped).toBeLessThan(rate * 0.2);
		await eventually("the repair", () => restored() > before.restored, 10_000);
		await eventually("the count of the drift", async () => (await drift()) > before.drift, 10_000);
		await eventually("the alert of the drift", () => alerts().length > before.alerts, 10_000);
		expect(alerts().at(-1)?.EventData.Process).toBe("nft");
		const after = await flood(lab, { interface: "eth0", targets, packets: 8_000, rate });
		expect(after).toMatchObject({ wronglyDropped: 0, wronglyPassed: 0, uncounted: 0 });
		// A repair is no drift itself.
		expect(await drift()).toBe(before.drift + 1);
	},
);

test("somebody keeps at it: the last word is the daemon's", async () => {
	const before = await drift();
	for (let round = 0; round < 12; round++) {
		const [, commands] = vandalism[round % 3] ?? ["", () => ""];
		// What it was to change may be gone for the moment.
		lab.guarded.try(["nft", "-f", "-"], commands());
	}
	const clean = async () => {
		const found = await flood(lab, { interface: "eth0", targets, packets: 4_000, rate });
		return found.wronglyDropped + found.wronglyPassed + found.uncounted === 0;
	};
	await eventually("a clean firewall", clean);
	expect(await drift()).toBeGreaterThan(before);
	expect(await daemon.get("/readyz").then((response) => response.status)).toBe(200);
	const { state, elements } = (await daemon.status()).enforcers.network;
	expect({ state, whole: elements > 5000 }).toEqual({ state: "active", whole: true });
});
