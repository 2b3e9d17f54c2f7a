/** panic-open and resume with real packets: with a daemon that runs, hangs or is gone, and over its restart. */

import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clearPanic, panicPath, readPanic, writePanic } from "../../../src/state/panic.ts";
import { block, policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { eachOnRig } from "../support/rig.ts";
import { Conversation } from "../support/traffic.ts";

const rig = eachOnRig();
const { portward } = rig;

/** Port 80 is blocked by a rule, 443 is allowed, everything else meets the posture. */
const policies = {
	"a.yaml": policy("a", {
		ingress: [
			{ action: "Block", ports: [port("TCP", 80)] },
			{ action: "Allow", ports: [port("TCP", 443)] },
		],
		egress: [{ action: "Block", ports: [port("TCP", 25)] }],
	}),
};
const probes = [
	{ direction: "ingress", protocol: "tcp", remote: "10.1.0.10", port: 80 },
	{ direction: "ingress", protocol: "tcp", remote: "2001:db8::10", port: 80 },
	{ direction: "ingress", protocol: "udp", remote: "10.1.0.10", port: 53 },
	{ direction: "egress", protocol: "tcp", remote: "10.1.0.10", port: 25 },
	{ direction: "ingress", protocol: "tcp", remote: "10.1.0.10", port: 443 },
] as const;
const enforced = [false, false, false, false, true];
const open = [true, true, true, true, true];

const passes = () => rig.prober.send(probes);
const panicOpen = () => portward("panic-open", "--reason", "drill");

async function blocked(daemon: Daemon): Promise<number> {
	const metrics = await daemon.metrics();
	return (
		metrics.get(
			'portward_policy_packets_total{policy="a",rule="0",direction="ingress",action="Block",hook="input"}',
		) ?? 0
	);
}

test("with a daemon: everything passes, it is told everywhere, and resume enforces again with the counters as they were", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	expect(await passes()).toEqual(enforced);
	await eventually("the count", async () => (await blocked(daemon)) === 2);
	const opening = panicOpen();
	expect(opening).toMatchObject({ code: 0, error: "" });
	expect(opening.out).toContain("the daemon has opened the network table");
	expect(await passes()).toEqual(open);
	const ready = await daemon.get("/readyz");
	expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("drill")]);
	const told: unknown = await (await daemon.get("/v1/status")).json();
	expect(told).toMatchObject({
		panic: { since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/), reason: "drill" },
		enforcers: { network: { state: "open" } },
		policies: [{ name: "a", enforced: false }],
	});
	expect((await daemon.metrics()).get("portward_panic_open")).toBe(1);
	expect(portward("status").out).toStartWith("OPEN: nothing is enforced on the network: panic-open since");
	await daemon.alert(
		"the opening",
		({ Tags, EventData }) => Tags === "PANIC" && EventData.Reason === "drill",
	);
	expect(await blocked(daemon)).toBe(2);
	expect(portward("resume")).toEqual({
		code: 0,
		out: "the network policies are enforced again\n",
		error: "",
	});
	expect(await passes()).toEqual(enforced);
	await daemon.ready();
	expect(await daemon.status()).toMatchObject({ panic: null, enforcers: { network: { state: "active" } } });
	await eventually("the count", async () => (await blocked(daemon)) === 4);
	expect((await daemon.metrics()).get("portward_panic_open")).toBe(0);
	expect((await daemon.metrics()).get("portward_drift_total")).toBe(0);
	await eventually("both alerts", () => daemon.alerts.filter(({ Tags }) => Tags === "PANIC").length === 2);
});

