import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InstanceLock } from "../../../ffi/lock.ts";
import { controlPath } from "../../../src/serve/control/control-protocol.ts";
import { ControlServer } from "../../../src/serve/control/control-server.ts";
import { panicPath, readPanic } from "../../../src/state/panic.ts";
import { block, policy } from "../../system/support/case.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../system/support/isolated.ts";
import { Files, portward } from "../support/portward.ts";

const opened = 'accept comment "opened by portward panic-open"';

/** A table of ours in the kernel, as a daemon that ended left it. */
async function leftBehind(files: Files): Promise<string> {
	const config = files.config({ table: "mine", stateDir: files.path });
	files.put("a.yaml", policy("a", { action: "Block", ingress: [{ from: [block("192.0.2.0/24")] }] }));
	const { out } = await portward("render", "--policy-dir", files.path, "--config", config);
	command("nft", "-f", files.put(".rules.nft", out));
	return config;
}

const chain = (direction: string) => command("nft", "list", "chain", "inet", "mine", direction);

describe("panic-open and resume", () => {
	let network: IsolatedNetwork;
	beforeAll(() => {
		network = enterIsolatedNetwork();
	});
	afterAll(() => network.leave());

	test("without a daemon open the table in the kernel, and close it as it was", async () => {
		using files = new Files();
		const config = await leftBehind(files);
		const before = command("nft", "list", "ruleset");
		const opening = await portward("panic-open", "--reason", "drill\u001b[2J", "--config", config);
		expect(opening).toMatchObject({ code: 0, error: "" });
		expect(opening.out).toStartWith("table inet mine lets everything pass\n");
		for (const direction of ["ingress", "egress"]) expect(chain(direction)).toContain(opened);
		expect(readPanic(files.path)).toMatchObject({ open: true, record: { reason: "drill [2J" } });
		expect(await portward("resume", "--config", config)).toEqual({
			code: 0,
			out: "no daemon answers\nthe rules that table inet mine holds are in force again\n",
			error: "",
		});
		expect(command("nft", "list", "ruleset")).toBe(before);
		expect(readPanic(files.path).open).toBe(false);
		expect((await portward("resume", "--config", config)).out).toStartWith("panic-open does not stand");
		command("nft", "delete", "table", "inet", "mine");
	});

	test("record it where there is no table: it counts for what starts later", async () => {
		using files = new Files();
		const config = files.config({ table: "mine", stateDir: files.path });
		const { code, out } = await portward("panic-open", "--reason", "r", "--config", config);
		expect([code, out]).toEqual([0, expect.stringContaining("nothing is blocked")]);
		expect(readPanic(files.path).open).toBe(true);
		expect((await portward("resume", "--config", config)).out).toContain("there is nothing to restore");
	});

	test("leave a table of that name that is not ours", async () => {
		using files = new Files();
		command("nft", "add", "table", "inet", "mine");
		const config = files.config({ table: "mine", stateDir: files.path });
		expect(await portward("panic-open", "--reason", "r", "--config", config)).toMatchObject({
			code: 1,
			error: expect.stringContaining("was not made by portward"),
		});
		expect(command("nft", "list", "ruleset")).toBe("table inet mine {\n}\n");
		expect((await portward("resume", "--config", config)).code).toBe(1);
		command("nft", "delete", "table", "inet", "mine");
	});

	test("work with broken settings, on the defaults, and say so", async () => {
		using files = new Files();
		const config = files.put(".config", "tabel: mine\n");
		const { code, error } = await portward(
			"panic-open",
			"--reason",
			"r",
			"--config",
			config,
			"--state-dir",
			files.path,
		);
		expect(code).toBe(0);
		expect(error).toContain("tabel");
		expect(error).toContain(`table kubearmor and state directory ${files.path}`);
		expect(readPanic(files.path).open).toBe(true);
	});

	test("a damaged record is written anew, and resume removes one", async () => {
		using files = new Files();
		const config = files.config({ table: "mine", stateDir: files.path });
		writeFileSync(panicPath(files.path), "garbage");
		expect(
			(await portward("status", "--config", config, "--status-address", "unix:/nowhere")).error,
		).toContain("the record of panic-open is damaged");
		expect((await portward("panic-open", "--reason", "again", "--config", config)).code).toBe(0);
		expect(readPanic(files.path)).toMatchObject({ problem: null, record: { reason: "again" } });
		writeFileSync(panicPath(files.path), "garbage");
		expect((await portward("resume", "--config", config)).code).toBe(0);
		expect(readPanic(files.path)).toEqual({ open: false, problem: null });
	});

	test("where it cannot be recorded, open what no daemon would close again, and fail", async () => {
		using files = new Files();
		await leftBehind(files);
		const blocker = files.put(".file", "");
		const config = files.config({ table: "mine", stateDir: join(blocker, "state") });
		const held = InstanceLock.acquire("mine");
		if (!held.ok) throw new Error("the lock is not free");
		const refused = await portward("panic-open", "--reason", "r", "--config", config);
		held.lock.release();
		expect(refused).toMatchObject({ code: 1, out: "", error: expect.stringContaining("stop the daemon") });
		expect(chain("ingress")).not.toContain(opened);
		const done = await portward("panic-open", "--reason", "r", "--config", config);
		expect(done).toMatchObject({
			code: 1,
			error: expect.stringContaining("until the daemon or the machine starts"),
		});
		expect(chain("ingress")).toContain(opened);
		expect(await portward("resume", "--config", config)).toMatchObject({ code: 1 });
		const elsewhere = ["--state-dir", join(files.path, "none")];
		expect((await portward("resume", "--config", config, ...elsewhere)).out).toContain("are in force again");
		expect(chain("ingress")).not.toContain(opened);
		expect((await portward("resume", "--config", config, ...elsewhere)).out).toContain("does not stand");
		command("nft", "delete", "table", "inet", "mine");
	});

	test("a daemon's own words come first, and what it cannot do is done without it", async () => {
		using files = new Files();
		const config = await leftBehind(files);
		chmodSync(files.path, 0o700);
		const asked: string[] = [];
		const server = await ControlServer.open({
			path: controlPath(files.path),
			perform: async ({ verb }) => {
				asked.push(`${verb}: ${readPanic(files.path).open}`);
				return { ok: asked.length !== 2, message: `answer ${asked.length}\u001b` };
			},
		});
		if (!server.ok) throw new Error(server.error);
		const first = await portward("panic-open", "--reason", "r", "--config", config);
		expect(first.code).toBe(0);
		// What it says is held against the kernel.
		expect(first.out).toStartWith("answer 1\\x1b\ntable inet mine lets everything pass\n");
		expect(chain("ingress")).toContain(opened);
		command("nft", "flush", "chain", "inet", "mine", "ingress");
		const second = await portward("panic-open", "--reason", "r", "--config", config);
		expect(second.error).toContain("the daemon: answer 2\\x1b");
		expect(chain("ingress")).toContain(opened);
		expect((await portward("resume", "--config", config)).out).toBe(
			"answer 3\\x1b\nthe rules that table inet mine holds are in force again\n",
		);
		expect(chain("ingress")).not.toContain(opened);
		expect(asked).toEqual(["panic-open: true", "panic-open: true", "resume: false"]);
		server.server.stop();
		command("nft", "delete", "table", "inet", "mine");
	});
});

test("panic-open wants a reason that can be read", async () => {
	for (const args of [[], ["--reason", " \u0000\u202e "], ["--reason", "r", "more"]]) {
		expect((await portward("panic-open", ...args)).code).toBe(64);
	}
});

test("neither changes anything for another user than root", async () => {
	using files = new Files();
	const config = files.config({ table: "mine", stateDir: files.path });
	const geteuid = process.geteuid;
	process.geteuid = () => 1000;
	try {
		expect(await portward("panic-open", "--reason", "r", "--config", config)).toMatchObject({
			code: 1,
			out: "",
		});
		expect(await portward("resume", "--config", config)).toMatchObject({ code: 1, out: "" });
	} finally {
		if (geteuid !== undefined) process.geteuid = geteuid;
	}
	expect(readFileSync(config, "utf8")).toContain("mine");
	expect(readPanic(files.path).open).toBe(false);
});
