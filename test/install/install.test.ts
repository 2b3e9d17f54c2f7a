/** install.sh, with the real release, on a host that is a directory. */

import { describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../src/config/parse.ts";
import { Sandbox } from "./sandbox.ts";
import { example, makeRules, script, shells, signedRelease, starts, text, units } from "./signed-release.ts";

const made = signedRelease();
const { install } = made;

describe("the script", () => {
	test.each(["sh", "dash"])("is clean under shellcheck for %s", (dialect) => {
		const { stdout, exitCode } = Bun.spawnSync(["shellcheck", "-s", dialect, script]);
		expect(stdout.toString()).toBe("");
		expect(exitCode).toBe(0);
	});

	test.each(shells)("that is cut off anywhere runs nothing: %s", (words) => {
		const [shell = "", ...applet] = words.split(" ");
		using sandbox = new Sandbox();
		const before = sandbox.snapshot();
		const lines = text.split("\n");
		const last = lines.findLastIndex((line) => line !== "");
		const prefixes = lines.slice(0, last).map((_, index) => `${lines.slice(0, index + 1).join("\n")}\n`);
		// Within the last line everything counts: a whole command could be left over.
		const line = lines[last] ?? "";
		const head = `${lines.slice(0, last).join("\n")}\n`;
		for (let length = 0; length < line.length; length++) prefixes.push(head + line.slice(0, length));
		const env = { PATH: sandbox.stubs };
		for (const prefix of prefixes) {
			const command = Bun.which(shell) ?? "";
			const argv = [command, ...applet, "-s", "--", "--from", made.release, "--root", sandbox.root];
			const { stdout } = Bun.spawnSync(argv, { env, stdin: Buffer.from(prefix) });
			if (stdout.length > 0) throw new Error(`${prefix.length} bytes: ${stdout}`);
		}
		expect(sandbox.snapshot()).toEqual(before);
		expect(sandbox.calls()).toEqual([]);
		expect(prefixes.length).toBeGreaterThan(400);
	});

	test("says how it is used", () => {
		using sandbox = new Sandbox();
		const help = sandbox.run(script, ["--help"]);
		expect(help.code).toBe(0);
		for (const option of text.matchAll(/^\t\t(--[a-z-]+)\)/gmu)) expect(help.out).toContain(option[1] ?? "");
		for (const argv of [
			["--frobnicate"],
			["--from"],
			["--purge"],
			["--keep-rules"],
			["--uninstall", "--purge", "--keep-rules"],
			["--from", "/none"],
			["--public-key", "/none"],
			[],
		]) {
			const result = sandbox.run(script, argv);
			expect([argv, result.code, result.out]).toEqual([argv, 64, ""]);
		}
	});
});

