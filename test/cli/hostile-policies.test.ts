/** What the offline commands say about directories that somebody laid out to hang, fill or mislead them. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { policy, port } from "../system/support/case.ts";
import { Files, portward } from "./support/portward.ts";

const good = policy("good", { action: "Block", ingress: [{ ports: [port("TCP", 23)] }] });

let files: Files;
let directory: string;
let settings: string[];
beforeEach(() => {
	files = new Files();
	directory = join(files.path, "new");
	for (const name of ["now", "new", "state"]) mkdirSync(join(files.path, name));
	const off = { enableNetworkPolicyEnforcer: false, enableUSBDeviceHandler: false };
	const places = { policyDir: join(files.path, "now"), stateDir: join(files.path, "state") };
	settings = ["--config", files.config({ ...places, ...off })];
	writeFileSync(join(directory, "good.yaml"), good);
});
afterEach(() => files[Symbol.dispose]());

function fifo(path: string): void {
	expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
}

const layouts: Readonly<Record<string, readonly [make: () => void, code: string]>> = {
	"a link to a file outside": [() => symlinkSync("/etc/passwd", join(directory, "a.yaml")), "link-outside"],
	"a link to a device": [() => symlinkSync("/dev/zero", join(directory, "a.yaml")), "link-outside"],
	"a link to itself": [() => symlinkSync("a.yaml", join(directory, "a.yaml")), "unreadable-file"],
	"a FIFO that nobody writes to": [() => fifo(join(directory, "a.yaml")), "not-a-file"],
	"a file of a terabyte": [
		() => {
			writeFileSync(join(directory, "a.yaml"), "");
			truncateSync(join(directory, "a.yaml"), 1024 ** 4);
		},
		"file-too-large",
	],
	"directories within directories": [
		() => {
			mkdirSync(join(directory, ...Array.from({ length: 40 }, () => "d")), { recursive: true });
		},
		"too-deep",
	],
	"a name that paints the terminal": [
		() => writeFileSync(join(directory, "a\u001b[2J\n.yaml"), "kind: ["),
		"yaml-syntax",
	],
};

describe.each(Object.entries(layouts))("%s", (_name, [make, code]) => {
	test("is an error with its place, in each command, at once", async () => {
		make();
		const started = performance.now();
		for (const words of [
			["validate", directory, ...settings],
			["plan", "--policy-dir", directory, ...settings],
			["explain", "--policy-dir", directory, ...settings, "ingress", "tcp", "192.0.2.1", "23"],
		]) {
			const { code: exit, out, error } = await portward(...words);
			expect([words[0], exit, error]).toEqual([words[0], 1, expect.stringContaining(`[${code}]`)]);
			expect(out + error).not.toContain("\u001b[2J");
			expect(error.startsWith(directory)).toBe(true);
		}
		expect(performance.now() - started).toBeLessThan(15_000);
	});
});

test("a directory that links to itself and out is read once, and nothing outside is, which is an error", async () => {
	symlinkSync(".", join(directory, "again"));
	expect((await portward("validate", directory, ...settings)).out).toBe("1 valid, 0 errors, 0 warnings\n");
	symlinkSync("/etc", join(directory, "etc"));
	const { code, out, error } = await portward("validate", directory, ...settings);
	expect([code, out]).toEqual([1, "1 valid, 1 error, 0 warnings\n"]);
	expect(error).toContain("etc:1:1: error: the link leads out of the policy directory [link-outside]");
	const plan = await portward("plan", "--policy-dir", directory, ...settings, "--json");
	expect([plan.code, plan.out]).toEqual([1, expect.stringContaining("link-outside")]);
});

test("a plan wants a directory, not a FIFO or a file", async () => {
	const pipe = join(files.path, "pipe");
	fifo(pipe);
	for (const path of [pipe, join(directory, "good.yaml")]) {
		const { code, error } = await portward("plan", "--policy-dir", path, ...settings);
		expect([code, error]).toEqual([1, expect.stringContaining("not-a-directory")]);
	}
});

test("a FIFO that nobody writes to hangs no command, as policies or as settings", async () => {
	const pipe = join(files.path, "pipe");
	fifo(pipe);
	for (const words of [
		["validate", pipe, ...settings],
		["validate", directory, "--config", pipe],
		["plan", "--policy-dir", directory, "--config", pipe],
	]) {
		const { code, error } = await portward(...words);
		expect([code, error]).toEqual([1, expect.stringContaining("nothing comes through this pipe")]);
	}
});

test("what somebody writes into a FIFO is read to its end", async () => {
	const pipe = join(files.path, "pipe");
	fifo(pipe);
	const writer = Bun.spawn(
		["sh", "-c", 'exec 3<>"$0"; echo ready; sleep 0.2; cat "$1" >&3', pipe, join(directory, "good.yaml")],
		{
			stdout: "pipe",
		},
	);
	for await (const _ready of writer.stdout) break;
	const { out } = await portward("validate", pipe, ...settings);
	expect(out).toBe("1 valid, 0 errors, 0 warnings\n");
	await writer.exited;
});
