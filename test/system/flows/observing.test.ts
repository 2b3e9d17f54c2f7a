/** Flows as real packets make them, from the kernel's sets to /v1/flows, over both forms of ruleset. */

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FlowJson, HistoryJson } from "../../../src/enforcers/network/history/seen-flow.ts";
import { writeState } from "../../../src/state/state-file.ts";
import { block, documents, policy, port, probe } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { GuestLab } from "../support/guest-lab.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";

async function history(daemon: Daemon, query = "?limit=100000"): Promise<HistoryJson> {
	const response = await daemon.get(`/v1/flows${query}`);
	const read: HistoryJson = JSON.parse(await response.text());
	expect([response.status, read]).toEqual([200, read]);
	return read;
}

/** What of a flow says which it is, and what became of it. */
function shown(flow: FlowJson): string {
	const {
		direction,
		hook,
		protocol,
		remote,
		port: number,
		interface: name,
		guest,
		action,
		policy: by,
	} = flow;
	const service = number === null ? protocol : `${protocol}/${number}`;
	return [direction, hook, service, remote, name, guest ?? "-", action, by, flow.count].join(" ");
}

const shownOf = async (daemon: Daemon) => (await history(daemon)).flows.map(shown).sort();

const rules = documents(
	policy("web", {
		action: "Allow",
		ingress: [{ from: [block("10.1.0.0/24")], ports: [port("TCP", 80)] }],
	}),
	policy("told", { action: "Audit", ingress: [{ ports: [port("UDP", 53)] }] }),
	policy("shut", {
		action: "Block",
		ingress: [{ ports: [port("TCP", 23)], iface: ["eth1"] }],
		egress: [{ ports: [port("UDP", 514), port("ICMP")] }],
	}),
);

describe.each(["concatenated", "nested"])("%s ruleset", (rulesetForm) => {
	test("every flow is told apart, with what became of it and why", async () => {
		using lab = await Lab.create(["eth0", "eth1"]);
		using prober = new Prober(lab);
		await using daemon = await Daemon.start(lab.guarded, {
			policies: { "rules.yaml": rules },
			config: { rulesetForm, failsafe: { ingress: [{ protocol: "TCP", port: 22 }] } },
		});
		const sent = [
			"ingress tcp 10.1.0.7 80",
			"ingress tcp 10.1.0.7 80",
			"ingress tcp 10.2.0.7 80",
			"ingress tcp 10.2.0.7 22",
			"ingress tcp 10.1.0.7 23 eth1",
			"ingress udp 2001:db8::7 53",
			"ingress udp 10.1.0.7 53 eth1",
			"ingress sctp 2001:db8::7 5000",
			"ingress icmp 10.1.0.7",
			"ingress icmpv6 2001:db8::7",
			"egress tcp 192.0.2.9 443",
			"egress tcp 2001:db8::9 443 eth1",
			"egress udp 192.0.2.9 514",
			"egress icmp 192.0.2.9",
		].map(probe);
		const passed = await prober.send([
			...sent,
			{ direction: "ingress", protocol: 47, remote: "10.1.0.7" },
			// What is in the midst of a connection opens none.
			{ direction: "ingress", protocol: "tcp", remote: "10.1.0.99", port: 80, ack: true },
		]);
		const { flows, merged, lost } = await history(daemon);
		expect(flows.map(shown).sort()).toEqual(
			[
				"ingress input tcp/80 10.1.0.7 eth0 - Allow web 2",
				"ingress input tcp/80 10.2.0.7 eth0 - Block DefaultPosture 1",
				"ingress input tcp/22 10.2.0.7 eth0 - Allow Failsafe 1",
				"ingress input tcp/23 10.1.0.7 eth1 - Block shut 1",
				"ingress input udp/53 2001:db8::7 eth0 - Audit told 1",
				"ingress input udp/53 10.1.0.7 eth1 - Audit told 1",
				"ingress input sctp/5000 2001:db8::7 eth0 - Block DefaultPosture 1",
				"ingress input icmp 10.1.0.7 eth0 - Block DefaultPosture 1",
				"ingress input icmpv6 2001:db8::7 eth0 - Block DefaultPosture 1",
				"ingress input gre 10.1.0.7 eth0 - Block DefaultPosture 1",
				"egress output tcp/443 192.0.2.9 eth0 - Allow DefaultPosture 1",
				"egress output tcp/443 2001:db8::9 eth1 - Allow DefaultPosture 1",
				"egress output udp/514 192.0.2.9 eth0 - Block shut 1",
				"egress output icmp 192.0.2.9 eth0 - Block shut 1",
			].sort(),
		);
		// What is told to have passed has passed.
		const told = sent.map(({ direction, protocol, remote, port: number }) => {
			const same = flows.find(
				(flow) =>
					flow.direction === direction &&
					flow.protocol === protocol &&
					flow.remote === remote &&
					(flow.port ?? 0) === (number ?? 0),
			);
			return same !== undefined && same.action !== "Block";
		});
		expect(passed.slice(0, sent.length)).toEqual(told);
		expect([merged, lost]).toEqual([0, 0]);
		expect((await history(daemon, "?verdict=audit&limit=1")).flows).toMatchObject([{ action: "Audit" }]);
		expect((await daemon.get("/v1/flows?verdict=maybe")).status).toBe(400);
		expect((await daemon.metrics()).get("portward_flows_known")).toBe(14);
	});

	test("flows of guests have their guest", async () => {
		using lab = await GuestLab.create();
		using prober = new Prober(lab.lab, lab.via);
		await using daemon = await Daemon.start(lab.lab.guarded, {
			policies: { "rules.yaml": rules },
			config: { rulesetForm, guests: { forwarded: "enforce" } },
		});
		const guest4 = lab.address(4);
		const guest6 = lab.address(6);
		await prober.send([
			{ direction: "ingress", protocol: "tcp", remote: "10.1.0.7", local: guest4, port: 80 },
			{ direction: "ingress", protocol: "tcp", remote: "2001:db8::7", local: guest6, port: 81 },
			{ direction: "egress", protocol: "udp", remote: "192.0.2.9", local: guest4, port: 514 },
		]);
		expect(await shownOf(daemon)).toEqual(
			[
				`ingress forward tcp/80 10.1.0.7 eth0 ${guest4} Allow web 1`,
				`ingress forward tcp/81 2001:db8::7 eth0 ${guest6} Block DefaultPosture 1`,
				`egress forward udp/514 192.0.2.9 eth0 ${guest4} Block shut 1`,
			].sort(),
		);
	});
});

