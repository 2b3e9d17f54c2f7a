/** Protocols without ports, types of ICMP and source ports, asked with real packets over both forms of ruleset. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { block, documents, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { type Probe, Prober } from "../support/probe.ts";

const four = "10.1.0.10";
const six = "2001:db8:a::10";

type Packet = Omit<Probe, "direction" | "remote">;
const echo: Packet = { protocol: "icmp" };
const echo6: Packet = { protocol: "icmpv6" };
const timestamp: Packet = { protocol: "icmp", icmp: { type: 13 } };
const nodeQuery: Packet = { protocol: "icmpv6", icmp: { type: 139 } };
const gre: Packet = { protocol: 47 };
const vrrp: Packet = { protocol: 112 };
const ospf: Packet = { protocol: 89 };
const experimental: Packet = { protocol: 253 };

// Without ports there is one flow for each pair of hosts: what went one way makes the other way a reply. So VRRP and
// 254 only ever leave here, and the others only ever come.
const outward: Packet = { protocol: 254 };
const web: Packet = { protocol: "tcp", port: 80 };
const udp = (sourcePort: number, port = 40_000): Packet => ({ protocol: "udp", sourcePort, port });
const tcp = (sourcePort: number, port = 40_000): Packet => ({ protocol: "tcp", sourcePort, port });

/** Packets of a direction to or from some hosts. */
function each(
	direction: Probe["direction"],
	remotes: readonly string[],
	...packets: readonly Packet[]
): Probe[] {
	return remotes.flatMap((remote) => packets.map((packet) => ({ direction, remote, ...packet })));
}

interface Case {
	readonly name: string;
	readonly policies: string;
	readonly pass: readonly Probe[];
	readonly drop: readonly Probe[];
}

const ports = (...entries: readonly Readonly<Record<string, unknown>>[]) => ({ ports: entries });

const cases: readonly Case[] = [
	{
		name: "ping alone is let in",
		policies: policy("monitoring-ping", {
			action: "Allow",
			ingress: [{ from: [block("10.1.0.0/24")], ...ports({ protocol: "ICMP" }) }],
		}),
		pass: [...each("ingress", [four], echo, timestamp), ...each("egress", [four, six], web, vrrp)],
		drop: [
			...each("ingress", [four, six], web, gre, udp(53)),
			...each("ingress", ["10.2.0.10"], echo),
			...each("ingress", [six], echo6),
		],
	},
	{
		name: "ICMP is IPv4's, and ICMPv6 is IPv6's",
		policies: policy("p", {
			action: "Block",
			ingress: [ports({ protocol: "ICMP" })],
			egress: [ports({ protocol: 58 })],
		}),
		pass: [
			...each("ingress", [six], echo6, nodeQuery, web),
			...each("egress", [four], echo, web),
			...each("ingress", [four], web, gre),
		],
		drop: [...each("ingress", [four], echo, timestamp), ...each("egress", [six], echo6, nodeQuery)],
	},
	{
		name: "a type carves an exception out of its protocol, and a protocol out of everything",
		policies: documents(
			policy("echo", {
				action: "Allow",
				ingress: [
					ports({ protocol: "ICMP", icmpType: "echo-request" }, { protocol: "ICMPv6", icmpType: 128 }),
				],
			}),
			policy("icmp", {
				action: "Block",
				ingress: [ports({ protocol: "ICMP" }, { protocol: "ICMPv6" })],
			}),
			policy("ospf", { action: "Allow", ingress: [ports({ protocol: "OSPF" })] }),
			policy("rest", { action: "Block", ingress: [{}] }),
		),
		pass: [
			...each("ingress", [four], echo, ospf),
			...each("ingress", [six], echo6, ospf),
			...each("egress", [four], timestamp),
		],
		drop: [
			...each("ingress", [four], timestamp, gre, web),
			...each("ingress", [six], nodeQuery, experimental, web),
		],
	},
	{
		name: "protocols by name and number, in both directions",
		policies: policy("p", {
			action: "Block",
			ingress: [ports({ protocol: "GRE" }, { protocol: "253" })],
			egress: [{ to: [block("10.1.0.0/24")], ...ports({ protocol: 112 }) }],
		}),
		pass: [
			...each("ingress", [four, six], ospf, web),
			...each("egress", [four], outward),
			...each("egress", ["10.2.0.10", six], vrrp),
		],
		drop: [...each("ingress", [four, six], gre, experimental), ...each("egress", [four], vrrp)],
	},
	{
		name: "many protocols at once",
		policies: policy("p", {
			action: "Block",
			ingress: [ports(...[47, 50, 89, 112, 253, 254].map((protocol) => ({ protocol })), { protocol: "TCP" })],
		}),
		pass: [...each("ingress", [four, six], udp(53), { protocol: 252 }), ...each("ingress", [four], echo)],
		drop: each("ingress", [four, six], gre, ospf, experimental, web),
	},
	{
		name: "answers that come from a port of their own (SSDP), and nothing else",
		policies: policy("ssdp", {
			action: "Allow",
			ingress: [ports({ protocol: "UDP", sourcePort: 1900, sourceEndPort: 1901 })],
		}),
		pass: each("ingress", [four, six], udp(1900), udp(1901, 5), udp(1900, 1900)),
		drop: [
			...each("ingress", [four, six], udp(1899), udp(1902), udp(40_000, 1900), tcp(1900), gre),
			...each("ingress", [four], echo),
		],
	},
	{
		name: "a source and a destination port carve an exception; where they merely overlap, the stricter wins",
		policies: documents(
			policy("both", { action: "Allow", ingress: [ports({ protocol: "UDP", sourcePort: 67, port: 8067 })] }),
			policy("destination", {
				action: "Block",
				ingress: [ports({ protocol: "UDP", port: 8000, endPort: 8099 })],
			}),
			policy("source", { action: "Allow", ingress: [ports({ protocol: "UDP", sourcePort: 68 })] }),
			policy("hosts", { action: "Allow", ingress: [{}] }),
		),
		pass: each("ingress", [four, six], udp(67, 8067), udp(68, 9000), udp(40_000, 9000)),
		drop: each("ingress", [four, six], udp(66, 8067), udp(67, 8066), udp(68, 8067), udp(68, 8000)),
	},
	{
		name: "a narrower block of addresses overlaps with a type, and the stricter wins",
		policies: documents(
			policy("echo", { action: "Allow", ingress: [ports({ protocol: "ICMP", icmpType: 8 })] }),
			policy("guests", { action: "Block", ingress: [{ from: [block("10.1.0.0/24")] }] }),
		),
		pass: each("ingress", ["10.2.0.10"], echo),
		drop: [...each("ingress", [four], echo, web), ...each("ingress", ["10.2.0.10"], timestamp, web)],
	},
];

