/** The lab itself, against rulesets whose meaning is plain. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Lab } from "./netns.ts";
import { type Probe, Prober } from "./probe.ts";

let lab: Lab;
let prober: Prober;

beforeAll(async () => {
	lab = await Lab.create(["eth0", "eth1"]);
	prober = new Prober(lab);
});
afterAll(() => {
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

const families = ["203.0.113.7", "2001:db8:7::7"] as const;
const transports = ["tcp", "udp", "sctp"] as const;
const directions = ["ingress", "egress"] as const;

/** Every combination of direction, family, transport and interface. */
const everywhere: readonly Probe[] = directions.flatMap((direction) =>
	families.flatMap((remote) =>
		transports.flatMap((protocol) =>
			["eth0", "eth1"].map((name) => ({ direction, remote, protocol, port: 4000, interface: name })),
		),
	),
);

function load(chains: string): void {
	lab.guarded.nft(
		"add table inet lab\ndelete table inet lab\ntable inet lab {\n" +
			"chain in {\ntype filter hook input priority 0; policy accept;\niif lo accept\nct state invalid drop\n}\n" +
			"chain out {\ntype filter hook output priority 0; policy accept;\noif lo accept\n}\n}\n" +
			chains,
	);
}

describe("a packet of every kind", () => {
	test("passes an empty ruleset", async () => {
		load("");
		expect(await prober.send(everywhere)).toEqual(everywhere.map(() => true));
	});

	test("passes an empty ruleset as fragments and behind extension headers", async () => {
		load("");
		const variants = everywhere.flatMap((probe): Probe[] => [
			{ ...probe, fragments: true },
			...(probe.remote.includes(":")
				? [
						{ ...probe, extensions: ["hop-by-hop"] as const },
						{ ...probe, extensions: ["routing"] as const },
						{ ...probe, extensions: ["destination-options"] as const },
						{ ...probe, extensions: ["atomic-fragment"] as const },
						{ ...probe, extensions: ["hop-by-hop", "atomic-fragment"] as const },
						{ ...probe, extensions: ["hop-by-hop", "routing", "destination-options"] as const },
					]
				: []),
		]);
		expect((await prober.table(variants)).filter((row) => row.endsWith("dropped"))).toEqual([]);
	});

	test("is dropped by the rule that names it, and no other is", async () => {
		for (const hit of everywhere) {
			const [chain, address, interfaceMatch] =
				hit.direction === "ingress" ? ["in", "saddr", "iifname"] : ["out", "daddr", "oifname"];
			const family = hit.remote.includes(":") ? "ip6" : "ip";
			load(
				`add rule inet lab ${chain} ${interfaceMatch} ${hit.interface} ${family} ${address} ${hit.remote} ${hit.protocol} dport ${hit.port} drop\n`,
			);
			expect(await prober.send(everywhere)).toEqual(everywhere.map((probe) => probe !== hit));
		}
	});
});

test("ICMP echo requests pass and are dropped in both families", async () => {
	const echo: Probe[] = directions.flatMap((direction) => [
		{ direction, protocol: "icmp", remote: families[0] },
		{ direction, protocol: "icmpv6", remote: families[1] },
	]);
	load("");
	expect(await prober.send(echo)).toEqual([true, true, true, true]);
	load("add rule inet lab in meta l4proto { icmp, icmpv6 } drop\n");
	expect(await prober.send(echo)).toEqual([false, false, true, true]);
});

test("other protocols are seen by number", async () => {
	const gre: Probe[] = directions.map((direction) => ({ direction, protocol: 253, remote: families[0] }));
	load("");
	expect(await prober.send(gre)).toEqual([true, true]);
	load("add rule inet lab out meta l4proto 253 drop\n");
	expect(await prober.send(gre)).toEqual([true, false]);
});

test("ten thousand probes in one batch keep their order", async () => {
	load("add rule inet lab in udp dport 1-32767 drop\n");
	const probes: Probe[] = Array.from({ length: 10_000 }, (_, index) => ({
		direction: "ingress",
		protocol: "udp",
		remote: families[index % 2] ?? families[0],
		port: 1 + ((index * 7919) % 65_535),
	}));
	expect(await prober.send(probes)).toEqual(probes.map((probe) => (probe.port ?? 0) > 32_767));
});

test("the machine's own ruleset is another one", () => {
	expect(Bun.spawnSync(["nft", "list", "tables"]).stdout.toString()).not.toContain("table inet lab");
});
