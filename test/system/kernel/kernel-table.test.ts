import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Nftables } from "../../../ffi/nftables.ts";
import { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import { ownershipMarker } from "../../../src/enforcers/network/names.ts";
import type { Command } from "../../../src/kernel/nftables/commands.ts";
import { directBatch } from "../../../src/kernel/nftables/direct.ts";
import { goto } from "../../../src/kernel/nftables/expressions.ts";
import { type NftKernel, nftKernel } from "../../../src/kernel/nftables/kernel.ts";
import { listTable } from "../../../src/kernel/nftables/listing.ts";
import { policy, rule } from "../../enforcers/network/compile/build.ts";
import { options } from "../../enforcers/network/compile/options.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";
import { chain, counter, plan } from "../support/plan.ts";

let network: IsolatedNetwork;
let nftables: Nftables;
let kernel: KernelTable;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = Nftables.open();
	if (!opened.ok) throw new Error(opened.reason);
	nftables = opened.nftables;
});
afterAll(() => {
	nftables.close();
	network.leave();
});

const newTable = (adopt?: () => string) => new KernelTable(nftKernel(nftables), "kubearmor", adopt);
beforeEach(() => {
	kernel = newTable();
});
afterEach(() => {
	command("nft", "flush", "ruleset");
});

const names = () => {
	const listed = listTable("kubearmor");
	if (!listed.ok) throw new Error(listed.error);
	return listed.listing;
};
const text = () => command("nft", "list", "table", "inet", "kubearmor");

