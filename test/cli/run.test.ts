/** What `run` refuses before it starts; the system tests start it. */

import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../src/cli/run.ts";
import { defaultConfigFile, readSettings } from "../../src/cli/settings.ts";
import { CapturedIo, Files } from "./support/portward.ts";

async function run(...args: string[]) {
	const io = new CapturedIo();
	const command = runCommand(() => {
		throw new Error("a daemon was started");
	});
	const code = await command.run(args, io).catch((error: Error) => error.message);
	return { code, error: io.error_, out: io.out_ };
}

describe("run refuses", () => {
	test.each([
		[["policies"], "is not expected here"],
		[["--log-format", "xml"], "--log-format is text or json"],
		[["--status-address", "everywhere"], "--status-address"],
		[["--stric"], "did you mean --strict?"],
	])("%p as wrong usage", async (args, text) => {
		using files = new Files();
		expect((await run(...args, "--config", files.config())).code).toContain(text);
	});

	test("settings with errors", async () => {
		using files = new Files();
		const { code, error } = await run("--config", files.put(".config", "alerts: {stdot: true}\n"));
		expect(code).toBe(1);
		expect(error).toContain("stdout");
	});

	test("settings and policy directories that others can write, with the remedy", async () => {
		using files = new Files();
		const config = files.config();
		const directory = join(files.path, "policies");
		mkdirSync(directory);
		chmodSync(directory, 0o777);
		const open = await run("--policy-dir", directory, "--config", config);
		expect(open).toMatchObject({ code: 1, out: "" });
		expect(open.error).toContain("chmod go-w");
		chmodSync(config, 0o666);
		const settings = await run("--policy-dir", directory, "--config", config);
		expect(settings.code).toBe(1);
		expect(settings.error).toContain("[insecure-permissions]");
		expect(settings.error).toContain("--insecure-permissions");
	});

	test("a state directory that others can write, where signatures are required with --insecure-permissions as well", async () => {
		using files = new Files();
		const state = join(files.path, "state");
		mkdirSync(state);
		chmodSync(state, 0o777);
		const config = files.config({ stateDir: state, policyDir: files.path, policySignature: "required" });
		for (const more of [[], ["--insecure-permissions"]]) {
			const { code, error } = await run("--config", config, ...more);
			expect([code, error]).toEqual([1, expect.stringContaining("the state directory")]);
		}
	});
});

describe("settings", () => {
	test("a missing default file means defaults; a named one must be there", () => {
		const named = readSettings({ config: "/nowhere/config.yaml" }, false);
		expect(named.config).toBeNull();
		expect(named.diagnostics).toMatchObject([{ file: "/nowhere/config.yaml", code: "unreadable-file" }]);
		expect(defaultConfigFile).toBe("/etc/portward/config.yaml");
	});

	test("flags win over the file; relative paths count from the working directory", () => {
		using files = new Files();
		const config = files.config({
			policyDir: "/from/file",
			stateDir: "/state",
			status: { address: "127.0.0.1:1" },
		});
		const flags = { config, "policy-dir": "some/dir", "status-address": "unix:/run/p.sock" };
		const read = readSettings(flags, false);
		expect(read.config).toMatchObject({
			policyDir: join(process.cwd(), "some/dir"),
			stateDir: "/state",
			status: { address: "unix:/run/p.sock" },
		});
		expect(read).toMatchObject({ diagnostics: [], file: config });
	});

	test("a file larger than a settings file can be is refused unread", () => {
		using files = new Files();
		const config = files.put(".config", `# ${"x".repeat(1024 * 1024)}\n`);
		expect(readSettings({ config }, false).diagnostics).toMatchObject([{ code: "file-too-large" }]);
	});
});
