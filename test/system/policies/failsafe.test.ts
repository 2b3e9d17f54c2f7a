/** Failsafe flows pass whatever the policies say; nothing else does. Real packets, both forms of ruleset. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { parseConfig } from "../../../src/config/parse.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import { compileOptions } from "../../../src/enforcers/network/run/compile-options.ts";
import { policy as compiledPolicy, rule } from "../../enforcers/network/compile/build.ts";
import { block, cross, expand, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { kernelTable } from "../support/nft.ts";
import { Prober } from "../support/probe.ts";
import { Conversation } from "../support/traffic.ts";

const failsafe = {
	ingress: [
		{ protocol: "TCP", cidr: "10.1.0.0/16", port: 22 },
		{ protocol: "UDP", cidr: "2001:db8:a::/48", port: "500-510" },
		{ protocol: "TCP", port: 9443, interface: "eth0" },
	],
	egress: [{ protocol: "UDP", port: 53 }, { cidr: "192.0.2.53" }],
};

const pass = [
	...cross("ingress tcp 10.1.0.0|10.1.255.255 22", "ingress udp 2001:db8:a::1|2001:db8:a:ffff::1 500|510"),
	...cross("ingress tcp 10.9.0.1|2001:db8:9::1 9443 eth0"),
	...cross("egress udp 10.9.0.1|2001:db8:9::1 53", "egress tcp|udp|sctp 192.0.2.53 1|80"),
	"egress icmp 192.0.2.53",
];
const drop = [
	...cross("ingress tcp 10.0.255.255|10.2.0.0|2001:db8:a::1 22", "ingress udp|sctp 10.1.0.1 22"),
	...cross("ingress tcp 10.1.0.1 21|23", "egress tcp 10.1.0.1 22"),
	...cross(
		"ingress udp 2001:db8:b::1 500",
		"ingress udp 2001:db8:a::1 499|511",
		"ingress tcp 2001:db8:a::1 505",
	),
	...cross("ingress tcp 10.9.0.1|2001:db8:9::1 9443 eth1"),
	...cross("egress tcp 10.9.0.1|2001:db8:9::1 53", "ingress udp 10.9.0.1 53", "egress tcp 192.0.2.54 80"),
	"ingress icmp 10.1.0.1",
];

const blockAll = policy("closed", { action: "Block", ingress: [{}], egress: [{}] });
const allowNothing = policy("nobody", {
	action: "Allow",
	ingress: [{ from: [block("203.0.113.1/32")] }],
	egress: [{ to: [block("203.0.113.1/32")] }],
});

let lab: Lab;
let prober: Prober;
beforeEach(async () => {
	lab = await Lab.create(["eth0", "eth1"]);
	prober = new Prober(lab);
});
afterEach(() => {
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

/** Every probe, and what became of it where that was wrong. */
async function wrong(expectation: { pass: readonly string[]; drop: readonly string[] }): Promise<string[]> {
	const { lines, probes, passes } = expand(expectation);
	const passed = await prober.send(probes);
	return lines.filter((_line, index) => passed[index] !== passes[index]);
}

describe.each(["concatenated", "nested"] as const)("%s", (rulesetForm) => {
	for (const [name, text] of Object.entries({
		"a Block of everything": blockAll,
		"the posture": allowNothing,
	})) {
		test(`under ${name}, also after a flush`, async () => {
			await using daemon = await Daemon.start(lab.guarded, {
				policies: { "a.yaml": text },
				config: { failsafe, rulesetForm },
			});
			expect(await wrong({ pass, drop })).toEqual([]);
			lab.guarded.run(["nft", "flush", "ruleset"]);
			await eventually("the repair", () => daemon.log.includes("the table is restored"));
			expect(await wrong({ pass, drop })).toEqual([]);
		});
	}
});

test("they are counted, logged nowhere, and follow the settings on SIGHUP", async () => {
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "a.yaml": blockAll },
		config: { failsafe },
	});
	await prober.send(expand({ pass: cross("ingress tcp 10.1.0.1 22", "egress udp 10.9.0.1 53") }).probes);
	const counted = await eventually("the counters", async () => {
		const rules = (await daemon.status()).enforcers.network.failsafe;
		return rules.some(({ packets }) => packets > 0) ? rules : null;
	});
	expect(counted).toMatchObject([
		{ direction: "ingress", index: 0, protocol: "tcp", cidr: "10.1.0.0/16", port: "22", packets: 1 },
		{ direction: "ingress", index: 1, packets: 0 },
		{ direction: "ingress", index: 2, interface: "eth0", packets: 0 },
		{ direction: "egress", index: 0, protocol: "udp", cidr: null, port: "53", packets: 1 },
		{ direction: "egress", index: 1, packets: 0 },
	]);
	expect(counted[0]?.bytes).toBeGreaterThanOrEqual(40);
	const labels = 'direction="ingress",index="0",protocol="tcp",cidr="10.1.0.0/16",port="22",interface="any"';
	expect((await daemon.metrics()).get(`portward_failsafe_packets_total{${labels}}`)).toBe(1);
	expect(daemon.alerts).toEqual([]);
	await daemon.after(() => {
		const settings = { policyDir: daemon.home.policies, stateDir: daemon.home.state };
		const status = { address: `unix:${daemon.home.socket}` };
		const only = { ingress: [{ protocol: "TCP", port: 80 }] };
		writeFileSync(daemon.home.config, JSON.stringify({ ...settings, status, failsafe: only }));
		daemon.signal("SIGHUP");
	});
	expect(await wrong({ pass: ["ingress tcp 10.9.0.1 80"], drop: pass })).toEqual([]);
	expect((await daemon.status()).enforcers.network.failsafe).toMatchObject([{ port: "80" }]);
});