describe.each(shells)("installing with %s", (words) => {
	const shell = words.split(" ");
	test("puts each file in its place and starts portward; again changes nothing", () => {
		using sandbox = new Sandbox();
		const result = install(sandbox, [], { shell });
		expect(result.error).toBe("");
		expect(result.code).toBe(0);
		expect(result.out).toContain("nothing is blocked");
		const said = Bun.spawnSync([join(sandbox.root, "usr/local/bin/portward"), "version"]).stdout.toString();
		expect(said).toStartWith("portward ");
		for (const unit of units) {
			expect(sandbox.read(`etc/systemd/system/${unit}`)).toBe(
				readFileSync(join(made.release, "systemd", unit), "utf8"),
			);
		}
		const config = sandbox.read("etc/portward/config.yaml");
		expect(config).toStartWith(readFileSync(join(made.release, "config.yaml"), "utf8"));
		// Absent it means audit; who installs it anew wants no hole, and is told.
		const parsed = parseConfig("config.yaml", config);
		expect(parsed).toMatchObject({ ok: true, config: { guests: { forwarded: "enforce" } } });
		expect(result.out).toContain("Policies will hold for containers");
		expect(readdirSync(join(sandbox.root, "etc/portward/policies"))).toEqual([]);
		const modes = [
			"usr/local/bin/portward",
			"etc/portward/config.yaml",
			"etc/portward/policies",
			"var/lib/portward",
		];
		expect(modes.map((path) => sandbox.mode(path))).toEqual(["755", "644", "755", "700"]);
		expect(sandbox.calls().filter((call) => !call.includes("is-"))).toEqual(starts);

		const completions = {
			bash: "bash-completion/completions/portward",
			zsh: "zsh/site-functions/_portward",
			fish: "fish/vendor_completions.d/portward.fish",
		};
		for (const [name, path] of Object.entries(completions))
			expect(sandbox.read(`usr/local/share/${path}`)).toContain(`Made by: portward completion ${name}\n`);

		// The samples, which are named, and how to get in whatever the policies say.
		const samples = readdirSync(join(made.release, "policies"), { recursive: true, encoding: "utf8" }).filter(
			(name) => name.endsWith(".yaml"),
		);
		expect(samples.length).toBeGreaterThan(5);
		for (const name of samples) {
			const path = `usr/local/share/doc/portward/policies/${name}`;
			expect(sandbox.read(path)).toBe(readFileSync(join(made.release, "policies", name), "utf8"));
			expect(result.out).toContain(`\n  ${name}\n`);
		}
		expect(result.out).toContain(join(sandbox.root, "usr/local/share/doc/portward/policies"));
		expect(result.out).toContain("--failsafe-ssh");

		const before = sandbox.snapshot();
		const again = install(sandbox, [], { shell });
		expect([again.code, again.error]).toEqual([0, ""]);
		expect(again.out).toContain("Nothing changed");
		expect(sandbox.snapshot().filter((line) => !line.startsWith("usr/local/bin "))).toEqual(
			before.filter((line) => !line.startsWith("usr/local/bin ")),
		);
		expect(sandbox.calls().filter((call) => !call.includes("is-"))).toEqual([]);
	});

	test("only says what it would do with --dry-run", () => {
		using sandbox = new Sandbox();
		const before = sandbox.snapshot();
		const result = install(sandbox, ["--dry-run"], { shell });
		expect([result.code, result.error]).toEqual([0, ""]);
		for (const path of [
			"usr/local/bin/portward",
			"etc/portward/config.yaml",
			...units.map((unit) => `etc/systemd/system/${unit}`),
		]) {
			expect(result.out).toContain(join(sandbox.root, path));
		}
		for (const call of starts) expect(result.out).toContain(call.replace(" --quiet", ""));
		expect(sandbox.snapshot()).toEqual(before);
		expect(sandbox.calls()).toEqual([]);
	});

	test("an upgrade replaces the executable in one step, and keeps settings and policies", () => {
		using sandbox = new Sandbox();
		install(sandbox, [], { shell });
		sandbox.write("etc/portward/config.yaml", "clusterName: mine\n");
		sandbox.write("etc/portward/policies/mine.yaml", "# mine\n");
		const installed = join(sandbox.root, "usr/local/bin/portward");
		// As if it were an older version.
		appendFileSync(installed, "older");
		const { ino } = statSync(installed);
		sandbox.calls();
		const result = install(sandbox, ["--failsafe-ssh"], { shell });
		expect([result.code, result.error]).toEqual([0, ""]);
		expect(statSync(installed).ino).not.toBe(ino);
		expect(sandbox.read("etc/portward/config.yaml")).toBe("clusterName: mine\n");
		expect(result.out).not.toContain("containers");
		expect(sandbox.read("etc/portward/policies/mine.yaml")).toBe("# mine\n");
		expect(readdirSync(join(sandbox.root, "usr/local/bin"))).toEqual(["portward"]);
		expect(sandbox.calls().filter((call) => !call.includes("is-"))).toEqual(starts);
	});

	test("uninstalling releases the rules and leaves settings and state, with --purge nothing", () => {
		using sandbox = new Sandbox();
		const before = sandbox.paths();
		install(sandbox, [], { shell });
		sandbox.calls();
		sandbox.write("etc/portward/policies/mine.yaml", readFileSync(example, "utf8"));
		const whole = sandbox.snapshot();
		const told = sandbox.run(script, ["--uninstall", "--purge", "--dry-run"], { shell });
		expect([told.code, told.error]).toEqual([0, ""]);
		expect(told.out).toContain("release the rules");
		expect(told.out).toContain("USB is not locked: no device would work again");
		expect(sandbox.snapshot()).toEqual(whole);
		expect(sandbox.calls()).toEqual([]);

		const result = sandbox.run(script, ["--uninstall"], {
			shell,
			before: `nft add table inet theirs; ${makeRules(sandbox)}`,
			after: "nft list tables",
		});
		expect([result.code, result.error]).toEqual([0, ""]);
		expect(result.out).toContain("table inet kubearmor is removed");
		expect(result.out).toEndWith("table inet theirs\n");
		expect(sandbox.calls()).toEqual([
			"systemctl disable --quiet --now portward.service",
			"systemctl disable --quiet --now portward-restore.service",
			"systemctl daemon-reload",
			"systemctl reset-failed portward.service portward-restore.service",
		]);
		const added = sandbox.paths().filter((path) => !before.includes(path));
		const kept = added.filter((path) => !path.startsWith("var/lib/portward/"));
		expect(kept).toEqual([
			"etc/portward",
			"etc/portward/config.yaml",
			"etc/portward/policies",
			"etc/portward/policies/mine.yaml",
			"var/lib/portward",
		]);

		const purged = sandbox.run(script, ["--uninstall", "--purge"], { shell });
		expect([purged.code, purged.error]).toEqual([0, ""]);
		expect(purged.out).toContain("no rules were released");
		expect(sandbox.paths()).toEqual(before);
	});
});

