/** The executable serves KubeArmor's clients, confined as it is: Debian's gRPC for Python reads alerts of real packets. */

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, clientCommand } from "../../serve/grpc/support/client.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const address = "127.0.0.1:32767";
const attackScript = join(import.meta.dir, "../../serve/grpc/support/attack.ts");

const client = (target: string, ...words: readonly string[]) =>
	new Client(rig.lab.guarded.inside(clientCommand(target, words)));
const watch = (target: string, method: string) => client(target, "watch", method, '{"Filter":"all"}', "0");

/** Blocks one packet to each of these ports; each is an alert of its own. */
async function blocked(first: number, count: number): Promise<void> {
	const packets = Array.from({ length: count }, (_, index) => ({
		direction: "ingress" as const,
		protocol: "tcp" as const,
		remote: "10.1.0.10",
		port: first + index,
	}));
	expect(await rig.prober.send(packets)).toEqual(packets.map(() => false));
}

interface Api {
	readonly state: string;
	readonly subscribers: { readonly alerts: number; readonly messages: number };
	readonly errors: number;
}

async function api(daemon: Daemon): Promise<Api | null> {
	const status: unknown = JSON.parse(await (await daemon.get("/v1/status")).text());
	return (status as { kubearmorApi: Api | null }).kubearmorApi;
}

async function configure(daemon: Daemon, kubearmorApi: unknown): Promise<void> {
	const settings = JSON.parse(readFileSync(rig.home.config, "utf8"));
	await daemon.after(() => {
		writeFileSync(rig.home.config, JSON.stringify({ ...settings, kubearmorApi }));
		daemon.signal("SIGHUP");
	});
}

const threads = (pid: number) => readdirSync(`/proc/${pid}/task`).length;

test("confined, over TCP and a unix socket; attacks cost nobody his stream", async () => {
	const health = join(rig.home.path, "health.sock");
	const policies = { "a.yaml": blocks("a", 1000, 1999) };
	const config = { kubearmorApi: { address, healthAddress: `unix:${health}` } };
	await using daemon = await Daemon.start(rig.lab.guarded, { policies, config }, rig.home);
	expect((await daemon.status()).confinement).toMatchObject({
		systemCalls: { active: true },
		files: { active: true, detail: "" },
	});
	await eventually("it is served", async () => (await api(daemon))?.state === "serving");
	expect((statSync(health).mode & 0o777).toString(8)).toBe("600");
	using probe = client(`unix:${health}`, "call", "Check", '{"service":"feeder.LogService"}');
	expect(await probe.next()).toEqual({ status: 1 });
	using alerts = watch(address, "WatchAlerts");
	using messages = watch(address, "WatchMessages");
	await eventually("both", async () => {
		const known = (await api(daemon))?.subscribers;
		return known?.alerts === 1 && known.messages === 1;
	});
	await blocked(1000, 20);
	const ports = (taken: readonly unknown[]) =>
		taken.map((each) =>
			Number((each as { EventData: { DestinationPort: string } }).EventData.DestinationPort),
		);
	const first = await alerts.take(20);
	expect(ports(first).toSorted((a, b) => a - b)).toEqual(
		Array.from({ length: 20 }, (_, index) => 1000 + index),
	);
	expect(first[0]).toMatchObject({
		PolicyName: "a",
		Action: "Block",
		Type: "MatchedNetworkPolicy",
		Operation: "NetworkFirewall",
		Resource: "INGRESS",
		Enforcer: "NetworkPolicyEnforcer",
		Result: "Permission denied",
		ExecEvent: {},
	});
	const attacking = Bun.spawnSync(rig.lab.guarded.inside([process.execPath, attackScript, "32767"]));
	expect(attacking.exitCode).toBe(0);
	await blocked(1100, 5);
	expect(ports(await alerts.take(5)).toSorted()).toEqual([1100, 1101, 1102, 1103, 1104]);
	await daemon.after(() => daemon.signal("SIGHUP"));
	const said: unknown = await messages.next();
	expect(said).toMatchObject({ Type: "Message", Level: "INFO", Message: "reloading" });
	await eventually("what was sent", async () => {
		return ((await daemon.metrics()).get('portward_kubearmor_api_sent_total{feed="alerts"}') ?? 0) >= 25;
	});
	expect((await daemon.metrics()).get("portward_kubearmor_api_errors_total")).toBeGreaterThan(0);
	// The stream goes on over other settings, ends with the daemon, and so does the socket's file.
	await daemon.stop("SIGTERM");
	expect(await alerts.next()).toEqual({ code: "UNAVAILABLE" });
	expect(existsSync(health)).toBe(false);
}, 180_000);

test("off it has no thread; SIGHUP switches it on and off; what everybody could read is refused", async () => {
	await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	expect(await api(daemon)).toBeNull();
	const before = threads(daemon.pid);
	await configure(daemon, { address });
	await eventually("it is served", async () => (await api(daemon))?.state === "serving");
	expect(threads(daemon.pid)).toBeGreaterThan(before);
	await configure(daemon, { address: "0.0.0.0:32767" });
	expect(await api(daemon)).toMatchObject({ state: "refused" });
	expect((await daemon.status()).warnings).toContainEqual(expect.stringContaining("everybody who can reach"));
	using refused = client(address, "call", "HealthCheck", "{}");
	expect(await refused.next()).toMatchObject({ code: "UNAVAILABLE" });
	await configure(daemon, {});
	expect(await api(daemon)).toBeNull();
	expect([...(await daemon.metrics()).keys()].filter((name) => name.includes("kubearmor_api"))).toEqual([]);
}, 180_000);
