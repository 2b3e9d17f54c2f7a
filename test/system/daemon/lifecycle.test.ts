/** Start, reload, stop and release, and that there is one daemon a network namespace. */

import { expect, test } from "bun:test";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { block, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Namespace } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const { blockedPorts, portward } = rig;

test("a second daemon of the namespace is refused, one of another namespace is not", async () => {
	await using _daemon = await Daemon.start(
		rig.lab.guarded,
		{ policies: { "a.yaml": blocks("a", 80) } },
		rig.home,
	);
	await using second = Daemon.spawn(rig.lab.guarded);
	expect(await second.exited()).toBe(1);
	expect(second.log).toContain("another portward guards table kubearmor");
	using elsewhere = await Namespace.create();
	await using third = await Daemon.start(elsewhere);
	expect((await third.status()).enforcers.network.state).toBe("active");
	expect(await blockedPorts(80)).toEqual([80]);
});

test("release refuses while a daemon runs, and removes what it left behind", async () => {
	rig.lab.guarded.nft("table inet other {\n\tchain c {\n\t}\n}\n");
	const daemon = await Daemon.start(rig.lab.guarded, { policies: { "a.yaml": blocks("a", 80) } }, rig.home);
	const refused = portward("release");
	expect(refused).toMatchObject({ code: 1, out: "" });
	expect(refused.error).toContain("stop it first");
	expect(await blockedPorts(80)).toEqual([80]);
	expect(await daemon.stop()).toBe(0);
	// A firewall does not open because its agent stopped.
	expect(await blockedPorts(80)).toEqual([80]);
	const released = portward("release");
	expect(released).toMatchObject({ code: 0, error: "" });
	expect(await blockedPorts(80)).toEqual([]);
	expect(rig.lab.guarded.run(["nft", "list", "tables"])).toBe("table inet other\n");
	expect(portward("release")).toMatchObject({
		code: 0,
		out: "there was nothing to release\n",
	});
});

test("no table but the configured one is touched", async () => {
	const others = "table ip kubearmor {\n\tchain c {\n\t}\n}\ntable inet kubearmor2 {\n\tchain c {\n\t}\n}\n";
	rig.lab.guarded.nft(others);
	const config = { table: "mine" };
	const daemon = await Daemon.start(
		rig.lab.guarded,
		{ config, policies: { "a.yaml": blocks("a", 80) } },
		rig.home,
	);
	expect(await blockedPorts(80)).toEqual([80]);
	rig.lab.guarded.nft("delete table inet mine");
	await eventually("the repair", async () => (await blockedPorts(80)).length === 1);
	expect(await daemon.stop()).toBe(0);
	expect(portward("release").code).toBe(0);
	expect(rig.lab.guarded.run(["nft", "list", "ruleset"])).toBe(others);
});

test("counters of rules that stay survive a reload, SIGKILL and a restart", async () => {
	const packets = async (daemon: Daemon, name: string) =>
		(await daemon.status()).policies.find((found) => found.name === name)?.packets;
	const first = await Daemon.start(rig.lab.guarded, { policies: { "a.yaml": blocks("a", 80) } }, rig.home);
	await blockedPorts(80, 80, 80);
	await eventually("the count", async () => (await packets(first, "a")) === 3);
	await first.after(() => rig.home.put("b.yaml", blocks("b", 81)));
	await blockedPorts(80, 81);
	await eventually(
		"the counts",
		async () => (await packets(first, "a")) === 4 && (await packets(first, "b")) === 1,
	);
	await first.stop("SIGKILL");
	await blockedPorts(80);
	await using second = await Daemon.start(rig.lab.guarded, {}, rig.home);
	await eventually(
		"the counts",
		async () => (await packets(second, "a")) === 5 && (await packets(second, "b")) === 1,
	);
});

test("SIGHUP reads policies and settings again; a broken config file changes no setting", async () => {
	const policies = {
		"a.yaml": policy("a", { action: "Allow", ingress: [{ from: [block("10.1.0.0/16")] }] }),
	};
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	const outsider = { direction: "ingress", protocol: "tcp", remote: "203.0.113.9", port: 80 } as const;
	expect(await rig.prober.send([outsider])).toEqual([false]);
	const settings = {
		policyDir: rig.home.policies,
		stateDir: rig.home.state,
		status: { address: `unix:${rig.home.socket}` },
	};
	const hangUp = (config: unknown) =>
		daemon.after(() => {
			writeFileSync(rig.home.config, JSON.stringify(config));
			daemon.signal("SIGHUP");
		});
	await hangUp({ ...settings, hostDefaultNetworkPosture: "audit" });
	expect(await rig.prober.send([outsider])).toEqual([true]);
	expect((await daemon.status()).enforcers.network.posture).toBe("audit");
	await hangUp({ ...settings, hostDefaultNetworkPosture: "deny" });
	expect(await rig.prober.send([outsider])).toEqual([true]);
	expect(daemon.log).toContain("hostDefaultNetworkPosture");
	await hangUp({ ...settings, table: "other" });
	expect(await rig.prober.send([outsider])).toEqual([false]);
	expect(daemon.log).toContain("at the next start");
	expect(rig.lab.guarded.run(["nft", "list", "tables"])).toBe("table inet kubearmor\n");
});

test("--status-address names a TCP address or a socket that only root may open", async () => {
	const flags = ["--status-address", "127.0.0.1:9799"];
	await using daemon = Daemon.spawn(rig.lab.guarded, { flags }, rig.home);
	const script = 'process.stdout.write(await (await fetch("http://127.0.0.1:9799/readyz")).text())';
	const ask = () => rig.lab.guarded.try([process.execPath, "-e", script]);
	await eventually("an answer", () => ask().out.startsWith("ready"));
	expect(existsSync(rig.home.socket)).toBe(false);
	expect(await daemon.stop()).toBe(0);
	const path = join(rig.home.path, "other.sock");
	await using local = Daemon.spawn(
		rig.lab.guarded,
		{ flags: ["--status-address", `unix:${path}`] },
		rig.home,
	);
	await eventually("an answer", async () => {
		const response = await fetch("http://localhost/readyz", { unix: path }).catch(() => null);
		return response?.status === 200;
	});
	expect(statSync(path).mode & 0o077).toBe(0);
	// A socket that a killed daemon left behind is in nobody's way.
	await local.stop("SIGKILL");
	await using again = Daemon.spawn(
		rig.lab.guarded,
		{ flags: ["--status-address", `unix:${path}`] },
		rig.home,
	);
	await eventually("an answer", async () => {
		const response = await fetch("http://localhost/readyz", { unix: path }).catch(() => null);
		return response?.status === 200;
	});
	expect(await again.stop()).toBe(0);
	expect(existsSync(path)).toBe(false);
});

test.each([
	[{ "ipv4/ip_forward": "1" }, "IPv4"],
	[{ "ipv6/conf/all/forwarding": "1" }, "IPv6"],
])(
	"a host that forwards packets and leaves guests alone says that these are not covered: %j",
	async (settings, family) => {
		rig.lab.guarded.sysctl(settings);
		const config = { guests: { forwarded: "off" } };
		await using daemon = await Daemon.start(rig.lab.guarded, { config }, rig.home);
		expect(JSON.stringify((await daemon.status()).warnings)).toContain(`forwards ${family}`);
		expect(daemon.log).toContain("are not covered by policies");
	},
);

test("a host that forwards nothing has no such warning", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	expect((await daemon.status()).warnings).toEqual([]);
	expect(daemon.log).not.toContain("not covered");
});