test("packets that belong to no flow stay dropped", async () => {
	lab.guarded.sysctl({ "netfilter/nf_conntrack_tcp_loose": "0" });
	await using _daemon = await Daemon.start(lab.guarded, {
		policies: { "a.yaml": blockAll },
		config: { failsafe },
	});
	const base = { direction: "ingress", protocol: "tcp", remote: "10.1.0.1", port: 22 } as const;
	expect(await prober.send([{ ...base, ack: true, sourcePort: 4000 }, base])).toEqual([false, true]);
});

test("the deny guard lets them pass while the policies are not back yet", async () => {
	const parsed = parseConfig("config.yaml", JSON.stringify({ failsafe }));
	if (!parsed.ok) throw new Error("the settings are wrong");
	const allow = rule("Allow", { peers: ["203.0.113.1/32"] });
	const closed = { ...compiledPolicy("nobody", allow), egress: [allow] };
	const compiled = compileNetwork([closed], compileOptions(parsed.config, "e1", "concatenated"));
	if (!compiled.ok) throw new Error("the policies do not compile");
	const { plan } = compiled;
	const kernel = kernelTable(lab.guarded, "kubearmor");
	expect(kernel.apply(plan)).toMatchObject({ ok: true });
	lab.guarded.run(["nft", "flush", "ruleset"]);
	expect(kernel.guard(plan, true)).toMatchObject({ ok: true });
	expect(await wrong({ pass, drop })).toEqual([]);
	const counter = plan.failsafe[0]?.counter ?? "";
	const counters = lab.guarded.run(["nft", "list", "counter", "inet", "kubearmor", counter]);
	expect(counters).toContain("packets 2 ");
	// The same counters go on when the plan is back.
	expect(kernel.apply({ ...plan })).toMatchObject({ ok: true });
	expect(kernel.collect()).toBe("");
	expect(lab.guarded.run(["nft", "list", "counter", "inet", "kubearmor", counter])).toBe(counters);
});

describe("open connections", () => {
	const reach = {
		ingress: [
			{ protocol: "TCP", port: 7000, interface: "eth0" },
			{ protocol: "UDP", port: 7000 },
		],
		egress: [{ protocol: "TCP", port: 7010 }],
	};

	test("that failsafe rules cover go on under a Block, the others end", async () => {
		// Picking a flow up in its middle must not be what saves it.
		lab.guarded.sysctl({ "netfilter/nf_conntrack_tcp_loose": "0" });
		await using daemon = await Daemon.start(lab.guarded, { config: { failsafe: reach } });
		const open = async (protocol: "tcp" | "udp", address: string, number: number) => {
			const conversation = await Conversation.open(lab.peer, lab.guarded, protocol, address, number);
			expect(await conversation.say(2000)).toBe("echo");
			return conversation;
		};
		using tcp4 = await open("tcp", lab.link("eth0").local4, 7000);
		using tcp6 = await open("tcp", lab.link("eth0").local6, 7000);
		using udp4 = await open("udp", lab.link("eth0").local4, 7000);
		using outward = await Conversation.open(lab.guarded, lab.peer, "tcp", lab.link("eth0").remote4, 7010);
		expect(await outward.say(2000)).toBe("echo");
		using other = await open("tcp", lab.link("eth0").local4, 7001);
		await daemon.after(() => daemon.home.put("a.yaml", blockAll));
		expect(await eventually("its end", async () => (await other.say(200)) !== "echo")).toBe(true);
		for (const conversation of [tcp4, tcp6, udp4, outward]) {
			expect(await conversation.serve(2000)).toBe("echo");
			expect(await conversation.say(2000)).toBe("echo");
		}
	});

	test("that were ended pass again once a failsafe rule covers them", async () => {
		await using daemon = await Daemon.start(lab.guarded);
		using conversation = await Conversation.open(lab.peer, lab.guarded, "udp", lab.link("eth0").local4, 7000);
		expect(await conversation.say(2000)).toBe("echo");
		await daemon.after(() => daemon.home.put("a.yaml", blockAll));
		await eventually("its end", async () => (await conversation.say(200)) === "silent");
		await daemon.after(() => {
			const settings = { policyDir: daemon.home.policies, stateDir: daemon.home.state };
			const status = { address: `unix:${daemon.home.socket}` };
			writeFileSync(daemon.home.config, JSON.stringify({ ...settings, status, failsafe: reach }));
			daemon.signal("SIGHUP");
		});
		expect(await eventually("an echo", async () => (await conversation.say(1000)) === "echo")).toBe(true);
	});
});
