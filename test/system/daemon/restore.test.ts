/** What `portward restore` puts in force at boot, with real packets: after a daemon that ran, and after damage. */

import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../support/built.ts";
import { policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";
import { flood, type Target } from "../support/traffic.ts";

const rig = eachOnRig();
const { blockedPorts } = rig;

const table = "kubearmor";

const run = (...argv: readonly string[]) =>
	rig.lab.guarded.try([executable(), ...argv, "--config", rig.home.config]);
const restore = () => run("restore");
const state = (name: string) => join(rig.home.state, name);
const damage = (name: string) => writeFileSync(state(name), "portward-state-1 torn");

/** Lets a daemon confirm policies, then takes from the kernel what a reboot takes. */
async function rebooted(
	config: Readonly<Record<string, unknown>> = {},
	...versions: readonly Readonly<Record<string, string | null>>[]
): Promise<void> {
	const daemon = await Daemon.start(rig.lab.guarded, { config }, rig.home);
	for (const files of versions) {
		for (const [name, content] of Object.entries(files))
			await daemon.after(() => rig.home.put(name, content));
	}
	expect(await daemon.stop()).toBe(0);
	rig.lab.guarded.nft(`delete table inet ${table}`);
	expect(await blockedPorts(80, 81)).toEqual([]);
}

test.each(["concatenated", "nested"])(
	"what the daemon enforced is in force again; a second time changes nothing; the daemon takes it over: %s",
	async (rulesetForm) => {
		await rebooted({ rulesetForm }, { "a.yaml": blocks("a", 80) });
		expect(restore()).toMatchObject({ code: 0, error: "", out: expect.stringContaining("saved ruleset") });
		expect(await blockedPorts(80, 81)).toEqual([80]);
		// How long the kernel keeps what it saw is another time at each look.
		const list = () =>
			rig.lab.guarded.run(["nft", "list", "table", "inet", table]).replaceAll(/ expires \w+/gu, "");
		const listing = list();
		expect(restore()).toMatchObject({ code: 0, error: "", out: expect.stringContaining("already") });
		expect(list()).toBe(listing);
		await using daemon = await Daemon.start(rig.lab.guarded, { config: { rulesetForm } }, rig.home);
		// Counted under the restored ruleset, and still counted.
		await eventually(
			"the count",
			async () => (await daemon.status()).policies.find(({ name }) => name === "a")?.packets === 1,
		);
		expect(await blockedPorts(80, 81)).toEqual([80]);
		expect(restore()).toMatchObject({ code: 0, out: expect.stringContaining("runs here") });
	},
);

test("a change that waits for its confirmation does not outlive the boot; once confirmed it does", async () => {
	const fresh = join(rig.home.path, "fresh");
	mkdirSync(fresh);
	writeFileSync(join(fresh, "b.yaml"), blocks("b", 81));
	const reboot = async (daemon: Daemon) => {
		await daemon.stop("SIGKILL");
		rig.lab.guarded.nft(`delete table inet ${table}`);
		expect(restore().code).toBe(0);
	};
	const apply = () =>
		expect(run("apply", "--policy-dir", fresh, "--confirm-within", "120s")).toMatchObject({ code: 0 });
	const first = await Daemon.start(rig.lab.guarded, { policies: { "a.yaml": blocks("a", 80) } }, rig.home);
	apply();
	expect(await blockedPorts(80, 81)).toEqual([81]);
	await reboot(first);
	expect(await blockedPorts(80, 81)).toEqual([80]);
	rmSync(join(rig.home.state, "pending.json"), { force: true });
	rmSync(join(rig.home.state, "pending.previous.json"), { force: true });
	const second = await Daemon.start(rig.lab.guarded, {}, rig.home);
	expect(await blockedPorts(80, 81)).toEqual([80]);
	apply();
	expect(run("confirm")).toMatchObject({ code: 0 });
	await eventually("the state", () => readFileSync(state("boot.json"), "utf8").includes("b ingress"));
	await reboot(second);
	expect(await blockedPorts(80, 81)).toEqual([81]);
});

test("no packet that is blocked passes while the daemon takes the restored table over", async () => {
	const targets: Target[] = (["tcp", "udp"] as const).flatMap((protocol) =>
		Array.from({ length: 20 }, (_, index): Target[] => [
			{ expect: "pass", protocol, remote: `10.1.${index}.1`, local: "198.18.0.1", port: 81 },
			{ expect: "drop", protocol, remote: `10.1.${index}.1`, local: "198.18.0.1", port: 80 },
		]).flat(),
	);
	const both = policy("a", { action: "Block", ingress: [{ ports: [port("TCP", 80), port("UDP", 80)] }] });
	await rebooted({}, { "a.yaml": both });
	expect(restore().code).toBe(0);
	const rate = 30_000;
	const flooding = flood(rig.lab, { interface: "eth0", targets, packets: rate * 3, rate });
	await Bun.sleep(200);
	await using _daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	expect(await flooding).toMatchObject({ wronglyDropped: 0, wronglyPassed: 0, uncounted: 0 });
});

describe("a table of ours that is not whole", () => {
	/** Each leaves the table as something that died, or somebody, might have. */
	const cases: readonly (readonly [string, string])[] = [
		[
			"without base chains, as after a load that was killed",
			`delete chain inet ${table} ingress; delete chain inet ${table} egress`,
		],
		["with a root that leads nowhere", `flush chain inet ${table} root_ingress`],
		["with a base chain that leads nowhere", `flush chain inet ${table} ingress`],
		["flushed", `flush table inet ${table}`],
	];
	test.each(cases)("%s", async (_, commands) => {
		await rebooted({}, { "a.yaml": blocks("a", 80) });
		restore();
		expect(await blockedPorts(80, 81)).toEqual([80]);
		rig.lab.guarded.nft(commands.replaceAll("; ", "\n"));
		expect(await blockedPorts(80, 81)).toEqual([]);
		expect(restore()).toMatchObject({ code: 0, error: "", out: expect.stringContaining("again") });
		expect(await blockedPorts(80, 81)).toEqual([80]);
		expect(rig.lab.guarded.run(["nft", "list", "table", "inet", table])).toContain("packets 2");
	});

	test("is left alone where it is somebody else's", async () => {
		await rebooted({}, { "a.yaml": blocks("a", 80) });
		rig.lab.guarded.nft(`table inet ${table} {\n\tchain theirs {\n\t}\n}\n`);
		expect(restore()).toMatchObject({ code: 1, error: expect.stringContaining("not made by portward") });
		expect(rig.lab.guarded.run(["nft", "list", "ruleset"])).toBe(
			`table inet ${table} {\n\tchain theirs {\n\t}\n}\n`,
		);
	});
});

describe("damage", () => {
	const twoVersions = [{ "a.yaml": blocks("a", 80) }, { "b.yaml": blocks("b", 81) }];

	test("of the newest ruleset: the one before it is used", async () => {
		await rebooted({}, ...twoVersions);
		damage("boot.json");
		expect(restore()).toMatchObject({ code: 0, error: expect.stringContaining("boot.json") });
		expect(await blockedPorts(80, 81)).toEqual([80]);
	});

	test("of both: the last good policies are compiled, though others are on disk by now", async () => {
		await rebooted({}, ...twoVersions);
		damage("boot.json");
		damage("boot.previous.json");
		rig.home.put("a.yaml", null);
		expect(restore()).toMatchObject({ code: 0, out: expect.stringContaining("last good") });
		expect(await blockedPorts(80, 81)).toEqual([80, 81]);
	});

	test("of all state: the policies on disk are compiled", async () => {
		await rebooted({}, ...twoVersions);
		for (const name of ["boot", "last-good"]) {
			damage(`${name}.json`);
			damage(`${name}.previous.json`);
		}
		rig.home.put("a.yaml", null);
		expect(restore()).toMatchObject({ code: 0, out: expect.stringContaining(rig.home.policies) });
		expect(await blockedPorts(80, 81)).toEqual([81]);
	});

	test("of all state and of the policies is a failure, and said", async () => {
		await rebooted({}, { "a.yaml": blocks("a", 80) });
		for (const name of ["boot.json", "boot.previous.json", "last-good.json", "last-good.previous.json"])
			damage(name);
		rig.home.put("a.yaml", "{");
		expect(restore()).toMatchObject({ code: 1, error: expect.stringContaining("NOTHING IS BLOCKED") });
	});

	test("of a ruleset that is whole but that the kernel refuses: the next one is used", async () => {
		await rebooted({}, ...twoVersions);
		const refused = Bun.spawnSync([
			process.execPath,
			"-e",
			`import { readState, writeState } from ${JSON.stringify(join(import.meta.dir, "../../../src/state/state-file.ts"))};
			const path = ${JSON.stringify(state("boot.json"))};
			const { value } = readState(path);
			value.plan.objects.push({ kind: "chain", name: "x_bad", rules: ["no such rule"] });
			const before = await Bun.file(${JSON.stringify(state("boot.previous.json"))}).bytes();
			console.log(writeState(path, value));
			await Bun.write(${JSON.stringify(state("boot.previous.json"))}, before);`,
		]);
		expect(refused.stdout.toString()).toBe("null\n");
		expect(restore()).toMatchObject({ code: 0, error: expect.stringContaining("cannot be loaded") });
		expect(await blockedPorts(80, 81)).toEqual([80]);
	});

	test("of a state directory that others may write: nothing of it is believed", async () => {
		await rebooted({}, { "a.yaml": blocks("a", 80) });
		rig.home.put("a.yaml", blocks("a", 81));
		chmodSync(rig.home.state, 0o777);
		expect(restore()).toMatchObject({ code: 0, error: expect.stringContaining("not believed") });
		expect(await blockedPorts(80, 81)).toEqual([81]);
	});

	test("of the config file: what was saved is loaded all the same", async () => {
		await rebooted({}, { "a.yaml": blocks("a", 80) });
		writeFileSync(rig.home.config, "bootPolicy: [");
		expect(run("restore", "--state-dir", rig.home.state)).toMatchObject({
			code: 0,
			error: expect.stringContaining("config.yaml"),
		});
		expect(await blockedPorts(80, 81)).toEqual([80]);
	});
});

describe("without a usable state", () => {
	const start = (config: Readonly<Record<string, unknown>>, files: Readonly<Record<string, string>> = {}) => {
		for (const [name, content] of Object.entries(files)) rig.home.put(name, content);
		writeFileSync(
			rig.home.config,
			JSON.stringify({ policyDir: rig.home.policies, stateDir: rig.home.state, ...config }),
		);
		return restore();
	};

	test("the first start loads nothing and says so", async () => {
		expect(start({}, { "a.yaml": blocks("a", 80) })).toMatchObject({
			code: 0,
			error: "",
			out: expect.stringContaining("nothing is known"),
		});
		expect(rig.lab.guarded.run(["nft", "list", "tables"])).toBe("");
		rmSync(rig.home.state, { recursive: true });
		expect(restore()).toMatchObject({ code: 0, error: "" });
	});

	test("bootPolicy open loads nothing, and warns where there was something", async () => {
		damage("boot.json");
		expect(start({ bootPolicy: "open" })).toMatchObject({
			code: 0,
			error: expect.stringContaining("bootPolicy is open"),
		});
		expect(rig.lab.guarded.run(["nft", "list", "tables"])).toBe("");
	});

	test("bootPolicy block lets failsafe flows alone come up, until the agent has loaded its own", async () => {
		const failsafe = { ingress: [{ protocol: "TCP", cidr: "10.1.0.0/16", port: 22 }] };
		const config = { bootPolicy: "block", failsafe, enableUSBDeviceHandler: false };
		expect(start(config)).toMatchObject({ code: 0, out: expect.stringContaining("bootPolicy block") });
		expect(await blockedPorts(22, 80, 81)).toEqual([80, 81]);
		const egress = { direction: "egress", protocol: "tcp", remote: "10.1.0.10", port: 443 } as const;
		expect(await rig.prober.send([egress])).toEqual([false]);
		await using _daemon = await Daemon.start(
			rig.lab.guarded,
			{ config, policies: { "a.yaml": blocks("a", 80) } },
			rig.home,
		);
		expect(await blockedPorts(22, 80, 81)).toEqual([80]);
		expect(await rig.prober.send([egress])).toEqual([true]);
	});
});

test("after panic-open packets stay unfiltered, until resume", async () => {
	await rebooted({}, { "a.yaml": blocks("a", 80) });
	expect(run("panic-open", "--reason", "drill").code).toBe(0);
	expect(restore()).toMatchObject({ code: 0, out: expect.stringContaining("drill") });
	expect(await blockedPorts(80)).toEqual([]);
	expect(run("resume").code).toBe(0);
	expect(restore().code).toBe(0);
	expect(await blockedPorts(80)).toEqual([80]);
});

test("where packets are not to be filtered, none are", async () => {
	await rebooted({}, { "a.yaml": blocks("a", 80) });
	const config: unknown = JSON.parse(readFileSync(rig.home.config, "utf8"));
	writeFileSync(
		rig.home.config,
		JSON.stringify({ ...(config as object), enableNetworkPolicyEnforcer: false }),
	);
	expect(restore()).toMatchObject({ code: 0, error: "" });
	expect(await blockedPorts(80)).toEqual([]);
});
