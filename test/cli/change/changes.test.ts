/** apply, confirm and rollback: what they ask the daemon for, and what they make of its answer. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	type ControlReply,
	type ControlRequest,
	controlPath,
} from "../../../src/serve/control/control-protocol.ts";
import { ControlServer } from "../../../src/serve/control/control-server.ts";
import { block, policy } from "../../system/support/case.ts";
import { portward } from "../support/portward.ts";

let root: string;
let config: string;
let fresh: string;
let server: ControlServer | null;
let asked: ControlRequest[];
let answer: (request: ControlRequest) => ControlReply;
beforeEach(async () => {
	root = mkdtempSync(join(tmpdir(), "portward-changes."));
	[config, fresh] = [join(root, "config.yaml"), join(root, "fresh")];
	for (const name of ["fresh", "policies", "state"]) mkdirSync(join(root, name));
	writeFileSync(config, JSON.stringify({ policyDir: join(root, "policies"), stateDir: join(root, "state") }));
	writeFileSync(
		join(fresh, "a.yaml"),
		policy("a", { action: "Block", ingress: [{ from: [block("192.0.2.0/24")] }] }),
	);
	asked = [];
	answer = () => ({ ok: true, message: "fine" });
	const opened = await ControlServer.open({
		path: controlPath(join(root, "state")),
		perform: async (request) => {
			asked.push(request);
			return answer(request);
		},
	});
	server = opened.ok ? opened.server : null;
});
afterEach(() => {
	server?.stop();
	rmSync(root, { recursive: true });
});

describe("apply", () => {
	test("prints the plan, hands over a copy, and leaves none behind", async () => {
		let copied = "";
		answer = (request) => {
			if (request.verb === "apply") copied = readFileSync(join(request.directory, "a.yaml"), "utf8");
			return { ok: true, message: "in force" };
		};
		const done = await portward("apply", "--policy-dir", fresh, "--confirm-within", "2m", "--config", config);
		expect([done.code, done.out.includes("Block a ingress[0]"), done.out.endsWith("in force\n")]).toEqual([
			0,
			true,
			true,
		]);
		expect(asked).toMatchObject([{ verb: "apply", from: fresh, seconds: 120 }]);
		expect(copied).toBe(readFileSync(join(fresh, "a.yaml"), "utf8"));
		expect(readdirSync(join(root, "state/incoming"))).toEqual([]);
	});

	test("leaves the time to the daemon's settings where none is given", async () => {
		await portward("apply", "--policy-dir", fresh, "--config", config);
		expect(asked).toMatchObject([{ seconds: null }]);
	});

	test("fails with what the daemon says, each problem on a line of its own, without control characters", async () => {
		answer = () => ({ ok: false, message: "no\none\u001b[2J\ntwo" });
		const done = await portward("apply", "--policy-dir", fresh, "--config", config);
		expect(done.code).toBe(1);
		expect(done.error).toEndWith("portward: no\n    one\\x1b[2J\n    two\n");
	});

	test("does not hand over what others can write, unless that is insisted on", async () => {
		chmodSync(join(fresh, "a.yaml"), 0o666);
		const refused = await portward("apply", "--policy-dir", fresh, "--config", config);
		expect([refused.code, refused.error.includes(join(fresh, "a.yaml")), asked]).toEqual([1, true, []]);
		const flags = ["--insecure-permissions", "--config", config];
		expect((await portward("apply", "--policy-dir", fresh, ...flags)).code).toBe(0);
	});

	test("hands over what it cannot plan: what is in force may be what is broken", async () => {
		writeFileSync(join(fresh, "a.yaml"), "spec: [");
		answer = () => ({ ok: false, message: "not all of it is right" });
		const done = await portward("apply", "--policy-dir", fresh, "--config", config);
		expect([done.code, asked.length, done.error.includes("a.yaml:1:")]).toEqual([1, 1, true]);
	});

	test.each([
		[["--confirm-within", "60s"]],
		[["--policy-dir", "x", "--confirm-within", "9s"]],
		[["--policy-dir", "x", "--confirm-within", "25h"]],
		[["--policy-dir", "x", "--confirm-within", "soon"]],
	])("%p is wrong usage", async (args) => {
		expect((await portward("apply", ...args)).code).toBe(64);
	});
});

test("confirm and rollback name a change or whichever is pending", async () => {
	const id = "0123456789abcdef";
	expect(await portward("confirm", "--config", config)).toMatchObject({ code: 0, out: "fine\n" });
	expect((await portward("confirm", "--id", id, "--same-session", "--config", config)).code).toBe(0);
	expect((await portward("rollback", "--config", config)).code).toBe(0);
	expect((await portward("rollback", "--id", id, "--config", config)).code).toBe(0);
	expect(asked).toMatchObject([
		{ verb: "confirm", id: null, sameSession: false },
		{ verb: "confirm", id, sameSession: true },
		{ verb: "rollback", id: null },
		{ verb: "rollback", id },
	]);
	answer = () => ({ ok: false, message: "no change is pending" });
	for (const verb of ["confirm", "rollback"]) {
		expect(await portward(verb, "--config", config)).toMatchObject({
			code: 1,
			error: "portward: no change is pending\n",
		});
		expect((await portward(verb, "--id", "../../x", "--config", config)).code).toBe(64);
	}
});

describe("without a daemon", () => {
	const commands = [
		["apply", "--policy-dir", "fresh"],
		["confirm"],
		["rollback"],
		["reload"],
		["page"],
		["usb", "allow", "1-4", "--for", "10m"],
		["usb", "block", "1-4"],
	];

	test.each([...commands.map((command) => [command] as const)])(
		"%p says that it is stopped, what becomes of its rules, and how to start it",
		async (command) => {
			server?.stop();
			const words = command.map((word) => (word === "fresh" ? fresh : word));
			const done = await portward(...words, "--config", config);
			expect(done.code).toBe(1);
			expect(done.error).toContain("The daemon is not running. ");
			expect(done.error).toMatch(/rules .*in the kernel.* Start it with systemctl start portward/iu);
		},
	);

	test("whose state directory was named it asks whether that is right", async () => {
		const done = await portward("confirm", "--config", config, "--state-dir", join(root, "elsewhere"));
		expect([done.code, done.error.includes("is portward running")]).toEqual([1, true]);
		expect(done.error).not.toContain("The daemon is not running");
	});
});

test.each([[["usb", "block", "1-4"]], [["usb", "allow", "1-4", "--for", "10m"]], [["confirm"]]])(
	"%p asks the daemon though its settings are broken meanwhile",
	async (command) => {
		const broken = `{"stateDir": ${JSON.stringify(join(root, "state"))}, "tabel": "x"}`;
		writeFileSync(config, broken);
		const done = await portward(...command, "--config", config);
		expect([done.code, done.out, asked.length]).toEqual([0, "fine\n", 1]);
		expect(done.error).toContain("tabel");
	},
);