describe.each(["concatenated", "nested"])("%s ruleset", (rulesetForm) => {
	let lab: Lab;
	let prober: Prober;
	let daemon: Daemon;

	beforeAll(async () => {
		lab = await Lab.create(["eth0"]);
		prober = new Prober(lab);
		daemon = await Daemon.start(lab.guarded, {
			policies: { "case.yaml": "# none yet\n" },
			config: {
				rulesetForm,
				failsafe: { ingress: [{ protocol: "ICMP", icmpType: 8, cidr: "203.0.113.7" }, { protocol: "ESP" }] },
			},
		});
	});
	afterAll(async () => {
		await daemon[Symbol.asyncDispose]();
		prober[Symbol.dispose]();
		lab[Symbol.dispose]();
	});

	/** Enforces the policies; each case has a name of its own, so its text is a new one. */
	async function enforce(name: string, policies: string): Promise<void> {
		await daemon.after(() => daemon.home.put("case.yaml", `# ${name}\n${policies}`));
		expect((await daemon.status()).policies.filter((found) => !found.enforced)).toEqual([]);
	}

	test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, { policies, pass, drop }) => {
		await enforce(name, policies);
		expect((await prober.table(pass)).filter((row) => row.endsWith("dropped"))).toEqual([]);
		expect((await prober.table(drop)).filter((row) => row.endsWith("passed"))).toEqual([]);
	});

	test("a Block of ICMP cuts no path-MTU discovery", async () => {
		const everything = ports({ protocol: "ICMP" }, { protocol: "ICMPv6" });
		await enforce("errors", policy("p", { action: "Block", ingress: [everything], egress: [everything] }));
		const peers = [
			["203.0.113.1", "icmp", { type: 3, code: 4 }],
			["2001:db8:113::1", "icmpv6", { type: 2 }],
		] as const;
		for (const [remote, protocol, icmp] of peers) {
			const flow: Probe = { direction: "egress", protocol: "udp", remote, port: 7, sourcePort: 40_000 };
			const router = remote.includes(":") ? six : four;
			const quote = { from: 40_000, to: remote, port: 7 };
			expect(
				await prober.send([
					flow,
					{ direction: "ingress", protocol, remote: router, icmp, quote },
					{ direction: "ingress", protocol, remote: router },
				]),
			).toEqual([true, true, false]);
		}
	});

	test("failsafe rules name types and protocols, and are told in the status", async () => {
		await enforce("failsafe", policy("p", { action: "Block", ingress: [{}] }));
		const passing = [
			...each("ingress", ["203.0.113.7"], echo),
			...each("ingress", [four, six], { protocol: 50 }),
		];
		const dropped = [
			...each("ingress", ["203.0.113.7"], timestamp, web),
			...each("ingress", [four], echo, gre),
		];
		expect((await prober.table(passing)).filter((row) => row.endsWith("dropped"))).toEqual([]);
		expect((await prober.table(dropped)).filter((row) => row.endsWith("passed"))).toEqual([]);
		await eventually("the count", async () => {
			const { failsafe } = (await daemon.status()).enforcers.network;
			return failsafe[0]?.packets === 1 && failsafe[1]?.packets === 2;
		});
		expect((await daemon.status()).enforcers.network.failsafe).toMatchObject([
			{ protocol: "icmp", icmpType: "echo-request", cidr: "203.0.113.7/32", port: null },
			{ protocol: "esp", icmpType: null, cidr: null, port: null },
		]);
	});

	test("alerts name the protocol", async () => {
		await enforce("alerts", policy("tunnel", { action: "Block", ingress: [ports({ protocol: "GRE" })] }));
		expect(await prober.send(each("ingress", ["10.9.0.9"], gre))).toEqual([false]);
		await eventually("the alert", () =>
			daemon.alerts.some(
				({ PolicyName, EventData }) =>
					PolicyName === "tunnel" && EventData.Protocol === "GRE" && EventData.SourceIP === "10.9.0.9",
			),
		);
	});
});
