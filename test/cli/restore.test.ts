import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InstanceLock } from "../../ffi/lock.ts";
import { runRestore } from "../../src/cli/restore.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { BootStore } from "../../src/enforcers/network/run/boot-state.ts";
import { PolicyEngine } from "../../src/engine/policy-engine.ts";
import { clearPanic, writePanic } from "../../src/state/panic.ts";
import { FakeKernel } from "../enforcers/usb/support/fake-usb.ts";
import { told } from "../engine/support/told.ts";
import { policy, port } from "../system/support/case.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";
import { devicePolicy } from "../vm/lab/portward.ts";
import { CapturedIo, Files, portward } from "./support/portward.ts";

/** What packets meet after restoring is shown in test/system/daemon/restore.test.ts. */
describe("restore", () => {
	let network: IsolatedNetwork;
	beforeAll(() => {
		network = enterIsolatedNetwork();
	});
	afterEach(() => command("nft", "flush", "ruleset"));
	afterAll(() => network.leave());

	/** A config file and a state directory. No test here may lock the USB of the machine that it runs on. */
	function place(files: Files, settings: Readonly<Record<string, unknown>> = {}) {
		const stateDir = join(files.path, "state");
		mkdirSync(stateDir, { mode: 0o700, recursive: true });
		const policyDir = join(files.path, "policies");
		mkdirSync(policyDir, { recursive: true });
		const config = files.config({
			table: "mine",
			stateDir,
			policyDir,
			enableUSBDeviceHandler: false,
			...settings,
		});
		return { config, stateDir };
	}

	test("knows nothing at the first start, and says so", async () => {
		using files = new Files();
		const { config } = place(files);
		const { code, out, error } = await portward("restore", "--config", config);
		expect([code, error]).toEqual([0, ""]);
		expect(out).toContain("nothing to restore");
		expect(command("nft", "list", "tables")).toBe("");
	});

	test("with bootPolicy block loads a table, which stays at the second time", async () => {
		using files = new Files();
		const { config } = place(files, { bootPolicy: "block" });
		expect(await portward("restore", "--config", config)).toMatchObject({ code: 0, error: "" });
		expect(command("nft", "list", "tables")).toBe("table inet mine\n");
		expect((await portward("restore", "--config", config)).out).toContain("already");
	});

	test("fails where all that is known is damaged", async () => {
		using files = new Files();
		const { config, stateDir } = place(files);
		writeFileSync(join(stateDir, "boot.json"), "torn");
		files.put("policies/a.yaml", "{");
		const { code, error } = await portward("restore", "--config", config);
		expect(code).toBe(1);
		expect(error).toContain("boot.json");
		expect(error).toContain("NOTHING IS BLOCKED");
	});

	test("believes nothing of a directory that others can write", async () => {
		using files = new Files();
		const { config, stateDir } = place(files);
		chmodSync(stateDir, 0o770);
		const { error } = await portward("restore", "--config", config);
		expect(error).toContain("not believed");
	});

	test("has nothing to do where a daemon of this namespace runs", async () => {
		using files = new Files();
		const { config } = place(files, { bootPolicy: "block" });
		const held = InstanceLock.acquire("mine");
		if (!held.ok) throw new Error("the lock is not free");
		const { code, out } = await portward("restore", "--config", config);
		held.lock.release();
		expect(code).toBe(0);
		expect(out).toContain("runs here");
		expect(command("nft", "list", "tables")).toBe("");
	});

	/** What a daemon leaves that has put these policies in force. */
	function leave(files: Files, policies: Readonly<Record<string, string>>, table = "mine"): void {
		const directory = join(files.path, "policies");
		for (const [name, text] of Object.entries(policies)) files.put(`policies/${name}.yaml`, text);
		const config = { ...defaultConfig(), policyDir: directory, stateDir: join(files.path, "state"), table };
		const settings = {
			directory,
			stateDirectory: config.stateDir,
			checkPermissions: true,
			hostname: "h",
			config,
		};
		const { plan, usbLock } = told(new PolicyEngine(settings).reload(config));
		const facts = { table, form: "concatenated" as const, nflogGroup: config.nflogGroup };
		expect(new BootStore(config.stateDir).save(plan, facts, { usbLock })).toBeNull();
	}

	const blocking = policy("a", { action: "Block", ingress: [{ ports: [port("TCP", 81)] }] });
	const noSticks = devicePolicy("no-sticks", "Block", "class: MASS-STORAGE");

	/** On a machine whose sysfs is a stand-in, so that USB may be locked. */
	async function restore(sysfs: string, ...args: readonly string[]) {
		const io = new CapturedIo();
		return { code: await runRestore(args, io, sysfs), out: io.out_, error: io.error_ };
	}

	test("puts back the ruleset that was saved, and locks USB where that is in force", async () => {
		using files = new Files();
		const { config } = place(files, { enableUSBDeviceHandler: true });
		leave(files, { a: blocking, usb: noSticks });
		const kernel = new FakeKernel();
		expect(await restore(kernel.root, "--config", config)).toEqual({
			code: 0,
			out: expect.stringMatching(/^USB is locked\ntable inet mine is in force again, from /),
			error: "",
		});
		expect(command("nft", "list", "table", "inet", "mine")).toContain("81");
		// In a file on disk something of the value before is left behind the one that was written.
		expect(kernel.readText("module/usbcore/parameters/authorized_default")).toMatch(/^0/);
		kernel.remove();
	});

	test("says where the kernel has no USB yet, and fails where it cannot be locked", async () => {
		using files = new Files();
		const { config } = place(files, { enableUSBDeviceHandler: true });
		leave(files, { usb: noSticks });
		expect(await restore(join(files.path, "none"), "--config", config)).toMatchObject({
			code: 0,
			out: expect.stringContaining("the kernel has none yet"),
		});
		const kernel = new FakeKernel();
		const attribute = join(kernel.root, "bus/usb/devices/usb1/authorized_default");
		rmSync(attribute);
		symlinkSync("/dev/full", attribute);
		const { code, error } = await restore(kernel.root, "--config", config);
		expect(code).toBe(1);
		expect(error).toContain("USB: ");
		expect(error).toContain("usb1");
		kernel.remove();
	});

	test("after panic-open, or where packets are not filtered, loads nothing but locks USB", async () => {
		using files = new Files();
		const { config, stateDir } = place(files, { enableUSBDeviceHandler: true });
		leave(files, { a: blocking, usb: noSticks });
		const kernel = new FakeKernel();
		expect(writePanic(stateDir, "locked out", Date.now())).toBeNull();
		const open = await restore(kernel.root, "--config", config);
		expect([open.code, open.error]).toEqual([0, ""]);
		expect(open.out).toContain("after panic-open (locked out)");
		expect(open.out).toContain("USB is locked");
		expect(command("nft", "list", "ruleset")).not.toContain("81");
		clearPanic(stateDir);
		const off = place(files, { enableUSBDeviceHandler: true, enableNetworkPolicyEnforcer: false });
		const disabled = await restore(kernel.root, "--config", off.config);
		expect(disabled.code).toBe(0);
		expect(disabled.out).toContain("enableNetworkPolicyEnforcer is false");
		expect(disabled.out).toContain("USB is locked");
		expect(command("nft", "list", "ruleset")).not.toContain("81");
		kernel.remove();
	});

	test("with bootPolicy open and nothing to load, warns and is content", async () => {
		using files = new Files();
		const { config, stateDir } = place(files, { bootPolicy: "open" });
		writeFileSync(join(stateDir, "boot.json"), "torn");
		const { code, error } = await portward("restore", "--config", config);
		expect(code).toBe(0);
		expect(error).toContain("nothing is blocked until the daemon runs");
		expect(command("nft", "list", "tables")).toBe("");
	});

	test("with a broken config file goes by what was saved, and says by what", async () => {
		using files = new Files();
		const { stateDir } = place(files);
		leave(files, { a: blocking }, "other");
		const config = files.put("config.yaml", "table: [");
		const { code, out, error } = await portward("restore", "--config", config, "--state-dir", stateDir);
		expect(code).toBe(0);
		expect(out).toContain("table inet other is in force again");
		expect(error).toContain(`table other and state directory ${stateDir} are taken`);
		expect(command("nft", "list", "table", "inet", "other")).toContain("81");
	});

	test("where all policies have gone there is nothing to filter, and it says so", async () => {
		using files = new Files();
		const { config, stateDir } = place(files);
		const facts = { table: "mine", form: "concatenated" as const, nflogGroup: 4242 };
		expect(new BootStore(stateDir).save(null, facts, { usbLock: false })).toBeNull();
		expect(await portward("restore", "--config", config)).toMatchObject({
			code: 0,
			out: expect.stringContaining("filters no packets"),
		});
		expect(command("nft", "list", "tables")).toBe("");
	});

	test("takes no arguments", async () => {
		expect((await portward("restore", "now")).code).toBe(64);
		expect((await portward("restore", "--force")).code).toBe(64);
	});
});
