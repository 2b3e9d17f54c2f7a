import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InstanceLock } from "../../ffi/lock.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";
import { Files, portward } from "./support/portward.ts";

/** What packets meet after restoring is shown in test/system/restore.test.ts. */
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
		mkdirSync(stateDir, { mode: 0o700 });
		const policyDir = join(files.path, "policies");
		mkdirSync(policyDir);
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

	test("takes no arguments", async () => {
		expect((await portward("restore", "now")).code).toBe(64);
		expect((await portward("restore", "--force")).code).toBe(64);
	});
});