/** So that the daemon itself has no flow. */
const open = policy("all", { action: "Audit", ingress: [{ ports: [port("TCP", 9)] }] });

test("a restart, after whatever end, forgets nothing that was saved and counts nothing twice", async () => {
	using lab = await Lab.create();
	using prober = new Prober(lab);
	using home = new Home();
	const options = { policies: { "rules.yaml": open } };
	const line = (host: number, count: number) =>
		`ingress input tcp/9 10.1.0.${host} eth0 - Audit all ${count}`;
	const packets = (host: number, count: number) =>
		Array.from({ length: count }, () => probe(`ingress tcp 10.1.0.${host} 9`));
	{
		await using daemon = await Daemon.start(lab.guarded, options, home);
		await prober.send([...packets(1, 3), ...packets(2, 1)]);
		expect(await shownOf(daemon)).toEqual([line(1, 3), line(2, 1)]);
		await daemon.stop();
	}
	{
		// What comes while nobody watches is counted by the kernel.
		await prober.send(packets(3, 2));
		await using daemon = await Daemon.start(lab.guarded, options, home);
		expect(await shownOf(daemon)).toEqual([line(1, 3), line(2, 1), line(3, 2)]);
		await prober.send(packets(4, 5));
		expect((await history(daemon)).flows).toHaveLength(4);
		await daemon.stop("SIGKILL");
	}
	{
		// The kernel still knows what was not saved.
		await using daemon = await Daemon.start(lab.guarded, options, home);
		expect(await shownOf(daemon)).toEqual([line(1, 3), line(2, 1), line(3, 2), line(4, 5)]);
		await daemon.stop();
	}
	const file = join(home.state, "seen-flows.json");
	const damaged = readFileSync(file);
	damaged[damaged.length - 9] = (damaged[damaged.length - 9] ?? 0) ^ 1;
	writeFileSync(file, damaged);
	writeFileSync(join(home.state, "seen-flows.previous.json"), "");
	{
		await using daemon = await Daemon.start(lab.guarded, options, home);
		await eventually("the damage, told", () => daemon.log.includes("watching begins anew"));
		expect(readFileSync(join(home.state, "seen-flows.damaged.json")).equals(damaged)).toBe(true);
		await prober.send(packets(5, 1));
		await eventually("new flows", async () => (await shownOf(daemon)).includes(line(5, 1)));
	}
});

test("what a recommendation was not made from is new, and alerted", async () => {
	using lab = await Lab.create();
	using prober = new Prober(lab);
	using home = new Home();
	writeState(join(home.state, "seen-baseline.json"), {
		madeAt: 1,
		keys: ["ingress|input|tcp|10.1.0.0/24|9|eth0"],
	});
	await using daemon = await Daemon.start(lab.guarded, { policies: { "rules.yaml": open } }, home);
	await prober.send([probe("ingress tcp 10.1.0.1 9"), probe("ingress tcp 10.2.0.1 9")]);
	expect((await history(daemon, "?new=true")).flows).toMatchObject([{ remote: "10.2.0.1", new: true }]);
	const alert = await daemon.alert("a new flow", ({ Tags }) => Tags === "NEW-FLOW");
	expect(alert.EventData).toMatchObject({ Remote: "10.2.0.1", Port: "9", Interface: "eth0" });
	const status: unknown = await (await daemon.get("/v1/status")).json();
	expect(status).toMatchObject({ observing: { enabled: true, flows: 2, new: 1, merged: 0, lost: 0 } });
});

test("a host that is not to watch has nothing for it in the kernel", async () => {
	using lab = await Lab.create();
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "rules.yaml": open },
		config: { observe: { enabled: false } },
	});
	expect(lab.guarded.run(["nft", "list", "ruleset"])).not.toContain("seen_");
	const refused = await daemon.get("/v1/flows");
	expect(refused.status).toBe(503);
	expect(await refused.text()).toContain("flows are not watched: observe.enabled is false");
});
