/** Packets that belong to no flow: dropped where a direction has rules, and only there; or judged like others. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { type Probe, Prober } from "../support/probe.ts";

let lab: Lab;
let prober: Prober;
let home: Home;

beforeAll(async () => {
	lab = await Lab.create();
	prober = new Prober(lab);
	home = new Home();
	// What belongs to no connection is then invalid, as the second half of an asymmetric path is.
	lab.guarded.sysctl({ "netfilter/nf_conntrack_tcp_loose": "0" });
});
afterAll(() => {
	prober[Symbol.dispose]();
	home[Symbol.dispose]();
	lab[Symbol.dispose]();
});

const lone = (direction: Probe["direction"], destination = 5000): Probe => ({
	direction,
	protocol: "tcp",
	remote: "198.51.100.7",
	port: destination,
	ack: true,
});
const both = [lone("ingress"), lone("egress")];
const block = { action: "Block", ports: [port("TCP", 23)] };

function kernelCount(direction: string): number {
	const listing = lab.guarded.run(["nft", "list", "counter", "inet", "kubearmor", `invalid_${direction}`]);
	return Number(/packets (\d+)/.exec(listing)?.[1]);
}

test("without a rule in a direction nothing is dropped there", async () => {
	await using daemon = await Daemon.start(lab.guarded, {}, home);
	expect(await prober.send(both)).toEqual([true, true]);
	await daemon.after(() => home.put("p.yaml", policy("p", { ingress: [block] })));
	expect(await prober.send(both)).toEqual([false, true]);
	await daemon.after(() => home.put("p.yaml", policy("p", { egress: [block] })));
	expect(await prober.send(both)).toEqual([true, false]);
	await daemon.after(() => home.put("p.yaml", null));
	expect(await prober.send(both)).toEqual([true, true]);
});

describe("with rules", () => {
	const rules = { "p.yaml": policy("p", { ingress: [block], egress: [block] }) };

	test("they are dropped, counted in status and on the page, and told once", async () => {
		await using daemon = await Daemon.start(lab.guarded, { policies: rules }, home);
		const counted = { ingress: kernelCount("ingress"), egress: kernelCount("egress") };
		const told = (more: { ingress: number; egress: number }) =>
			eventually("the count", async () => {
				const { ingress, egress } = (await daemon.status()).enforcers.network.invalidPackets;
				return ingress === counted.ingress + more.ingress && egress === counted.egress + more.egress;
			});
		await told({ ingress: 0, egress: 0 });
		expect(await prober.send([...both, lone("ingress")])).toEqual([false, false, false]);
		await told({ ingress: 2, egress: 1 });
		const alert = await daemon.alert("invalid packets", ({ Tags }) => Tags === "INVALID");
		expect(alert).toMatchObject({ Type: "SystemEvent", Action: "Block" });
		expect(alert.Message).toContain("invalidPackets");
		expect(await (await daemon.get("/")).text()).toContain("belong to no flow");
		await prober.send(both);
		await told({ ingress: 3, egress: 2 });
		expect(daemon.alerts.filter(({ Tags }) => Tags === "INVALID")).toHaveLength(1);
	});

	test("invalidPackets: accept has the policies judge them", async () => {
		await using _ = await Daemon.start(
			lab.guarded,
			{ policies: rules, config: { invalidPackets: "accept" } },
			home,
		);
		expect(await prober.send([...both, lone("ingress", 23), lone("egress", 23)])).toEqual([
			true,
			true,
			false,
			false,
		]);
	});
});

test("untracked packets are judged one by one, in the midst of a connection too", async () => {
	lab.guarded.nft(`
		table inet untrack {
			chain in { type filter hook prerouting priority raw; notrack
			}
			chain out { type filter hook output priority raw; notrack
			}
		}`);
	const rules = { "p.yaml": policy("p", { ingress: [block], egress: [block] }) };
	await using _ = await Daemon.start(lab.guarded, { policies: rules }, home);
	const probes = [...both, lone("ingress", 23), lone("egress", 23)];
	expect(await prober.send(probes)).toEqual([true, true, false, false]);
	lab.guarded.run(["nft", "delete", "table", "inet", "untrack"]);
});
