/** What a host must receive and send whatever the policies say, under policies that drop everything else. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { block, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { connects } from "../support/traffic.ts";

/** Both directions in allowlist mode, with nobody on the list but the ends of two flows each. */
const closed = {
	"closed.yaml": policy("closed", {
		action: "Allow",
		ingress: [{ from: [block("203.0.113.2/32"), block("2001:db8:113::2/128")] }],
		egress: [{ to: [block("203.0.113.1/32"), block("2001:db8:113::1/128")] }],
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
	// A member of this group is asked about it.
	lab.guarded.run(["ip", "address", "add", "224.0.0.251/32", "dev", "eth0", "autojoin"]);
	// Nobody sends from or to groups otherwise, and the host answers none.
	lab.guarded.run(["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"]);
	daemon = await Daemon.start(lab.guarded, { policies: closed, config });
	const flows = [peer4, peer6].flatMap((remote): Probe[] => [
		{ direction: "egress", protocol: "udp", remote, port: known.port, sourcePort: known.from },
	]);
	for (const remote of [caller4, caller6])
		flows.push({ direction: "ingress", protocol: "udp", remote, port: heard.port, sourcePort: heard.from });
	expect(await prober.send(flows)).toEqual([true, true, true, true]);
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

/** Of the one host whose flows the policies allow. */
const peer4 = "203.0.113.1";
const peer6 = "2001:db8:113::1";
/** They may call, but nobody may call them. */
const caller4 = "203.0.113.2";
const caller6 = "2001:db8:113::2";
/** Routers on the way to it, which no policy names. */
const router4 = "10.1.0.10";
const router6 = "2001:db8::9";

/** Ports of UDP flows that `guard` begins: from this host, and to it. */
const known = { from: 40_000, port: 7 };
const heard = { from: 40_001, port: 7 };

/** An error from `remote` about a packet that this host, or for egress its peer, sent. */
function errorAbout(
	flow: { readonly from: number; readonly port: number },
	icmp: { readonly type: number; readonly code?: number },
	remote: string,
	hopLimit = 64,
): Probe {
	const six = remote.includes(":");
	return {
		direction: "ingress",
		protocol: six ? "icmpv6" : "icmp",
		remote,
		hopLimit,
		icmp,
		quote: { from: flow.from, to: six ? peer6 : peer4, port: flow.port },
	};
}

function igmpIn(local: string, hopLimit: number, type: number): Probe {
	return { direction: "ingress", protocol: 2, remote: router4, local, hopLimit, icmp: { type } };
}

/** RFC 4861, 3810, 4890; RFC 1122; RFC 2131 and 8415. */
const essential: Readonly<Record<string, readonly Probe[]>> = {
	"neighbour and router discovery": [133, 134, 135, 136].flatMap((type): Probe[] => {
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
	"IPv6 errors about a flow of this host, packet too big among them": [1, 2, 3, 4].map((type) =>
		errorAbout(known, { type }, router6),
	),
	"IPv4 errors about a flow of this host, fragmentation needed among them": [
		...[1, 3, 4].map((code) => errorAbout(known, { type: 3, code }, router4)),
		errorAbout(known, { type: 11 }, router4),
		errorAbout(known, { type: 12 }, router4),
	],
	"this host's own errors about what it was sent": [
		{
			direction: "egress",
			protocol: "icmp",
			remote: caller4,
			icmp: { type: 3, code: 3 },
			quote: { from: heard.from, to: "198.18.0.1", port: heard.port },
		},
		{
			direction: "egress",
			protocol: "icmpv6",
			remote: caller6,
			icmp: { type: 1, code: 4 },
			quote: { from: heard.from, to: "fd98:18:0::1", port: heard.port },
		},
	],
	"IGMP: queries, and own reports": [
		...["224.0.0.1", "224.0.0.251"].map(
			(local): Probe => ({
				direction: "ingress",
				protocol: 2,
				remote: router4,
				local,
				hopLimit: 1,
				icmp: { type: 0x11 },
			}),
		),
		...[0x12, 0x16, 0x17, 0x22].map(
			(type): Probe => ({
				direction: "egress",
				protocol: 2,
				remote: "224.0.0.22",
				hopLimit: 1,
				icmp: { type },
			}),
		),
	],
	"the DHCPv4 client": [
		{ direction: "egress", protocol: "udp", remote: "10.1.0.10", port: 67, sourcePort: 68 },
		{ direction: "ingress", protocol: "udp", remote: "10.1.0.10", port: 68, sourcePort: 67 },
	],
	"the DHCPv6 client": [
		{ direction: "egress", protocol: "udp", local: own, remote: "ff02::1:2", port: 547, sourcePort: 546 },
		{ direction: "ingress", protocol: "udp", remote: neighbour, local: own, port: 546, sourcePort: 547 },
	],
	"DHCPv6 answers from global and unique-local addresses, and from other source ports": [
		...["2001:db8::9", "fd98:18:9::1"].map(
			(remote): Probe => ({
				direction: "ingress",
				protocol: "udp",
				remote,
				local: own,
				port: 546,
				sourcePort: 547,
			}),
		),
		{
			direction: "ingress",
			protocol: "udp",
			remote: "2001:db8::9",
			local: own,
			port: 546,
			sourcePort: 40547,
		},
	],
};

const other: Readonly<Record<string, readonly Probe[]>> = {
	"neighbour discovery that a router forwarded": [133, 134, 135, 136, 137].flatMap((type) =>
		icmp6(type, "2001:db8::9", 254),
	),
	"multicast listener reports from beyond the link": icmp6(143, "2001:db8::9", 1),
	"redirects of IPv6": [...icmp6(137, "fd98:18:0::2", 255), errorAbout(known, { type: 137 }, neighbour, 255)],
	"redirects of IPv4, also about a flow of this host": [
		...icmp4(5),
		errorAbout(known, { type: 5, code: 1 }, router4),
	],
	"errors about flows that this host does not have": [
		...[1, 2, 3, 4].map((type) => errorAbout({ ...known, port: 9 }, { type }, router6)),
		...[3, 11, 12].map((type) => errorAbout({ ...known, port: 9 }, { type }, router4)),
		...[1, 2, 3, 4].flatMap((type) => icmp6(type, "2001:db8::9", 64)),
		...icmp4(3, 3),
		...icmp4(11),
	],
	"IGMP that is no query, or was sent to this host alone, or from beyond the link": [
		...[0x12, 0x16, 0x13].map((type) => igmpIn("224.0.0.1", 1, type)),
		igmpIn("198.18.0.1", 1, 0x11),
		igmpIn("224.0.0.1", 2, 0x11),
		{ direction: "egress", protocol: 2, remote: "224.0.0.22", hopLimit: 1, icmp: { type: 0x11 } },
		{ direction: "egress", protocol: 2, remote: "198.18.0.2", hopLimit: 1, icmp: { type: 0x16 } },
	],
	pings: [...icmp4(8), ...icmp6(128, "2001:db8::9", 64)],
	"timestamps of IPv4": [...icmp4(13)],
	"the ports of DHCP the wrong way round": [
		{ direction: "ingress", protocol: "udp", remote: "10.1.0.10", port: 67, sourcePort: 68 },
		{ direction: "egress", protocol: "udp", remote: "10.1.0.10", port: 68, sourcePort: 67 },
		{ direction: "ingress", protocol: "udp", remote: neighbour, port: 547, sourcePort: 546 },
	],
	"DHCPv6 to a global address": [
		{ direction: "ingress", protocol: "udp", remote: "2001:db8::9", port: 546, sourcePort: 547 },
		{ direction: "ingress", protocol: "udp", remote: neighbour, port: 546, sourcePort: 547 },
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
			(await daemon.metrics()).get('portward_invalid_packets_total{hook="input"}') ?? 0;
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
