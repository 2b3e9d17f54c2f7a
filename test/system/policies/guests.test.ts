/**
 * What is forwarded to and from guests, situation by situation. The guest is behind a bridge as engines make them; the
 * engine's part, translating addresses, is the test's.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { planText } from "../../../src/enforcers/network/apply/table-objects.ts";
import { guard } from "../../../src/enforcers/network/apply/transaction.ts";
import { knownUplinks } from "../../../src/enforcers/network/compile/guests.ts";
import { type CompileOptions, compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan } from "../../../src/enforcers/network/compile/plan.ts";
import { hashFrom } from "../../../src/enforcers/network/compile/render/hashable.ts";
import type { NetworkPolicy } from "../../../src/enforcers/network/model.ts";
import { script } from "../../../src/kernel/nftables/writer.ts";
import { policy, rule } from "../../enforcers/network/compile/build.ts";
import { bridge, GuestLab } from "../support/guest-lab.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { countersOf } from "./property-support.ts";

const table = "kubearmor";

let lab: GuestLab;
let guest: Prober;
let host: Prober;
/** The guest's end of its link, for what it asks of the host itself. */
let bridgeSide: Prober;

beforeAll(async () => {
	lab = await GuestLab.create(["eth0", "vmbr0x"]);
	const { address4, address6 } = lab.published;
	lab.lab.guarded.nft(`table inet engine {
		chain pre { type nat hook prerouting priority dstnat;
			ip daddr ${address4} tcp dport 15432 dnat ip to ${lab.behind(4)}:5433
			ip6 daddr ${address6} tcp dport 15432 dnat ip6 to [${lab.behind(6)}]:5433
		}
	}`);
	guest = new Prober(lab.lab, lab.via);
	host = new Prober(lab.lab);
	bridgeSide = new Prober(lab.bridgeSide);
});
afterAll(() => {
	for (const prober of [guest, host, bridgeSide]) prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

const enforced = { forwarded: "enforce", interfaces: [], uplinks: knownUplinks } as const;
const audited = { ...enforced, forwarded: "audit" } as const;

const withoutGuests: CompileOptions = {
	epoch: "t",
	form: "concatenated",
	hashFrom,
	posture: "block",
	allowlistScope: "direction",
	failsafe: { ingress: [], egress: [] },
	essentials: true,
	nflogGroup: 4242,
	maxElements: 1_000_000,
	logLimit: { rate: 500, burst: 1000 },
};

function compiled(
	policies: readonly NetworkPolicy[],
	options: CompileOptions = { ...withoutGuests, guests: enforced },
): NetworkPlan {
	const result = compileNetwork(policies, options);
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	return result.plan;
}

/** Makes it what packets meet. */
function load(policies: readonly NetworkPolicy[], more: Partial<CompileOptions> = {}): void {
	fresh(planText(compiled(policies, { ...withoutGuests, guests: enforced, ...more }), table));
}

/** Replaces the table. */
function fresh(text = ""): void {
	lab.lab.guarded.nft(`table inet ${table}\ndelete table inet ${table}\n${text}`);
}

const ingress = (name: string, ...text: Parameters<typeof rule>) => policy(name, rule(...text));
const egress = (name: string, ...text: Parameters<typeof rule>): NetworkPolicy => ({
	...policy(name),
	egress: [rule(...text)],
});

const published: Probe = { direction: "ingress", protocol: "tcp", remote: "203.0.113.2", port: 15432 };
const direct: Probe = { ...published, port: 5433 };

const to = {
	published: (probe: Probe = published): Probe => ({ ...probe, local: lab.published.address4 }),
	published6: (probe: Probe = published): Probe => ({
		...probe,
		remote: "2001:db8::2",
		local: lab.published.address6,
	}),
	direct: (probe: Probe = direct): Probe => ({ ...probe, local: lab.address(4) }),
};
const out = (port: number, protocol: Probe["protocol"] = "tcp"): Probe => {
	const [link] = lab.lab.links;
	if (link === undefined) throw new Error("no link");
	return { direction: "egress", protocol, remote: "203.0.113.9", port, local: lab.source(4, link) };
};

describe("a published port", () => {
	const rules = [
		ingress("db", "Allow", { peers: ["203.0.113.2/32", "2001:db8::2/128"], ports: ["tcp/15432"] }),
	];

	test("is judged by the port that the sender asked for, in both families", async () => {
		load(rules);
		const stranger = { ...published, remote: "203.0.113.3" };
		const stranger6 = { ...to.published6(), remote: "2001:db8::3" };
		expect(await guest.send([to.published(), to.published(stranger), to.published6(), stranger6])).toEqual([
			true,
			false,
			true,
			false,
		]);
	});

	test("is not opened by a rule about the guest's own port, and a direct route is", async () => {
		load([ingress("db", "Allow", { ports: ["tcp/5433"] })]);
		expect(await guest.send([to.published(), to.direct()])).toEqual([false, true]);
	});

	test("is the host's in the eyes of a policy that holds for guests, and not for the host", async () => {
		load([{ ...ingress("db", "Block", { ports: ["tcp/15432"] }), appliesTo: "guests" }]);
		expect(await guest.send([to.published()])).toEqual([false]);
		expect(await host.send([published])).toEqual([true]);
		load([{ ...ingress("db", "Block", { ports: ["tcp/15432"] }), appliesTo: "host" }]);
		expect(await guest.send([to.published()])).toEqual([true]);
		expect(await host.send([published])).toEqual([false]);
	});

	test("is judged though the way it came by is taken for a guest's, and what comes directly is the engine's", async () => {
		load(rules, { guests: { ...enforced, interfaces: [{ name: "eth0", prefix: false }] } });
		const stranger = { ...published, remote: "203.0.113.3" };
		expect(await guest.send([to.published(), to.published(stranger), to.direct()])).toEqual([
			true,
			false,
			true,
		]);
	});
});

describe("audit", () => {
	test("lets pass what is forwarded, counts it with the rule, and the host is closed all the same", async () => {
		load([ingress("ssh", "Allow", { ports: ["tcp/22"] })], {
			guests: audited,
		});
		const before = countersOf(lab.lab.guarded, table);
		expect(await guest.send([to.published(), to.direct()])).toEqual([true, true]);
		expect(await host.send([published])).toEqual([false]);
		const grown = [...countersOf(lab.lab.guarded, table)].filter(
			([name, packets]) => packets > (before.get(name) ?? 0),
		);
		// Both of the three that were forwarded are in the rule's own counter as well, and all were logged.
		expect(grown.map(([name, packets]) => [name.slice(0, 1), packets])).toEqual(
			expect.arrayContaining([
				["c", 3],
				["l", 3],
				["f", 2],
			]),
		);
	});

	test("judges no packet that belongs to no flow, and enforcing drops it", async () => {
		const stray: Probe = { ...direct, protocol: "icmp", icmp: { type: 0 } };
		load([ingress("ssh", "Allow", { ports: ["tcp/22"] })], {
			guests: audited,
		});
		expect(await guest.send([to.direct(stray)])).toEqual([true]);
		load([ingress("all", "Allow")]);
		expect(await guest.send([to.direct(stray)])).toEqual([false]);
	});
});

describe("guests' egress", () => {
	test("is judged as the host's", async () => {
		load([egress("dns", "Block", { ports: ["tcp/8053", "udp/53"] })]);
		expect(await guest.send([out(80), out(8053), out(53, "udp"), out(123, "udp")])).toEqual([
			true,
			false,
			false,
			true,
		]);
	});

	test("by an interface that a rule names", async () => {
		load([egress("eth0", "Block", { interfaces: ["eth0"], ports: ["tcp/25"] })]);
		const [, other] = lab.lab.links;
		if (other === undefined) throw new Error("no link");
		const elsewhere = { ...out(25), interface: other.name, local: lab.source(4, other) };
		expect(await guest.send([out(25), elsewhere])).toEqual([false, true]);
	});
});

describe("what guests need of this host", () => {
	const dns: Probe = { direction: "ingress", protocol: "udp", remote: "172.30.0.2", port: 53 };
	const dns6: Probe = { ...dns, remote: "fd30:0:0:1::2" };
	const dhcp: Probe = { ...dns, remote: "0.0.0.0", sourcePort: 68, port: 67, local: "255.255.255.255" };

	test("passes under any posture, by its bridge alone", async () => {
		load([ingress("ssh", "Allow", { ports: ["tcp/22"] })]);
		const elsewhere = { ...dns, remote: "203.0.113.2" };
		expect(
			await bridgeSide.send([dns, dns6, dhcp, { ...dns, protocol: "tcp" }, { ...dns, port: 54 }]),
		).toEqual([true, true, true, true, false]);
		expect(await host.send([elsewhere])).toEqual([false]);
	});

	test("not by an uplink, and not where essentials are off", async () => {
		load([ingress("ssh", "Allow", { ports: ["tcp/22"] })], {
			guests: { ...enforced, uplinks: [bridge] },
		});
		expect(await bridgeSide.send([dns])).toEqual([false]);
		load([ingress("ssh", "Allow", { ports: ["tcp/22"] })], { essentials: false });
		expect(await bridgeSide.send([dns])).toEqual([false]);
	});

	test("a proxy of this host reaches guests under an allow-list of egress, and not against a Block", async () => {
		const proxied: Probe = { direction: "egress", protocol: "tcp", remote: "172.30.0.2", port: 5432 };
		const allowed = egress("web", "Allow", { ports: ["tcp/443"] });
		load([allowed]);
		expect(await bridgeSide.send([proxied])).toEqual([true]);
		load([allowed, egress("db", "Block", { ports: ["tcp/5432"] })]);
		expect(await bridgeSide.send([proxied])).toEqual([false]);
	});
});

describe("what is between other hosts", () => {
	test("an uplink's guests are none: what is routed there is left alone, in both directions", async () => {
		load([ingress("all", "Block"), egress("none", "Block")], {
			guests: { ...enforced, uplinks: [bridge] },
		});
		expect(await guest.send([to.direct(), out(80)])).toEqual([true, true]);
	});

	test("an interface that the settings name has guests, though it is an uplink's", async () => {
		load([ingress("all", "Block"), egress("none", "Block")], {
			guests: { ...enforced, interfaces: [{ name: "br", prefix: true }], uplinks: [bridge] },
		});
		expect(await guest.send([to.direct(), out(80)])).toEqual([false, false]);
	});

	test("nothing is judged where guests are off", async () => {
		fresh(planText(compiled([ingress("all", "Block")], withoutGuests), table));
		expect(await guest.send([to.published(), to.direct(), out(80)])).toEqual([true, true, true]);
		expect(await host.send([published])).toEqual([false]);
	});
});

describe("the table", () => {
	test("the guard stands in for what is forwarded, failsafe flows pass, and the plan replaces it", async () => {
		const failsafe = {
			ingress: [
				{ protocol: "tcp" as const, cidr: null, port: { first: 15432, last: 15432 }, interface: null },
			],
			egress: [],
		};
		const plan = compiled(
			[ingress("ssh", "Allow", { ports: ["tcp/22"] }), egress("dns", "Block", { ports: ["tcp/8053"] })],
			{
				...withoutGuests,
				guests: enforced,
				failsafe,
			},
		);
		const { guarded } = lab.lab;
		fresh();
		guarded.nft(script(table, guard(plan)));
		const probes = [to.published(), to.direct(), out(8053), out(80)];
		expect(await guest.send(probes)).toEqual([true, false, false, true]);
		const kernel = kernelTable(guarded, table);
		expect(kernel.apply(plan)).toMatchObject({ ok: true });
		expect(kernel.collect()).toBe("");
		expect(await guest.send(probes)).toEqual([true, false, false, true]);
		expect(guarded.run(["nft", "list", "table", "inet", table])).not.toContain("guard_");
	});

	test("is opened and closed with what is forwarded, and guests can be left alone and judged again", async () => {
		const { guarded } = lab.lab;
		fresh();
		const kernel = kernelTable(guarded, table);
		const policies = [ingress("all", "Block")];
		const judging = compiled(policies);
		expect(kernel.apply(judging)).toMatchObject({ ok: true });
		expect(kernel.isComplete()).toBe(true);
		expect(await guest.send([to.published(), to.direct()])).toEqual([false, false]);
		expect(kernel.letAllPass()).toEqual({ ok: true, opened: true });
		expect(kernel.isComplete()).toBe(false);
		expect(await guest.send([to.published(), to.direct()])).toEqual([true, true]);
		expect(kernel.close()).toEqual({ ok: true, closed: true });
		expect(await guest.send([to.published(), to.direct()])).toEqual([false, false]);
		expect(kernel.apply(compiled(policies, withoutGuests))).toMatchObject({ ok: true });
		expect(await guest.send([to.published(), to.direct()])).toEqual([true, true]);
		expect(kernel.collect()).toBe("");
		expect(guarded.run(["nft", "list", "table", "inet", table])).not.toContain("hook forward");
		expect(kernel.apply(judging)).toMatchObject({ ok: true });
		expect(await guest.send([to.published(), to.direct()])).toEqual([false, false]);
	});
});