describe("our table in the kernel", () => {
	test("is made whole, and a second plan replaces the first without leaving anything", () => {
		expect(kernel.inspect()).toEqual({ ok: true, state: "absent" });
		expect(kernel.apply(plan("g1"))).toEqual({ ok: true, loaded: 5 });
		expect(kernel.collect()).toBe("");
		expect(kernel.inspect()).toEqual({ ok: true, state: "ours" });
		expect(text()).toContain("goto in_g1");
		expect(kernel.apply(plan("g2"))).toEqual({ ok: true, loaded: 4 });
		expect(kernel.collect()).toBe("");
		expect(names()).toEqual({
			chains: expect.arrayContaining([
				"in_g2",
				"out_g2",
				"r_g2",
				"ingress",
				"egress",
				"root_ingress",
				"root_egress",
				"ended_ingress",
				"ended_egress",
			]),
			handle: expect.any(Number),
			hooks: { ingress: { hook: "input", priority: 20 }, egress: { hook: "output", priority: 120 } },
			sets: [
				"refused4",
				"refused6",
				"refused_if4",
				"refused_if6",
				"refused_published4",
				"refused_forward4",
				"refused_published6",
				"refused_forward6",
				"uplinks",
			],
			maps: ["m_g2"],
			counters: expect.arrayContaining(["cut_ingress", "cut_egress", "c_rule"]),
			quotas: [],
		});
		expect(text()).not.toContain("_g1");
		expect(kernel.apply(plan("g2"))).toEqual({ ok: true, loaded: 0 });
		expect(kernel.collect()).toBe("");
	});

	test("very many old objects are deleted a part at a time, none of it by libnftables", () => {
		const real = nftKernel(nftables);
		const sent: (readonly Command[])[] = [];
		const run: NftKernel["run"] = (name, commands) => {
			sent.push(commands);
			return real.run(name, commands);
		};
		kernel = new KernelTable({ ...real, run }, "kubearmor");
		const many = Array.from({ length: 1200 }, (_, i) => counter(`c_${i}`));
		const large = plan("g1");
		expect(kernel.apply({ ...large, objects: [...large.objects, ...many] }).ok).toBe(true);
		expect(kernel.apply(plan("g2")).ok).toBe(true);
		sent.length = 0;
		expect(kernel.collect()).toBe("");
		expect(names()?.counters).not.toContain("c_0");
		expect(sent.length).toBeGreaterThan(2);
		for (const commands of sent) expect(directBatch("kubearmor", commands, 1)).not.toBeNull();
	});

	test("open connections are adopted before the first ruleset meets a packet, and never again", () => {
		const seen: boolean[] = [];
		const adopt = () => {
			seen.push(text().includes("hook"));
			return "no memory";
		};
		const first = newTable(adopt);
		expect(first.apply(plan("g1"))).toEqual({ ok: true, loaded: 5, unadopted: "no memory" });
		expect(seen).toEqual([false]);
		expect(first.apply(plan("g2"))).toEqual({ ok: true, loaded: 4 });
		expect(newTable(adopt).apply(plan("g3"))).toEqual({ ok: true, loaded: 5 });
		command("nft", "flush", "ruleset");
		first.distrust();
		expect(first.apply(plan("g4"))).toMatchObject({ ok: true });
		expect(seen).toEqual([false]);
	});

	test("the base chains accept loopback and what is established, then ask the root", () => {
		kernel.apply(plan("g1"));
		expect(command("nft", "list", "chain", "inet", "kubearmor", "ingress")).toBe(
			"table inet kubearmor {\n\tchain ingress {\n" +
				"\t\ttype filter hook input priority 20; policy accept;\n" +
				'\t\tiif "lo" accept\n\t\tct state established accept\n\t\tjump root_ingress\n\t}\n}\n',
		);
		expect(command("nft", "list", "chain", "inet", "kubearmor", "egress")).toContain(
			'oif "lo" fib daddr type local accept',
		);
	});

	test("a counter keeps its value over generations and a restart", () => {
		kernel.apply(plan("g1"));
		command("nft", "add", "counter", "inet", "kubearmor", "spare");
		command("nft", "delete", "counter", "inet", "kubearmor", "spare");
		const withPackets = "table inet kubearmor {\n\tcounter c_kept {\n\t\tpackets 7 bytes 700\n\t}\n}\n";
		expect(nftables.run(withPackets).ok).toBe(true);
		const second = plan("g2");
		const kept = { ...second, objects: [...second.objects, counter("c_kept")] };
		const restarted = newTable();
		expect(restarted.apply(kept)).toMatchObject({ ok: true });
		expect(restarted.collect()).toBe("");
		expect(text()).toContain("packets 7 bytes 700");
		expect(text()).not.toContain("_g1");
	});

	test("a plan that the kernel refuses changes nothing", () => {
		kernel.apply(plan("g1"));
		const before = text();
		const bad = plan("g2");
		const broken = { ...bad, objects: [...bad.objects, chain("oops", goto("nowhere"))] };
		expect(kernel.apply(broken)).toMatchObject({ ok: false, reason: "refused" });
		expect(text()).toBe(before);
		expect(kernel.apply(plan("g3"))).toMatchObject({ ok: true });
		expect(kernel.collect()).toBe("");
		expect(text()).not.toContain("_g1");
	});

	test("a table that is not ours is left alone", () => {
		command("nft", "add", "table", "inet", "kubearmor");
		command("nft", "add", "chain", "inet", "kubearmor", "theirs");
		const before = text();
		expect(kernel.apply(plan("g1"))).toMatchObject({ ok: false, reason: "foreign" });
		expect(kernel.guard({ defaultDrop: { ingress: true, egress: true }, failsafe: [] }, true)).toMatchObject({
			ok: false,
			reason: "foreign",
		});
		expect(kernel.remove()).toMatchObject({ ok: false, reason: "foreign" });
		expect(text()).toBe(before);
	});

	test("after a flush the guard closes default-drop directions until the plan is back", () => {
		kernel.apply(plan("g1", true));
		command("nft", "flush", "ruleset");
		expect(kernel.guard({ defaultDrop: { ingress: true, egress: false }, failsafe: [] }, true)).toMatchObject(
			{ ok: true },
		);
		const root = (direction: string) =>
			command("nft", "list", "chain", "inet", "kubearmor", `root_${direction}`);
		expect(root("ingress")).toContain("\t\tdrop\n");
		expect(root("egress")).not.toContain("drop");
		expect(kernel.apply(plan("g2", true))).toMatchObject({ ok: true });
		expect(kernel.collect()).toBe("");
		expect(root("ingress")).toContain("goto in_g2");
		expect(root("ingress")).not.toContain("drop");
	});

	test("after a flush the guard drops what the Blocks say where the default does not", () => {
		const guarded = { ingress: ["udp dport 2000 ip saddr 192.0.2.0/24 drop"], egress: [] };
		kernel.apply({ ...plan("g1"), guard: guarded });
		command("nft", "flush", "ruleset");
		const open = { defaultDrop: { ingress: false, egress: false }, failsafe: [], guard: guarded };
		expect(kernel.guard(open, true)).toMatchObject({ ok: true });
		const chain = command("nft", "list", "chain", "inet", "kubearmor", "root_ingress");
		expect(chain).toContain("udp dport 2000 ip saddr 192.0.2.0/24 drop");
		expect(chain).not.toContain("\t\tdrop\n");
	});

	test("the kernel takes the guard of every form of Block", () => {
		const texts = {
			ports: ["tcp/22", "udp/1000-2000", "sctp", "udp/53<1900", "udp<1900-2000", "1", "1<8", "58<128", "47"],
			peers: ["10.0.0.0/8 except 10.1.0.0/16", "2001:db8::/32", "192.0.2.1/32"],
		};
		const rules = [
			rule("Block", texts),
			rule("Block", { ports: texts.ports, interfaces: ["eth0", "wg*"] }, 1),
			rule("Block", { interfaces: ["ppp0"] }, 2),
		];
		const compiled = compileNetwork([policy("p", ...rules)], options);
		if (!compiled.ok) throw new Error(compiled.diagnostics[0]?.message);
		kernel.apply(compiled.plan);
		command("nft", "flush", "ruleset");
		expect(kernel.guard(compiled.plan, true)).toEqual({ ok: true, loaded: 0 });
		const drops = command("nft", "list", "chain", "inet", "kubearmor", "root_ingress").split(" drop\n");
		expect(drops.length - 1).toBe(compiled.plan.guard?.ingress.length ?? 0);
	});

	test("a marker that somebody took away is put back, by the table's number or by what else is ours", () => {
		kernel.apply(plan("g1"));
		command("nft", "delete", "chain", "inet", "kubearmor", ownershipMarker);
		expect(kernel.inspect()).toEqual({ ok: true, state: "ours" });
		expect(names()?.chains).toContain(ownershipMarker);
		command("nft", "delete", "table", "inet", "kubearmor");
		command("nft", "add", "table", "inet", "kubearmor");
		command("nft", "add", "chain", "inet", "kubearmor", "theirs");
		expect(kernel.inspect()).toEqual({ ok: true, state: "foreign" });
	});

	test("rules that somebody put into the base chains, and chains beside them, are gone after the next whole load", () => {
		kernel.apply(plan("g1"));
		command("nft", "insert", "rule", "inet", "kubearmor", "ingress", "accept");
		command("nft", "add", "chain", "inet", "kubearmor", "theirs");
		kernel.distrust();
		expect(kernel.apply(plan("g2"))).toMatchObject({ ok: true });
		expect(kernel.collect()).toBe("");
		expect(command("nft", "list", "chain", "inet", "kubearmor", "ingress")).not.toMatch(/\n\t\taccept/);
		expect(names()?.chains).not.toContain("theirs");
	});

	test("an object that vanished unnoticed is loaded again", () => {
		kernel.apply(plan("g1"));
		command("nft", "flush", "ruleset");
		expect(kernel.apply(plan("g2"))).toMatchObject({ ok: true, loaded: 5 });
		expect(text()).toContain("goto in_g2");
	});

	test("ended flows are refused in both families, and no longer when the list is empty", () => {
		kernel.apply(plan("g1"));
		const flows = [
			{ family: 4, remote: "198.51.100.7", protocol: 6, remotePort: 40000, localPort: 22 },
			{ family: 6, remote: "2001:db8::7", protocol: 17, remotePort: 53, localPort: 40000 },
			{ family: 4, remote: "198.51.100.8", protocol: 1, remotePort: 0, localPort: 0 },
		] as const;
		expect(kernel.cut(flows)).toEqual({ ok: true });
		// nft prints the number where the system has no /etc/protocols.
		expect(text()).toMatch(/198\.51\.100\.7 \. (?:tcp|6) \. 40000 \. 22/);
		expect(text()).toMatch(/2001:db8::7 \. (?:udp|17) \. 53 \. 40000/);
		expect(kernel.cut([])).toEqual({ ok: true });
		expect(text()).not.toContain("198.51.100.7");
	});

	test("release removes our table and nothing else", () => {
		command("nft", "add", "table", "inet", "other");
		kernel.apply(plan("g1"));
		expect(kernel.remove()).toEqual({ ok: true, removed: true });
		expect(kernel.remove()).toEqual({ ok: true, removed: false });
		expect(command("nft", "list", "tables")).toBe("table inet other\n");
	});

	test("the probe finds concatenated intervals here and leaves nothing", () => {
		expect(kernel.probe()).toBe("concatenated");
		expect(command("nft", "list", "tables")).toBe("");
	});
});

