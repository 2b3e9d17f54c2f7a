/** The daemon as `portward run` puts it together, with its real threads, in this process and a network of its own. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { control } from "../../src/cli/change/control-client.ts";
import type { Config } from "../../src/config/model.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { confine } from "../../src/daemon/confinement.ts";
import { Daemon } from "../../src/daemon/daemon.ts";
import type { WorkerName } from "../../src/daemon/daemon-options.ts";
import type { SettingsReading } from "../../src/daemon/monitors/settings-monitor.ts";
import type { Alert } from "../../src/report/alert.ts";
import type { StatusDocument } from "../../src/report/status.ts";
import { controlPath } from "../../src/serve/control/control-protocol.ts";
import { devicePolicy } from "../enforcers/usb/support/shapes.ts";
import { policy, port } from "../system/support/case.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";
import { eventually } from "../system/support/netns.ts";

const workers: Readonly<Record<WorkerName, string>> = {
	policy: "daemon/policy",
	nft: "enforcers/network/run/nft",
	nflog: "enforcers/network/observe/nflog",
	drift: "enforcers/network/observe/drift",
	history: "enforcers/network/run/history/history",
	uevent: "enforcers/usb/observe/uevent",
	usb: "enforcers/usb/run/usb",
	sinks: "sinks/sinks",
	grpc: "serve/grpc/grpc",
};

let network: IsolatedNetwork;
let root: string;
let config: Config;
let daemon: Daemon;
const logged: string[] = [];

beforeEach(() => {
	network = enterIsolatedNetwork();
	root = mkdtempSync(join(tmpdir(), "portward-daemon."));
	mkdirSync(join(root, "policies"));
	logged.length = 0;
	config = {
		...defaultConfig(),
		enableUSBDeviceHandler: false,
		policyDir: join(root, "policies"),
		stateDir: join(root, "state"),
		status: { ...defaultConfig().status, address: `unix:${join(root, "status.sock")}` },
		alerts: { ...defaultConfig().alerts, stdout: false, file: join(root, "alerts.log") },
	};
});
afterEach(async () => {
	await daemon.stop();
	network.leave();
	rmSync(root, { recursive: true });
});

const reading = (settings: Config | null): SettingsReading => ({
	config: settings,
	diagnostics:
		settings === null
			? [
					{
						file: "/c.yaml",
						line: 3,
						column: 1,
						path: "",
						severity: "error",
						code: "c",
						message: "a typo",
						hint: "",
					},
				]
			: [],
	source: settings === null ? null : { file: "/c.yaml", text: "" },
});

async function start(settings: SettingsReading = reading(config)): Promise<void> {
	const note = (message: string) => void logged.push(message);
	const opened = await Daemon.open({
		config,
		settings,
		checkPermissions: false,
		confinement: confine({ ...config, confinement: "off" }),
		build: { version: "0", commit: "" },
		log: { info: note, warn: note, error: note },
		createWorker: (name) => new Worker(new URL(`../../src/${workers[name]}.worker.ts`, import.meta.url)),
	});
	if (!opened.ok) throw new Error(opened.message);
	daemon = opened.daemon;
	await daemon.run();
}

const put = (name: string, text: string) => writeFileSync(join(config.policyDir, name), text);
const blocking = (name: string, number: number) =>
	policy(name, { action: "Block", ingress: [{ ports: [port("TCP", number)] }] });
const get = async (path: string) =>
	await (await fetch(`http://localhost${path}`, { unix: join(root, "status.sock") })).text();
const status = async (): Promise<StatusDocument> => JSON.parse(await get("/v1/status"));
const loaded = () => command("nft", "list", "table", "inet", "kubearmor");
const alerts = (): Alert[] =>
	readFileSync(join(root, "alerts.log"), "utf8")
		.trim()
		.split("\n")
		.map((line) => JSON.parse(line));

describe("with confirm: required", () => {
	beforeEach(() => {
		config = { ...config, confirm: "required" };
	});

	const pending = () => eventually("a pending change", async () => (await status()).pending);
	const rollBack = async () =>
		expect(await control(controlPath(config.stateDir), { verb: "rollback", id: null })).toMatchObject({
			ok: true,
		});

	test("a change that was rolled back is not tried again by itself, and is by a reload", async () => {
		await start();
		put("a.yaml", blocking("a", 42717));
		const { id } = await pending();
		await rollBack();
		expect((await status()).pending).toBe(null);
		expect(await get("/readyz")).toContain("was rolled back, as nobody confirmed it");
		// The reload that put the policies of before in force again did not fail.
		expect(await get("/readyz")).not.toContain("the last reload failed");
		expect(loaded()).not.toContain("42717");
		const outcome = await daemon.reload(reading(config));
		expect(outcome).toMatchObject({
			ok: true,
			message: expect.stringContaining("waits for its confirmation"),
		});
		const again = await pending();
		expect(again.id).not.toBe(id);
		expect(loaded()).toContain("42717");
		expect(await get("/readyz")).toContain("ready");
	});

	test("a reload while a change is pending waits for nothing where the directory is as it was", async () => {
		await start();
		put("a.yaml", blocking("a", 42717));
		await pending();
		await daemon.reload(reading({ ...config, nodeLabels: { role: "web" } }));
		expect(await status()).toMatchObject({ pending: { waiting: false }, nodeLabels: { role: "web" } });
		put("b.yaml", blocking("b", 42718));
		await eventually("the next change", async () => (await status()).pending?.waiting);
	});
});

test("a host policy does not count as in force by a network policy with its name", async () => {
	put("net.yaml", blocking("same", 42717));
	put("usb.yaml", devicePolicy("same", [{ class: "MASS-STORAGE" }], { action: "Block" }));
	await start();
	const { policies } = await status();
	expect(policies).toMatchObject([
		{ kind: "KubeArmorNetworkPolicy", enforced: true },
		{ kind: "KubeArmorHostPolicy", enforced: false, packets: 0, bytes: 0 },
	]);
});

describe("settings that are broken", () => {
	test("leave what is in force, are told everywhere, and fail the reload, until they are right again", async () => {
		put("a.yaml", blocking("a", 42717));
		await start();
		const broken = await daemon.reload(reading(null));
		expect(broken).toMatchObject({ ok: false, message: expect.stringContaining("/c.yaml:3:1: a typo") });
		const sentence = "settings on disk are broken, the old ones are in force";
		expect(await get("/readyz")).toContain(sentence);
		const told = await status();
		expect(told.settings).toEqual({ problem: "/c.yaml:3:1: a typo", restart: "last-good" });
		expect(told.warnings.join("\n")).toContain(sentence);
		expect(await get("/metrics")).toContain("portward_settings_ok 0");
		expect(loaded()).toContain("42717");
		await daemon.reload(reading(null));
		expect(alerts().filter(({ Tags }) => Tags === "SETTINGS")).toMatchObject([
			{ Resource: "/c.yaml", Message: expect.stringContaining(sentence) },
		]);
		expect(await daemon.reload(reading(config))).toEqual({
			ok: true,
			message: "reloaded: what is on disk is in force",
		});
		expect(await get("/readyz")).toBe("ready: what is on disk is enforced\n");
	});

	test("at a start, while older ones hold, are told and alerted", async () => {
		await start(reading(null));
		expect((await status()).settings).toEqual({ problem: "/c.yaml:3:1: a typo", restart: "fails" });
		expect(await get("/readyz")).toContain("a restart will fail");
		expect(alerts()).toMatchObject([{ Tags: "SETTINGS" }]);
	});
});

test("a reload says which policies are broken and which settings wait for a restart", async () => {
	await start();
	put("a.yaml", "apiVersion: [");
	const outcome = await daemon.reload(reading({ ...config, clusterName: "other" }));
	expect(outcome.ok).toBe(false);
	expect(outcome.message).toContain("a.yaml:1");
	expect(outcome.message).toContain("take effect at the next start: clusterName");
});

test("the control socket's reload does what the signal does", async () => {
	await start();
	put("a.yaml", blocking("a", 42717));
	const reply = await control(controlPath(config.stateDir), { verb: "reload" });
	expect(reply).toEqual({ ok: true, message: "reloaded: what is on disk is in force" });
	expect(loaded()).toContain("42717");
});
