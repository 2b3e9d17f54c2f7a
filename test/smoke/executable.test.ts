/** The file that is shipped, started as badly as it can be. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { executable } from "../system/support/built.ts";
import { policy, port } from "../system/support/case.ts";
import { Daemon } from "../system/support/daemon.ts";
import { eventually, Lab } from "../system/support/netns.ts";
import { Prober } from "../system/support/probe.ts";

const root = resolve(import.meta.dir, "../..");
const hijack = 'require("node:fs").writeFileSync("taken-over", ""); console.log("TAKEN OVER");';
/** Where Bun would listen for a debugger. */
const inspector = "127.0.0.1:47619";

let directory: string;
const hostile = () => ({
	PATH: "/usr/bin:/bin",
	HOME: directory,
	XDG_CONFIG_HOME: directory,
	BUN_OPTIONS: `--preload ${directory}/taken.ts`,
	BUN_BE_BUN: "1",
	BUN_INSPECT: `ws://${inspector}/`,
	BUN_INSPECT_CONNECT_TO: `ws://${inspector}/`,
	BUN_INSPECT_PRELOAD: `${directory}/taken.ts`,
	NODE_OPTIONS: `--require ${directory}/taken.ts`,
});

beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-hostile-"));
	const write = (name: string, content: string) => writeFileSync(join(directory, name), content);
	write("taken.ts", hijack);
	write("index.ts", hijack);
	write("bunfig.toml", 'preload = ["./taken.ts"]\n[run]\npreload = ["./taken.ts"]\n');
	write(".bunfig.toml", 'preload = ["./taken.ts"]\n');
	write(".env", "TAKEN_OVER=1\nBUN_BE_BUN=1\n");
	write("package.json", '{"type": "commonjs", "main": "index.ts", "imports": {"#x": "./taken.ts"}}');
	write("tsconfig.json", '{"compilerOptions": {"baseUrl": ".", "paths": {"*": ["./taken.ts"]}}}');
	for (const library of ["libnftables.so.1", "libc.so.6", "libudev.so.1"]) write(library, "not a library");
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(...argv: string[]) {
	const { exitCode, stdout, stderr } = Bun.spawnSync([executable(), ...argv], {
		cwd: directory,
		env: hostile(),
	});
	return { code: exitCode, out: stdout.toString(), error: stderr.toString() };
}

describe("in a hostile directory and environment", () => {
	test("version says what it is", () => {
		const { version }: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
		const result = run("version");
		expect(result.error).toBe("");
		expect(result.out).toStartWith(`portward ${version} (`);
		expect(result.code).toBe(0);
	});

	test.each([["--help"], ["help"]])("%s names every command", (flag) => {
		const result = run(flag);
		for (const command of [
			"run",
			"validate",
			"render",
			"explain",
			"status",
			"alerts",
			"release",
			"version",
		]) {
			expect(result.out).toContain(command);
		}
		expect(result.code).toBe(0);
	});

	test.each([
		["-e", "console.log(1)"],
		["frobnicate"],
		["version", "--frobnicate"],
		["run", "--policy-dir"],
		[],
	])("wrong usage is 64 and explained: %s %s", (...argv) => {
		const result = run(...argv);
		expect(result.out).toBe("");
		expect(result.error).not.toBe("");
		expect(result.code).toBe(64);
	});

	test("nothing that lay there has run", () => {
		expect(Bun.spawnSync(["ls", join(directory, "taken-over")]).exitCode).not.toBe(0);
	});
});

test("the same sources give the same bytes", async () => {
	const digests = ["first", "second"].map((name) => {
		const output = join(directory, name, "portward");
		const built = Bun.spawnSync([process.execPath, "build.ts", "--outfile", output], { cwd: root });
		expect(built.stderr.toString()).toBe("");
		return new Bun.SHA256().update(readFileSync(output)).digest("hex");
	});
	expect(digests[0]).toBe(digests[1] ?? "");
});

test("the daemon does its whole job there without starting a process", async () => {
	using lab = await Lab.create();
	using prober = new Prober(lab);
	const trace = join(directory, "trace");
	const calls = "execve,execveat,fork,vfork,clone,clone3";
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "a.yaml": policy("first", { action: "Block", ingress: [{ ports: [port("TCP", 80)] }] }) },
		cwd: directory,
		env: hostile(),
		// -D: strace is the child, so that the daemon keeps the process id that gets the signals.
		under: ["strace", "-D", "-f", "-qq", "-s", "0", "-e", `trace=${calls}`, "-e", "signal=none", "-o", trace],
	});
	const dropped = { direction: "ingress", protocol: "tcp", remote: "203.0.113.9" } as const;
	expect(await prober.send([{ ...dropped, port: 80 }])).toEqual([false]);
	await daemon.alert("of the first policy", (alert) => alert.PolicyName === "first");

	await daemon.after(() =>
		daemon.home.put("b.yaml", policy("second", { action: "Block", ingress: [{ ports: [port("TCP", 81)] }] })),
	);
	expect(await prober.send([{ ...dropped, port: 81 }])).toEqual([false]);
	lab.guarded.run(["nft", "flush", "ruleset"]);
	await eventually("the repair", async () => !(await prober.send([{ ...dropped, port: 80 }]))[0]);
	for (const path of ["/healthz", "/readyz", "/metrics", "/v1/status", "/v1/alerts", "/"]) {
		expect((await daemon.get(path)).status).toBe(200);
	}
	const reloads = await daemon.reloads();
	daemon.signal("SIGHUP");
	await eventually("the reload", async () => (await daemon.reloads()) > reloads);
	expect(await daemon.stop()).toBe(0);

	const traced = readFileSync(trace, "utf8").trim().split("\n");
	// "???(" is a thread that ended before strace could read what it was about to do.
	const starts = traced.filter((line) => !/CLONE_THREAD| resumed>|\?\?\?\(/u.test(line));
	expect(starts).toEqual([expect.stringContaining("execve(")]);
	// Its threads were seen, so the trace did see what there was to see.
	expect(traced.length).toBeGreaterThan(3);
});
