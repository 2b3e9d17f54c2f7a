/** A typo in the settings blinds nobody, fails the reload, and does not keep the daemon from starting. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../support/built.ts";
import { policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { Lab } from "../support/netns.ts";

const typo = "enforcement_mode: x\n";

let lab: Lab;
let home: Home;
beforeEach(async () => {
	lab = await Lab.create(["eth0"]);
	home = new Home();
	home.put("a.yaml", policy("a", { action: "Block", ingress: [{ ports: [port("TCP", 42717)] }] }));
});
afterEach(() => {
	home[Symbol.dispose]();
	lab[Symbol.dispose]();
});

const options = { config: { table: "other", essentials: false } };
const cli = (...args: readonly string[]) => lab.guarded.try([executable(), ...args, "--config", home.config]);
/** Keeps the settings readable for a person: where the state is stands in what is broken. */
const spoil = () => writeFileSync(home.config, `stateDir: ${home.state}\n${typo}`);

test("commands that ask the daemon still do, and a reload fails visibly and changes nothing", async () => {
	await using _daemon = await Daemon.start(lab.guarded, options, home);
	expect(cli("reload")).toMatchObject({ code: 0, out: "reloaded: what is on disk is in force\n" });
	spoil();
	const reload = cli("reload");
	expect(reload.code).toBe(1);
	expect(reload.error).toContain("settings on disk are broken, the old ones are in force");
	expect(reload.error).toContain(`${home.config}:2:1`);
	for (const command of [["status"], ["alerts"], ["usb", "list"]]) {
		const ended = cli(...command);
		expect(ended.error).toContain(`${home.config}:2:1`);
		expect(ended.error).toContain("the last good settings are used");
		if (command[0] !== "usb") expect(ended.code).toBe(0);
	}
	const status = cli("status");
	expect(status.out).toContain("settings on disk are broken, the old ones are in force");
	expect(status.out).toContain("a: enforced");
	expect(lab.guarded.run(["nft", "list", "table", "inet", "other"])).toContain("42717");
});

test("a start takes the last good settings, says so and alerts, and restore does as well", async () => {
	{
		await using _first = await Daemon.start(lab.guarded, options, home);
	}
	spoil();
	const restored = lab.guarded.try([executable(), "restore", "--config", home.config]);
	expect(restored).toMatchObject({
		code: 0,
		error: expect.stringContaining("the last good settings are used"),
	});
	expect(lab.guarded.run(["nft", "list", "table", "inet", "other"])).toContain("42717");
	const again = lab.guarded.inside([executable(), "run", "--config", home.config]);
	const child = Bun.spawn(again, { stdout: "pipe", stderr: "pipe" });
	try {
		const { value } = await child.stdout.getReader().read();
		const [line = ""] = new TextDecoder().decode(value).split("\n");
		expect(JSON.parse(line)).toMatchObject({
			Tags: "SETTINGS",
			Resource: home.config,
			Message: expect.stringContaining("settings on disk are broken"),
		});
	} finally {
		child.kill();
		await child.exited;
	}
	expect(await new Response(child.stderr).text()).toContain("the last good settings are used");
});

test("without settings of before a start fails, and says what is wrong", () => {
	spoil();
	expect(cli("run")).toMatchObject({
		code: 1,
		error: expect.stringContaining("no good settings of before are kept"),
	});
});

test("settings that others could have put into the state directory are not believed", async () => {
	{
		await using _first = await Daemon.start(lab.guarded, options, home);
	}
	spoil();
	lab.guarded.run(["chmod", "o+w", home.state]);
	expect(cli("run").code).toBe(1);
	rmSync(join(home.state, "settings.json"));
});
