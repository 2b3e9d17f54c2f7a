/**
 * Random policies, some of which hold for guests alone or for the host alone, and real packets that the host forwards to
 * and from a guest, or is sent itself: each must meet the verdict of the brute-force oracle and be counted at its rule,
 * whether its destination was translated or not, and in both forms of ruleset.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan, RulesetForm } from "../../../src/enforcers/network/compile/plan.ts";
import { hashFrom } from "../../../src/enforcers/network/compile/render/hashable.ts";
import {
	failsafes,
	holdingFor,
	packets,
	scoped,
	scopedSets,
} from "../../enforcers/network/compile/generate.ts";
import { suffixPackets, suffixSets } from "../../enforcers/network/compile/generate-suffixes.ts";
import { judge, type OracleOptions, type OraclePacket } from "../../enforcers/network/compile/oracle.ts";
import { GuestLab } from "../support/guest-lab.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { addressText, countersOf, freshTracking, routable } from "./property-support.ts";

const table = "kubearmor";
const interfaces = ["eth0", "eth1", "eth", "eth9", "e", "wlan0", "x"];
const runs = Number(process.env.PORTWARD_PROPERTY_RUNS ?? 40);
const packetsPerRun = 400;

/** Ports that packets are sent to. Each is published as the next, so that who reads the wrong one judges wrongly. */
const ports = [1, 19, 20, 22, 23, 25, 26, 79, 80, 81, 443, 444, 1023, 1024, 65535];

/** How a packet is seen: by the host itself, or forwarded. */
type Way = "host" | "direct" | "published";

interface Sent {
	readonly packet: OraclePacket;
	readonly way: Way;
}

interface Bench {
	readonly form: RulesetForm;
	readonly hashFrom: number;
	readonly lab: GuestLab;
	readonly host: Prober;
	readonly guest: Prober;
	readonly kernel: KernelTable;
}

const benches: Bench[] = [];

beforeAll(async () => {
	const kinds = [
		{ form: "concatenated", hashFrom },
		{ form: "concatenated", hashFrom: 1 },
		{ form: "nested", hashFrom },
	] as const;
	for (const kind of kinds) {
		const lab = await GuestLab.create(interfaces);
		lab.lab.guarded.nft(publishing(lab));
		benches.push({
			...kind,
			lab,
			host: new Prober(lab.lab),
			guest: new Prober(lab.lab, lab.via),
			kernel: kernelTable(lab.lab.guarded, table),
		});
	}
});
afterAll(() => {
	for (const { lab, host, guest } of benches) {
		host[Symbol.dispose]();
		guest[Symbol.dispose]();
		lab[Symbol.dispose]();
	}
});

/**
 * As an engine publishes ports, and lets guests out by other addresses: one for each, as without ports two flows to one
 * remote end would be the same.
 */
function publishing(lab: GuestLab): string {
	const { address4, address6 } = lab.published;
	const rules = (["ip", "ip6"] as const).flatMap((family) => {
		const to = family === "ip" ? address4 : address6;
		const guest = lab.behind(family === "ip" ? 4 : 6);
		const shown = family === "ip" ? guest : `[${guest}]`;
		return [
			...ports.map((port, i) => {
				const next = ports[(i + 1) % ports.length];
				return `${family} daddr ${to} meta l4proto { tcp, udp, sctp } th dport ${port} dnat ${family} to ${shown}:${next}`;
			}),
			`${family} daddr ${to} dnat ${family} to ${guest}`,
		];
	});
	const leaving = lab.lab.links.flatMap((link, i) => [
		`ip saddr ${lab.source(4, link)} snat ip to 198.19.1.${i}`,
		`ip6 saddr ${lab.source(6, link)} snat ip6 to fd99:19:1::${i}`,
	]);
	return `table inet engine {
		chain pre { type nat hook prerouting priority dstnat; ${rules.join("; ")}; }
		chain post { type nat hook postrouting priority srcnat; ${leaving.join("; ")}; }
	}`;
}

function toProbe(lab: GuestLab, { packet, way }: Sent): Probe {
	const { protocol, source, direction, family } = packet;
	const icmp = protocol === 1 || protocol === 58;
	const link = lab.lab.link(packet.interface);
	const local = {
		host: undefined,
		direct: direction === "ingress" ? lab.address(family) : lab.source(family, link),
		published: family === 4 ? lab.published.address4 : lab.published.address6,
	}[way];
	return {
		direction,
		// Without ports there is one flow for each pair of hosts: each direction has its own number.
		protocol: protocol ?? (direction === "ingress" ? 251 : 252),
		...(icmp && source !== null ? { icmp: { type: source } } : {}),
		...(!icmp && source !== null ? { sourcePort: source } : {}),
		...(local === undefined ? {} : { local }),
		remote: addressText(family, packet.address),
		port: packet.port,
		interface: packet.interface,
	};
}

