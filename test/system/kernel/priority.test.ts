/**
 * Where the base chains stand among those of others: behind firewalld's, whoever came first; and how they get there from
 * where an earlier version had them.
 */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { planText } from "../../../src/enforcers/network/apply/table-objects.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import { hashFrom } from "../../../src/enforcers/network/compile/render/hashable.ts";
import { networkPart } from "../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { flood, type Target } from "../support/traffic.ts";

let lab: Lab;

beforeEach(async () => {
	lab = await Lab.create();
});
afterEach(() => lab[Symbol.dispose]());

/** As firewalld makes them (src/firewall/core/nftables.py): filter + 10. */
const firewalld = `
	table inet firewalld {
		chain filter_INPUT {
			type filter hook input priority filter + 10; policy accept;
			udp dport 5000 drop
		}
		chain filter_OUTPUT {
			type filter hook output priority filter + 10; policy accept;
			udp dport 5000 drop
		}
	}`;

const watched = { ports: [port("UDP", 5000, 5001)] };
const audit = { "p.yaml": policy("p", { action: "Audit", ingress: [watched], egress: [watched] }) };

const probes = (destination: number) =>
	(["ingress", "egress"] as const).map(
		(direction): Probe => ({ direction, protocol: "udp", remote: "198.51.100.7", port: destination }),
	);

test.each([["before"], ["after"], ["before, and reloaded"]])(
	"firewalld that came %s Portward has decided before: no alert says that its drops passed",
	async (order) => {
		using prober = new Prober(lab);
		if (order !== "after") lab.guarded.nft(firewalld);
		await using daemon = await Daemon.start(lab.guarded, { policies: audit });
		if (order === "after") lab.guarded.nft(firewalld);
		if (order.endsWith("reloaded")) lab.guarded.nft(`delete table inet firewalld\n${firewalld}`);
		expect(await prober.send([...probes(5000), ...probes(5001)])).toEqual([false, false, true, true]);
		await eventually("the counts", async () => (await daemon.status()).policies[0]?.packets === 2);
		await eventually("the alerts", () => daemon.alerts.length >= 2);
		expect(daemon.alerts.filter(({ Data }) => Data.includes("5000"))).toEqual([]);
	},
);

const targets: readonly Target[] = (["tcp", "udp"] as const).flatMap((protocol) =>
	Array.from({ length: 20 }, (_, index) => index).flatMap((index): Target[] => [
		{ expect: "pass", protocol, remote: `10.1.${index}.1`, local: "198.18.0.1", port: 1000 + index },
		{ expect: "drop", protocol, remote: `10.1.${index}.1`, local: "198.18.0.1", port: 2000 + index },
	]),
);

const standing = policy("in", {
	action: "Allow",
	ingress: [{ from: [block("10.1.0.0/16")], ports: [port("TCP", 1000, 1999), port("UDP", 1000, 1999)] }],
});

/** The table as a version before this one left it in the kernel. */
function earlier(): string {
	const policies = networkPart.in(parsePolicyFile("p", standing).documents);
	const compiled = compileNetwork(policies, {
		epoch: "0",
		form: "concatenated",
		hashFrom,
		posture: "block",
		allowlistScope: "direction",
		essentials: true,
		failsafe: { ingress: [], egress: [] },
		nflogGroup: 9755,
		maxElements: 1000,
		logLimit: { rate: 500, burst: 1000 },
	});
	if (!compiled.ok) throw new Error("the policy does not compile");
	return planText(compiled.plan, "kubearmor")
		.replace(/priority \d+;/g, "priority 10;")
		.replace(/^\tchain root_leaving \{\n\t\}\n/m, "")
		.replace("ct status dnat fib daddr type local accept", "")
		.replace("oif lo fib daddr type local accept", "oif lo accept")
		.replaceAll(
			"\t\tct state established accept\n",
			"\t\tct state vmap { established : accept, related : accept }\n",
		);
}

const chains = () => lab.guarded.run(["nft", "list", "chains", "inet"]);

describe("an upgrade", () => {
	test("moves the chains without a gap, and leaves none behind", async () => {
		lab.guarded.nft(earlier());
		expect(chains()).toContain("hook input priority filter + 10;");
		const flooding = flood(lab, { interface: "eth0", targets, packets: 150_000, rate: 50_000 });
		await Bun.sleep(100);
		await using _ = await Daemon.start(lab.guarded, { policies: { "p.yaml": standing } });
		expect(await flooding).toMatchObject({ wronglyDropped: 0, wronglyPassed: 0, uncounted: 0 });
		expect(chains()).not.toContain("filter + 10");
		expect(chains()).not.toContain("moving_");
		expect(chains().match(/hook (input|output) priority (20|120);/g)).toHaveLength(2);
	});

	test("an emergency opens the table of before, and ending it closes it in the new place", () => {
		lab.guarded.nft(earlier());
		const table = kernelTable(lab.guarded, "kubearmor");
		expect(table.letAllPass()).toEqual({ ok: true, opened: true });
		expect(chains()).not.toContain("filter + 10");
		const input = () => lab.guarded.run(["nft", "list", "chain", "inet", "kubearmor", "ingress"]);
		expect(input()).toContain("panic-open");
		expect(table.close()).toEqual({ ok: true, closed: true });
		expect(input()).toContain("jump root_ingress");
		expect(table.isComplete()).toBe(true);
	});
});