test("a table that took the place of ours since we looked is left alone by every step", () => {
	kernel.apply(plan("g1"));
	command("nft", "delete", "table", "inet", "kubearmor");
	command("nft", "add", "table", "inet", "kubearmor");
	command("nft", "add", "chain", "inet", "kubearmor", "theirs");
	const before = text();
	expect(kernel.collect()).not.toBe("");
	expect(kernel.cut([])).toMatchObject({ ok: false });
	expect(kernel.apply(plan("g2"))).toMatchObject({ ok: false, reason: "foreign" });
	expect(text()).toBe(before);
});

describe("opening our table", () => {
	const accepting = (direction: string) =>
		command("nft", "list", "chain", "inet", "kubearmor", direction).split("\n").slice(3, -3);

	test("leaves everything but the base chains, and the next plan closes it with its counters as they were", () => {
		kernel.apply(plan("g1", true));
		expect(
			nftables.run("table inet kubearmor {\n\tcounter c_kept {\n\t\tpackets 7 bytes 700\n\t}\n}\n").ok,
		).toBe(true);
		const before = names();
		expect(kernel.letAllPass()).toEqual({ ok: true, opened: true });
		expect(names()).toEqual(before);
		for (const direction of ["ingress", "egress"]) {
			expect(accepting(direction)).toEqual(['\t\taccept comment "opened by portward panic-open"']);
		}
		const opened = text();
		expect(kernel.letAllPass()).toEqual({ ok: true, opened: true });
		expect(text()).toBe(opened);
		const next = plan("g2", true);
		expect(kernel.apply({ ...next, objects: [...next.objects, counter("c_kept")] })).toMatchObject({
			ok: true,
		});
		expect(kernel.collect()).toBe("");
		expect(accepting("ingress")).toContain("\t\tjump root_ingress");
		expect(text()).not.toContain("panic-open");
		expect(text()).toContain("packets 7 bytes 700");
	});

	test("works on a table of another process, on one that was closed by force, and on one that lost its chains", () => {
		newTable().apply(plan("g1", true));
		command("nft", "add", "chain", "inet", "kubearmor", "egress", "{ policy drop; }");
		command("nft", "delete", "chain", "inet", "kubearmor", "ingress");
		expect(kernel.letAllPass()).toEqual({ ok: true, opened: true });
		expect(text()).not.toContain("policy drop");
		expect(accepting("ingress")).toHaveLength(1);
		kernel.guard({ defaultDrop: { ingress: true, egress: true }, failsafe: [] }, true);
		expect(kernel.letAllPass()).toEqual({ ok: true, opened: true });
		expect(accepting("egress")).toHaveLength(1);
	});

	test("does nothing where there is no table, and never touches one that is not ours", () => {
		expect(kernel.letAllPass()).toEqual({ ok: true, opened: false });
		expect(command("nft", "list", "tables")).toBe("");
		command("nft", "add", "table", "inet", "kubearmor");
		command(
			"nft",
			"add",
			"chain",
			"inet",
			"kubearmor",
			"ingress",
			"{ type filter hook input priority 0; policy drop; }",
		);
		const before = text();
		expect(kernel.letAllPass()).toMatchObject({ ok: false, reason: "foreign" });
		expect(text()).toBe(before);
	});
});