/** What rules count: all packets by the rule's counter, and those that are forwarded once more by another. */
function expectedCounts(
	plan: NetworkPlan,
	judged: readonly (Sent & { verdict: ReturnType<typeof judge> })[],
) {
	const all = new Map<string, number>();
	const forwarded = new Map<string, number>();
	const more = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
	for (const { packet, way, verdict } of judged) {
		const same = (rule: { readonly index: number; readonly direction: string }) =>
			rule.index === verdict.index && rule.direction === packet.direction;
		const failsafe = plan.failsafe.find((rule) => verdict.policy === "Failsafe" && same(rule));
		if (failsafe !== undefined) more(all, failsafe.counter);
		const rule = plan.rules.find((one) => one.policy === verdict.policy && same(one));
		if (rule === undefined) continue;
		more(all, rule.counter);
		if (way !== "host" && rule.forwardedCounter !== undefined) more(forwarded, rule.forwardedCounter);
	}
	return { all, forwarded };
}

/** Some name ends of IPv6 addresses. */
const sets = fc.oneof({ weight: 2, arbitrary: scopedSets }, { weight: 1, arbitrary: scoped(suffixSets) });
const anyPackets = fc.oneof({ weight: 2, arbitrary: packets }, { weight: 1, arbitrary: suffixPackets });
const ways = fc.constantFrom<Way>("host", "direct", "published", "published");
let generation = 0;

test("every packet meets the oracle's verdict and is counted at the oracle's rule", async () => {
	await fc.assert(
		fc.asyncProperty(
			sets,
			fc.noShrink(fc.nat()),
			fc.constantFrom("audit" as const, "block" as const),
			failsafes,
			fc.constantFrom("enforce" as const, "enforce" as const, "audit" as const),
			async (policies, seed, posture, failsafe, mode) => {
				const options: OracleOptions = { posture, allowlistScope: "direction", failsafe };
				const judged = fc
					.sample(fc.record({ packet: anyPackets, way: ways }), { seed, numRuns: packetsPerRun })
					.filter(({ packet }) => routable(packet))
					// Nobody translates where guests send to; that is what "published" means.
					.map(({ packet, way }) => ({
						packet,
						way: way === "published" && packet.direction === "egress" ? ("direct" as const) : way,
					}))
					.map((sent) => ({
						...sent,
						verdict: judge(
							holdingFor(policies, sent.way === "host" ? "host" : "guests"),
							options,
							sent.packet,
						),
					}));
				for (const bench of benches) {
					generation++;
					const compiled = compileNetwork(policies, {
						epoch: `e${generation}`,
						form: bench.form,
						hashFrom: bench.hashFrom,
						posture,
						allowlistScope: "direction",
						failsafe,
						essentials: true,
						guests: { forwarded: mode, interfaces: [], uplinks: [] },
						nflogGroup: 4242,
						maxElements: 1_000_000,
						logLimit: { rate: 500, burst: 1000 },
					});
					if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
					freshTracking(bench.lab.lab.guarded, generation);
					expect(bench.kernel.apply(compiled.plan)).toMatchObject({ ok: true });
					expect(bench.kernel.collect()).toBe("");
					const before = countersOf(bench.lab.lab.guarded, table);
					for (const [prober, own] of [
						[bench.host, judged.filter(({ way }) => way === "host")],
						[bench.guest, judged.filter(({ way }) => way !== "host")],
					] as const) {
						const passed = await prober.send(own.map((sent) => toProbe(bench.lab, sent)));
						const wrong = own.flatMap((sent, i) => {
							const spared = mode === "audit" && sent.way !== "host";
							const accepts = spared || sent.verdict.action !== "Block";
							const told = { form: bench.form, hashFrom: bench.hashFrom, way: sent.way };
							return passed[i] === accepts
								? []
								: [{ ...told, ...toProbe(bench.lab, sent), verdict: sent.verdict }];
						});
						// The first few tell enough.
						expect(wrong.slice(0, 3)).toEqual([]);
					}
					const after = countersOf(bench.lab.lab.guarded, table);
					const grown = (names: readonly string[]) =>
						new Map(
							names
								.map((name) => [name, (after.get(name) ?? 0) - (before.get(name) ?? 0)] as const)
								.filter(([, counted]) => counted > 0),
						);
					const { plan } = compiled;
					const expected = expectedCounts(plan, judged);
					expect(grown([...plan.rules, ...plan.failsafe].map(({ counter }) => counter))).toEqual(
						expected.all,
					);
					// What a map counts and accepts at once is counted with the host's.
					if (bench.hashFrom !== 1)
						expect(grown(plan.rules.flatMap((rule) => rule.forwardedCounter ?? []))).toEqual(
							expected.forwarded,
						);
				}
			},
		),
		{ numRuns: runs, interruptAfterTimeLimit: 120_000, markInterruptAsFailure: false },
	);
}, 300_000);
