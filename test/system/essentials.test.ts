/** What a host must receive and send whatever the policies say, under policies that drop everything else. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { block, policy } from "./support/case.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually, Lab } from "./support/netns.ts";
import { type Probe, Prober } from "./support/probe.ts";
import { connects } from "./support/traffic.ts";

/** Both directions in allowlist mode, with nobody on the list that these tests send from or to. */
const closed = {
	"closed.yaml": policy("closed", {
		action: "Allow",
		ingress: [{ from: [block("203.0.113.1/32")] }],
		egress: [{ to: [block("203.0.113.1/32")] }],
	}),
};

let lab: Lab;
let prober: Prober;

let daemon: Daemon;

/** A lab of its own for each ruleset: what passed before is established. */
async function guard(config: Readonly<Record<string, unknown>>): Promise<void> {
	lab = await Lab.create();
	prober = new Prober(lab);
	lab.guarded.run(["ip", "-6", "address", "add", `${own}/64`, "dev", "eth0", "nodad"]);
	daemon = await Daemon.start(lab.guarded, { policies: closed, config });
}

async function leave(): Promise<void> {
	await daemon[Symbol.asyncDispose]();
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
}

const both = (probe: Omit<Probe, "direction">): Probe[] => [
	{ direction: "ingress", ...probe },
	{ direction: "egress", ...probe },
];
const icmp6 = (type: number, remote: string, hopLimit: number) =>
	both({ protocol: "icmpv6", remote, hopLimit, icmp: { type } });
const icmp4 = (type: number, code = 0) =>
	both({ protocol: "icmp", remote: "10.1.0.10", icmp: { type, code } });

const own = "fe80::1234";
const neighbour = "fe80::5678";

/** RFC 4861, 3810, 4890; RFC 1122; RFC 2131 and 8415. */
const essential: Readonly<Record<string, readonly Probe[]>> = {
	"neighbour and router discovery": [133, 134, 135, 136, 137].flatMap((type): Probe[] => {
		const probe = { protocol: "icmpv6", hopLimit: 255, icmp: { type } } as const;
		return [
			{ direction: "ingress", remote: neighbour, ...probe },
			{ direction: "egress", remote: "ff02::1", local: own, ...probe },
		];
	}),
	"neighbour discovery from a global address": [135, 136].flatMap((type) => icmp6(type, "fd98:18:0::2", 255)),
	"multicast listener queries": [
		{ direction: "ingress", protocol: "icmpv6", remote: neighbour, hopLimit: 1, icmp: { type: 130 } },
	],
	"multicast listener reports": [131, 132, 143].map(
		(type): Probe => ({
			direction: "egress",
			protocol: "icmpv6",
			local: own,
			remote: "ff02::16",
			hopLimit: 1,
			icmp: { type },
		}),
	),
	"IPv6 errors, packet too big among them": [1, 2, 3, 4].flatMap((type) => icmp6(type, "2001:db8::9", 64)),
	"IPv4 errors, fragmentation needed among them": [
		...icmp4(3, 1),
		...icmp4(3, 3),
		...icmp4(3, 4),
		...icmp4(11),
		...icmp4(12),
	],
	"the DHCPv4 client": [
		{ direction: "egress", protocol: "udp", remote: "10.1.0.10", port: 67, sourcePort: 68 },
		{ direction: "ingress", protocol: "udp", remote: "10.1.0.10", port: 68, sourcePort: 67 },
	],
	"the DHCPv6 client": [
		{ direction: "egress", protocol: "udp", local: own, remote: "ff02::1:2", port: 547, sourcePort: 546 },
		{ direction: "ingress", protocol: "udp", remote: neighbour, port: 546, sourcePort: 547 },
	],
};

const other: Readonly<Record<string, readonly Probe[]>> = {
	"neighbour discovery that a router forwarded": [133, 134, 135, 136, 137].flatMap((type) =>
		icmp6(type, "2001:db8::9", 254),
	),
	"multicast listener reports from beyond the link": icmp6(143, "2001:db8::9", 1),
	pings: [...icmp4(8), ...icmp6(128, "2001:db8::9", 64)],
	"redirects and timestamps of IPv4": [...icmp4(5), ...icmp4(13)],
	"the ports of DHCP the wrong way round": [
		{ direction: "ingress", protocol: "udp", remote: "10.1.0.10", port: 67, sourcePort: 68 },
		{ direction: "egress", protocol: "udp", remote: "10.1.0.10", port: 68, sourcePort: 67 },
		{ direction: "ingress", protocol: "udp", remote: neighbour, port: 547, sourcePort: 546 },
	],
	"DHCPv6 from beyond the link": [
		{ direction: "ingress", protocol: "udp", remote: "2001:db8::9", port: 546, sourcePort: 547 },
	],
};

const outcome = async (probes: readonly Probe[], passes: boolean) => {
	const table = await prober.table(probes);
	const expected = table.map((row) => row.replace(/(passed|dropped)$/u, passes ? "passed" : "dropped"));
	expect(table).toEqual(expected);
};

async function loopbackPasses(): Promise<void> {
	for (const address of ["127.0.0.1", "127.9.9.9", "::1", "198.18.0.1", "fd98:18:0::1"]) {
		expect(await connects(lab.guarded, lab.guarded, address, 7000)).toBe(true);
	}
}

describe.each(["concatenated", "nested"])("under a default of drop, %s", (rulesetForm) => {
	beforeAll(() => guard({ rulesetForm }));
	afterAll(leave);

	test.each(Object.entries(essential))("%s pass", async (_, probes) => outcome(probes, true));
	test.each(Object.entries(other))("%s do not", async (_, probes) => outcome(probes, false));

	test("what passes so is told in the status", async () => {
		const response = await daemon.get("/v1/status");
		expect(await response.json()).toMatchObject({ enforcers: { network: { essentials: true } } });
	});

	test("loopback passes", () => loopbackPasses());

	test("what connection tracking finds invalid is dropped and counted", async () => {
		const invalid = async () =>
			(await daemon.metrics()).get('portward_invalid_packets_total{direction="ingress"}') ?? 0;
		const before = await invalid();
		// An echo reply that nobody asked for.
		const reply = {
			direction: "ingress",
			protocol: "icmp",
			remote: "203.0.113.1",
			icmp: { type: 0 },
		} as const;
		expect(await prober.send([reply])).toEqual([false]);
		await eventually("the count", async () => (await invalid()) === before + 1);
	});
});

describe("without essentials", () => {
	beforeAll(() => guard({ essentials: false }));
	afterAll(leave);

	test("none of it passes, but loopback does", async () => {
		await outcome(Object.values(essential).flat(), false);
		await loopbackPasses();
		const response = await daemon.get("/v1/status");
		expect(await response.json()).toMatchObject({ enforcers: { network: { essentials: false } } });
	});
});