test("reloads, changes by others and a lost table close nothing while it stands", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	expect(panicOpen().code).toBe(0);
	rig.home.put("b.yaml", policy("b", { action: "Block", ingress: [{ ports: [port("TCP", 443)] }] }));
	await eventually("the new policy", async () => (await daemon.status()).policies.length === 2);
	daemon.signal("SIGHUP");
	await eventually("a reload", () => daemon.log.includes("reloading"));
	expect(await passes()).toEqual(open);
	rig.lab.guarded.nft("flush chain inet kubearmor ingress\nadd rule inet kubearmor ingress drop\n");
	await eventually("the repair", async () => (await passes()).every((passed) => passed));
	rig.lab.guarded.nft("delete table inet kubearmor\n");
	await Bun.sleep(300);
	expect(await passes()).toEqual(open);
	expect(portward("resume").code).toBe(0);
	expect(await passes()).toEqual([false, false, false, false, false]);
});

test("with a daemon that hangs: it is opened without it, and stays open when the daemon goes on", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	daemon.signal("SIGSTOP");
	const opening = panicOpen();
	expect(opening.code).toBe(0);
	expect(opening.error).toContain("does not answer");
	expect(await passes()).toEqual(open);
	daemon.signal("SIGCONT");
	await daemon.alert("the opening", ({ Tags }) => Tags === "PANIC");
	await Bun.sleep(500);
	expect(await passes()).toEqual(open);
	expect((await daemon.get("/readyz")).status).toBe(503);
	expect((await daemon.metrics()).get("portward_drift_total")).toBe(0);
	expect(portward("resume").code).toBe(0);
	expect(await passes()).toEqual(enforced);
});

test("a daemon that is killed and started again leaves it open, and alerts of it", async () => {
	const first = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	expect(panicOpen().code).toBe(0);
	await first.stop("SIGKILL");
	expect(await passes()).toEqual(open);
	await using second = Daemon.spawn(rig.lab.guarded, { flags: ["--strict"] }, rig.home);
	await second.alert("the opening", ({ Tags }) => Tags === "PANIC");
	await eventually("the policies", async () => {
		const status = await second.status().catch(() => null);
		return status?.policies.length === 1;
	});
	expect(await passes()).toEqual(open);
	expect((await second.get("/readyz")).status).toBe(503);
	expect(portward("resume").code).toBe(0);
	expect(await passes()).toEqual(enforced);
	await second.ready();
});

test("without a daemon: the rules that the last one left are opened and closed; one that starts between leaves it open", async () => {
	const first = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	await passes();
	await first.stop();
	expect(await passes()).toEqual(enforced);
	expect(panicOpen()).toMatchObject({ code: 0, error: "" });
	expect(await passes()).toEqual(open);
	expect(portward("resume").out).toContain("are in force again");
	expect(await passes()).toEqual(enforced);
	await using second = await Daemon.start(rig.lab.guarded, {}, rig.home);
	await eventually("the counts of all three", async () => (await blocked(second)) === 6);
});

test("a machine that starts anew with the record blocks nothing until resume", async () => {
	writePanic(rig.home.state, "drill", Date.now());
	await using daemon = Daemon.spawn(rig.lab.guarded, { policies }, rig.home);
	await daemon.alert("the opening", ({ Tags }) => Tags === "PANIC");
	await eventually("the policies", async () => {
		const status = await daemon.status().catch(() => null);
		return status?.policies.length === 1;
	});
	expect(await passes()).toEqual(open);
	expect(rig.lab.guarded.run(["nft", "list", "tables"])).toBe("");
	expect(portward("resume").code).toBe(0);
	expect(await passes()).toEqual(enforced);
});

test("without a daemon and after a reboot, resume puts back the ruleset that was saved", async () => {
	const first = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	await eventually("the saved ruleset", () => existsSync(join(rig.home.state, "boot.json")));
	expect(panicOpen().code).toBe(0);
	await first.stop();
	// What a kernel was told is forgotten when it ends.
	rig.lab.guarded.nft("delete table inet kubearmor\n");
	expect(portward("restore").out).toContain("until portward resume");
	expect(await passes()).toEqual(open);
	expect(portward("resume")).toMatchObject({ code: 0, error: "" });
	expect(await passes()).toEqual(enforced);
});

