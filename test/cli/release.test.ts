import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { InstanceLock } from "../../ffi/lock.ts";
import { release } from "../../src/cli/release.ts";
import { block, policy } from "../system/support/case.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";
import { CapturedIo, Files, portward } from "./support/portward.ts";

describe("release", () => {
	let network: IsolatedNetwork;
	beforeAll(() => {
		network = enterIsolatedNetwork();
	});
	afterAll(() => network.leave());

	test("removes our table, once, and nothing else", async () => {
		using files = new Files({
			"a.yaml": policy("a", { action: "Block", ingress: [{ from: [block("192.0.2.0/24")] }] }),
		});
		const config = files.config({ table: "mine" });
		const rendered = await portward("render", "--policy-dir", files.path, "--config", config);
		command("nft", "-f", files.put(".rules.nft", rendered.out));
		command("nft", "add", "table", "inet", "other");
		expect(await portward("release", "--config", config)).toEqual({
			code: 0,
			out: "table inet mine is removed: nothing is blocked any more\n",
			error: "",
		});
		expect(command("nft", "list", "tables")).toBe("table inet other\n");
		expect(await portward("release", "--config", config)).toEqual({
			code: 0,
			out: "there was nothing to release\n",
			error: "",
		});
		command("nft", "delete", "table", "inet", "other");
	});

	test("refuses while a daemon of this namespace holds the lock", async () => {
		using files = new Files();
		const config = files.config({ table: "mine" });
		const held = InstanceLock.acquire("mine");
		if (!held.ok) throw new Error("the lock is not free");
		const { code, out, error } = await portward("release", "--config", config);
		held.lock.release();
		expect([code, out]).toEqual([1, ""]);
		expect(error).toContain("stop it first");
		expect((await portward("release", "--config", config)).code).toBe(0);
	});

	test("leaves a table of that name that is not ours", async () => {
		using files = new Files();
		command("nft", "add", "table", "inet", "mine");
		const { code, error } = await portward("release", "--config", files.config({ table: "mine" }));
		expect(code).toBe(1);
		expect(error).toContain("was not made by portward");
		expect(command("nft", "list", "tables")).toBe("table inet mine\n");
		command("nft", "delete", "table", "inet", "mine");
	});
});

test("release takes no arguments and no settings that others can write", async () => {
	expect((await portward("release", "now")).code).toBe(64);
	const io = new CapturedIo();
	expect(await release.run(["--config", "/nowhere/config.yaml"], io)).toBe(1);
	expect(io.error_).toContain("name another file with --config");
});