test("what a package takes over: the rules stay, and a package keeps install.sh away", () => {
	using sandbox = new Sandbox();
	install(sandbox);
	const result = sandbox.run(script, ["--uninstall", "--keep-rules"], {
		before: makeRules(sandbox),
		after: "nft list tables",
	});
	expect([result.code, result.error]).toEqual([0, ""]);
	expect(result.out).toEndWith("table inet kubearmor\n");
	expect(sandbox.has("usr/local/bin/portward")).toBe(false);
	expect(sandbox.has("etc/systemd/system/portward.service")).toBe(false);
	sandbox.write("usr/lib/portward/package.sh", "");
	const before = sandbox.snapshot();
	const refused = install(sandbox);
	expect([refused.code, refused.error]).toEqual([1, expect.stringContaining("installed as a package")]);
	expect(sandbox.snapshot()).toEqual(before);
});

test("a host that has no more than busybox and systemd will do", () => {
	const bin = join(made.directory, "busybox");
	mkdirSync(bin);
	const busybox = Bun.which("busybox") ?? "";
	for (const applet of Bun.spawnSync([busybox, "--list"]).stdout.toString().trim().split("\n"))
		symlinkSync(busybox, join(bin, applet));
	using sandbox = new Sandbox();
	const before = sandbox.paths();
	const options = { shell: [busybox, "ash"], path: bin };
	const installed = install(sandbox, ["--failsafe-ssh"], {
		...options,
		env: { SSH_CONNECTION: "198.51.100.7 1 192.0.2.1 22" },
	});
	expect([installed.code, installed.error]).toEqual([0, ""]);
	const config = parseConfig("config.yaml", sandbox.read("etc/portward/config.yaml"));
	expect(config).toMatchObject({ ok: true, config: { guests: { forwarded: "enforce" } } });
	expect(sandbox.read("etc/portward/config.yaml")).toContain("cidr: 198.51.100.7/32\n");
	const removed = sandbox.run(script, ["--uninstall", "--purge"], options);
	expect([removed.code, removed.error]).toEqual([0, ""]);
	expect(sandbox.paths()).toEqual(before);
});

describe("policies that are there already", () => {
	const refusal = [
		"apiVersion: security.kubearmor.com/v1",
		"kind: KubeArmorNetworkPolicy",
		"metadata: { name: no-ssh }",
		"spec:",
		'  nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } }',
		"  ingress:",
		"  - { action: Block, ports: [{ protocol: TCP, port: 22 }] }",
		"",
	].join("\n");
	const env = { SSH_CONNECTION: "198.51.100.7 51234 192.0.2.1 22" };

	test("are told before they count", () => {
		using sandbox = new Sandbox();
		sandbox.write("etc/portward/policies/a.yaml", refusal);
		const result = install(sandbox);
		expect([result.code, result.error]).toEqual([0, ""]);
		const told = result.out.indexOf("+ Block no-ssh ingress[0]");
		expect(told).toBeGreaterThan(0);
		expect(told).toBeLessThan(result.out.indexOf("restart portward.service"));
	});

	test("do not count when they would refuse this SSH session, until somebody says so", () => {
		using sandbox = new Sandbox();
		sandbox.write("etc/portward/policies/a.yaml", refusal);
		const result = install(sandbox, [], { env });
		expect(result.code).toBe(1);
		expect(result.error).toContain("would refuse this SSH session");
		expect(sandbox.calls().filter((call) => /enable |restart/u.test(call))).toEqual([]);
		expect(sandbox.has("usr/local/bin/portward")).toBe(true);
		// Again is no way around it.
		expect(install(sandbox, [], { env }).code).toBe(1);
	});

	test("do not count from where the settings have them, behind a link, either", () => {
		using sandbox = new Sandbox();
		sandbox.write("srv/real/a.yaml", refusal);
		symlinkSync("real", join(sandbox.root, "srv/policies"));
		sandbox.write("etc/portward/config.yaml", `policyDir: ${sandbox.root}/srv/policies\n`);
		const result = install(sandbox, [], { env });
		expect([result.code, result.error]).toEqual([
			1,
			expect.stringContaining("would refuse this SSH session"),
		]);
		expect(sandbox.calls().filter((call) => /enable |restart/u.test(call))).toEqual([]);
	});

	test("do not count in an SSH session while one is broken, since nobody can tell what becomes of it", () => {
		using sandbox = new Sandbox();
		sandbox.write("etc/portward/policies/a.yaml", refusal);
		sandbox.write("etc/portward/policies/b.yaml", "kind: Nothing\n");
		const result = install(sandbox, [], { env });
		expect([result.code, result.error]).toEqual([1, expect.stringContaining("cannot be told")]);
		expect(install(sandbox).code).toBe(0);
	});

	test("count where a failsafe lets it in", () => {
		using sandbox = new Sandbox();
		sandbox.write("etc/portward/policies/a.yaml", refusal);
		const result = install(sandbox, ["--failsafe-ssh"], { env });
		expect([result.code, result.error]).toEqual([0, ""]);
		expect(sandbox.calls().filter((call) => !call.includes("is-"))).toEqual(starts);
	});
});