test("a record that gets damaged closes nothing, is told, and is ended by resume", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	expect(panicOpen().code).toBe(0);
	writeFileSync(panicPath(rig.home.state), "garbage");
	await eventually("the word of it", () => daemon.log.includes("the record of panic-open is damaged"));
	daemon.signal("SIGHUP");
	await eventually("a reload", () => daemon.log.includes("reloading"));
	expect(await passes()).toEqual(open);
	expect(portward("resume").code).toBe(0);
	expect(await passes()).toEqual(enforced);
	expect(readPanic(rig.home.state)).toEqual({ open: false, problem: null });
});

test("a record that nobody told the daemon of counts within seconds, and so does its end", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	writePanic(rig.home.state, "drill", Date.now());
	await eventually("the opening", async () => (await passes()).every((passed) => passed));
	clearPanic(rig.home.state);
	await eventually("the end", async () => !(await passes()).slice(0, 4).some((passed) => passed));
	await daemon.ready();
});

test("connections that came up while it was open and that a policy blocks end at resume; others go on", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	const [link] = rig.lab.links;
	if (link === undefined) throw new Error("a rig.lab without links");
	expect(panicOpen().code).toBe(0);
	using banned = await Conversation.open(rig.lab.peer, rig.lab.guarded, "tcp", link.local4, 80);
	using welcome = await Conversation.open(rig.lab.peer, rig.lab.guarded, "tcp", link.local4, 443);
	for (const conversation of [banned, welcome]) expect(await conversation.say(2000)).toBe("echo");
	expect(portward("resume").code).toBe(0);
	expect(await banned.say(300)).not.toBe("echo");
	expect(await welcome.say(2000)).toBe("echo");
	await daemon.ready();
});

test("rules that an earlier daemon left are opened also where the running one enforces none", async () => {
	const first = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	await first.stop();
	await using _second = await Daemon.start(
		rig.lab.guarded,
		{ config: { enableNetworkPolicyEnforcer: false } },
		rig.home,
	);
	expect(await passes()).toEqual(enforced);
	expect(panicOpen()).toMatchObject({ code: 0, error: "" });
	expect(await passes()).toEqual(open);
	expect(portward("resume")).toMatchObject({ code: 0, error: "" });
	expect(await passes()).toEqual(enforced);
});

test("a daemon with another state directory is found out", async () => {
	using other = new Home();
	await using _daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	const { code, error } = portward("panic-open", "--reason", "drill", "--state-dir", other.state);
	expect(code).toBe(1);
	expect(error).toContain("--state-dir");
	expect(await passes()).toEqual(enforced);
});

test("while 30 000 addresses load, it opens within seconds, stays open when they are there, and resume enforces them", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	const large = policy("large", {
		action: "Block",
		ingress: [
			{
				from: Array.from({ length: 30_000 }, (_, index) =>
					block(`11.${(index >> 15) & 255}.${(index >> 7) & 255}.${(index << 1) & 255}/32`),
				),
			},
		],
	});
	const before = await daemon.reloads();
	rig.home.put("large.json", large);
	const started = performance.now();
	await Bun.sleep(700);
	expect(panicOpen().code).toBe(0);
	expect(performance.now() - started).toBeLessThan(15_000);
	expect(await passes()).toEqual(open);
	// Whatever the daemon was at, it comes to an end without closing anything.
	await eventually("the large policy", async () => (await daemon.status()).policies.length === 2, 60_000);
	for (let look = 0; look < 20; look++) {
		expect(await passes()).toEqual(open);
		await Bun.sleep(100);
	}
	expect((await daemon.get("/readyz")).status).toBe(503);
	expect(portward("resume").code).toBe(0);
	await eventually("the policies", async () => (await passes()).join() === enforced.join(), 60_000);
	await daemon.ready(60_000);
	expect(
		await rig.prober.send([{ direction: "ingress", protocol: "udp", remote: "11.0.0.2", port: 9 }]),
	).toEqual([false]);
	expect(await daemon.reloads()).toBeGreaterThan(before);
});
