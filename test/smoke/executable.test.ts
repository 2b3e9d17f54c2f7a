/** The file that is shipped, started as badly as it can be. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { sealOf, withoutEntryCode } from "../support/sealed.ts";
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
/** Every name in the runtime that looks like a variable of it; and two families whose names it puts together. */
let names: readonly string[];
/** The executable without the code before its entry point: what the environment can do to the runtime alone. */
let bare: string;

const hostile = (): Record<string, string> => ({
	...Object.fromEntries(names.map((name) => [name, `${directory}/taken.ts`])),
	PATH: "/usr/bin:/bin",
	HOME: directory,
	XDG_CONFIG_HOME: directory,
	BUN_INSTALL: directory,
	BUN_OPTIONS: `--preload ${directory}/taken.ts`,
	BUN_BE_BUN: "1",
	BUN_INSPECT: `ws://${inspector}/`,
	BUN_INSPECT_CONNECT_TO: `ws://${inspector}/`,
	BUN_INSPECT_NOTIFY: `unix://${directory}/inspector.sock`,
	BUN_INSPECT_PRELOAD: `${directory}/taken.ts`,
	BUN_CONFIG_REGISTRY: `http://${inspector}/`,
	BUN_CONFIG_VERBOSE_FETCH: "curl",
	BUN_JSC_dumpOptions: "1",
	BUN_JSC_functionOverrides: `${directory}/overrides`,
	BUN_JSC_useJIT: "0",
	JSC_dumpOptions: "1",
	NODE_OPTIONS: `--require ${directory}/taken.ts --inspect=${inspector}`,
	NODE_PATH: `${directory}/node_modules`,
	NODE_CHANNEL_FD: "0",
});

beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-hostile-"));
	const write = (name: string, content: string) => {
		mkdirSync(dirname(join(directory, name)), { recursive: true });
		writeFileSync(join(directory, name), content);
	};
	write("taken.ts", hijack);
	write("index.ts", hijack);
	write("bunfig.toml", 'preload = ["./taken.ts"]\n[run]\npreload = ["./taken.ts"]\n');
	write(".bunfig.toml", 'preload = ["./taken.ts"]\n');
	for (const name of [".env", ".env.local", ".env.production"]) write(name, "TAKEN_OVER=1\nBUN_BE_BUN=1\n");
	write(
		"package.json",
		'{"type": "commonjs", "main": "index.ts", "imports": {"#x": "./taken.ts"}, "scripts": {"run": "touch taken-over"}}',
	);
	write("tsconfig.json", '{"compilerOptions": {"baseUrl": ".", "paths": {"*": ["./taken.ts"]}}}');
	write("overrides", 'override {return value} with {throw "TAKEN OVER"}\n');
	for (const name of ["yaml", "valibot", "ipaddr.js", "bun:ffi", "node:fs"])
		write(`node_modules/${name}/index.js`, hijack);
	for (const path of new Bun.Glob("**/*.worker.ts").scanSync({ cwd: join(root, "src") })) {
		for (const name of [path, path.replace(".ts", ".js"), `src/${path}`]) write(name, hijack);
	}
	for (const library of ["libnftables.so.1", "libc.so.6", "libudev.so.1"]) write(library, "not a library");

	const bytes = readFileSync(executable());
	const found = bytes
		.toString("latin1")
		.matchAll(/\b((?:BUN|NODE|JSC|WTF|ICU|MIMALLOC|mimalloc|UV|GITHUB|npm_config)_[A-Za-z0-9_]{2,60})\0/gu);
	names = [...new Set([...found].map(([, name = ""]) => name))];
	bare = join(directory, "bare");
	writeFileSync(bare, withoutEntryCode(bytes), { mode: 0o755 });
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

	test("what is printed does not depend on any of it", () => {
		const policies = join(root, "policies/as-meant");
		const clean = Bun.spawnSync([executable(), "validate", policies], { cwd: "/", env: {} });
		const { code, out, error } = run("validate", policies);
		expect([code, out, error]).toEqual([clean.exitCode, clean.stdout.toString(), clean.stderr.toString()]);
		expect(code).toBe(0);
	});

	test("the runtime alone would obey it", () => {
		// So many names that none can be looked after by itself.
		expect(names.length).toBeGreaterThan(500);
		const obeyed = Bun.spawnSync([bare, "version"], {
			cwd: directory,
			env: { BUN_JSC_dumpOptions: "1", BUN_JSC_functionOverrides: "overrides" },
		});
		expect(obeyed.stderr.toString()).toContain("functionOverrides=");
		expect(
			Bun.spawnSync([bare, "version"], { cwd: directory, env: hostile() }).stdout.toString(),
		).not.toStartWith("portward ");
	});

	test("the program holds no import that is decided at run time", () => {
		const bytes = readFileSync(executable());
		const { program, words } = sealOf(bytes);
		const text = bytes.toString("latin1", program, program + 8 * words);
		expect(text).toContain("new Worker(");
		const imports = [...text.matchAll(/\b(?:import|require|__require|eval|Function)\([^)]{0,40}\)/gu)].map(
			([found]) => found,
		);
		// Parts of the program itself, by name: the runtime finds them in this file. And of the runtime's own, which no
		// folder can stand in for.
		const parts = /^(?:import|require)\("\/\$bunfs\/root\/chunk-[a-z0-9]+\.js"\)$/u;
		const own = new Set(builtinModules.map((name) => `__require("${name}")`));
		expect(imports.filter((found) => parts.test(found)).length).toBeGreaterThan(0);
		expect(imports.filter((found) => !parts.test(found) && !own.has(found))).toEqual([]);
	});

	test.each(["bun", "bunx", "node", "-bun"])("under the name %s it is still portward", (name) => {
		const link = join(directory, "links", name);
		mkdirSync(dirname(link), { recursive: true });
		symlinkSync(executable(), link);
		for (const argv of [
			["version"],
			["-e", "console.log(6 * 7)"],
			["./taken.ts"],
			["run", "taken.ts"],
			["--preload=./taken.ts", "version"],
		]) {
			const { stdout, exitCode } = Bun.spawnSync([link, ...argv], {
				argv0: name,
				cwd: directory,
				env: hostile(),
				stdin: Buffer.from(hijack),
			});
			const out = stdout.toString();
			expect([argv, exitCode, out.startsWith("portward ")]).toEqual([
				argv,
				argv.length === 1 && argv[0] === "version" ? 0 : 64,
				argv[0] === "version",
			]);
		}
	});

	test("nothing that lay there has run", () => {
		expect(existsSync(join(directory, "taken-over"))).toBe(false);
	});
});

/** The dynamic loader reads these before any instruction of the file: the units clear them, ARCHITECTURE.md names them. */
test("LD_PRELOAD is what the file cannot stop", () => {
	const [source, library] = [join(directory, "preload.c"), join(directory, "preload.so")];
	writeFileSync(
		source,
		'#include <unistd.h>\n__attribute__((constructor)) static void loaded(void) { write(1, "LOADED\\n", 7); }\n',
	);
	expect(Bun.spawnSync(["gcc", "-shared", "-fPIC", "-w", "-o", library, source]).exitCode).toBe(0);
	const { stdout } = Bun.spawnSync([executable(), "version"], {
		cwd: directory,
		env: { LD_PRELOAD: library },
	});
	expect(stdout.toString()).toStartWith("LOADED\nportward ");
	for (const unit of ["portward.service", "portward-restore.service"]) {
		const text = readFileSync(join(root, "packaging/systemd", unit), "utf8");
		const cleared = [...text.matchAll(/^UnsetEnvironment=(.*)$/gmu)].flatMap(([, list = ""]) =>
			list.split(" "),
		);
		for (const name of ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GLIBC_TUNABLES", "GCONV_PATH"])
			expect(cleared).toContain(name);
	}
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
