/** install.sh, with the real release, on a host that is a directory. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
	appendFileSync,
	chmodSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../../src/config/parse.ts";
import { executable } from "../system/support/built.ts";
import { checkout, makeRelease, type Options, Sandbox } from "./sandbox.ts";

const script = join(checkout, "install.sh");
const text = readFileSync(script, "utf8");
const example = join(checkout, "policies/as-meant/2-block-external-dns.yaml");
const shells = ["dash", "busybox ash"];

/** Temporary: keys, the signed release, and the same with a short script in the executable's place, which starts the one that is built. */
let directory: string;
let real: string;
let release: string;
let publicKey: string;

const archive = () => readdirSync(real).find((name) => name.endsWith(".gz")) ?? "";

beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-release-"));
	real = join(directory, "real");
	publicKey = join(directory, "public.pem");
	const key = join(directory, "key.pem");
	const openssl = (...argv: string[]) => expect(Bun.spawnSync(["openssl", ...argv]).exitCode).toBe(0);
	openssl("genpkey", "-algorithm", "ed25519", "-out", key);
	openssl("pkey", "-in", key, "-pubout", "-out", publicKey);
	makeRelease(real, "--key", key);

	release = join(directory, "release");
	cpSync(real, release, { recursive: true });
	const starter = Bun.gzipSync(Buffer.from(`#!/bin/sh\nexec ${executable()} "$@"\n`));
	writeFileSync(join(release, archive()), starter);
	const sums = join(release, "SHA256SUMS");
	const digest = new Bun.SHA256().update(starter).digest("hex");
	const text = readFileSync(sums, "utf8").replace(/^[0-9a-f]{64}(?= {2}\S+\.gz$)/mu, digest);
	writeFileSync(sums, text);
	openssl("pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", sums, "-out", `${sums}.sig`);
}, 120_000);
afterAll(() => rmSync(directory, { recursive: true }));

/** A copy of the release that a test may change. */
function altered(name: string): string {
	const copy = join(directory, name);
	cpSync(release, copy, { recursive: true });
	return copy;
}

/** Directories with every command of this machine but those named. */
function pathWithout(...names: string[]): string {
	const bin = join(directory, `without-${names.join("-")}`);
	if (existsSync(bin)) return bin;
	mkdirSync(bin);
	for (const folder of ["/usr/local/sbin", "/usr/sbin", "/usr/bin"]) {
		for (const name of readdirSync(folder)) {
			if (names.includes(name)) continue;
			try {
				symlinkSync(join(folder, name), join(bin, name));
			} catch (error) {
				if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
			}
		}
	}
	return bin;
}

const install = (sandbox: Sandbox, argv: readonly string[] = [], options: Options = {}) =>
	sandbox.run(script, ["--from", release, ...argv], options);

/** Shell text: the daemon of the sandbox starts, loads its rules, and ends. */
function makeRules(sandbox: Sandbox): string {
	const { root } = sandbox;
	return `
		${root}/usr/local/bin/portward run --config ${root}/etc/portward/config.yaml --state-dir ${root}/var/lib/portward \\
			--policy-dir ${root}/etc/portward/policies --status-address unix:${sandbox.directory}/status.sock >/dev/null 2>&1 &
		daemon=$!
		tries=0
		until nft list table inet kubearmor >/dev/null 2>&1 || [ $tries = 200 ]; do sleep 0.1; tries=$((tries + 1)); done
		kill $daemon
		wait $daemon 2>/dev/null || true`;
}

const units = ["portward.service", "portward-restore.service", "nftables.service.d/portward.conf"];
const starts = [
	"systemctl daemon-reload",
	"systemctl enable --quiet portward.service portward-restore.service",
	"systemctl restart portward.service",
];

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
			const argv = [command, ...applet, "-s", "--", "--from", release, "--root", sandbox.root];
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
				readFileSync(join(release, "systemd", unit), "utf8"),
			);
		}
		expect(sandbox.read("etc/portward/config.yaml")).toBe(readFileSync(join(release, "config.yaml"), "utf8"));
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
		const samples = readdirSync(join(release, "policies"), { recursive: true, encoding: "utf8" }).filter(
			(name) => name.endsWith(".yaml"),
		);
		expect(samples.length).toBeGreaterThan(5);
		for (const name of samples) {
			const path = `usr/local/share/doc/portward/policies/${name}`;
			expect(sandbox.read(path)).toBe(readFileSync(join(release, "policies", name), "utf8"));
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

test("a host that has no more than busybox and systemd will do", () => {
	const bin = join(directory, "busybox");
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
	expect(sandbox.read("etc/portward/config.yaml")).toContain("cidr: 198.51.100.7/32\n");
	const removed = sandbox.run(script, ["--uninstall", "--purge"], options);
	expect([removed.code, removed.error]).toEqual([0, ""]);
	expect(sandbox.paths()).toEqual(before);
});

describe("what does not go well changes nothing", () => {
	test("a portward that does not start: the old one is put back", () => {
		using sandbox = new Sandbox();
		install(sandbox);
		const installed = join(sandbox.root, "usr/local/bin/portward");
		appendFileSync(installed, "older");
		const { ino } = statSync(installed);
		sandbox.calls();
		writeFileSync(join(sandbox.stubs, "failing"), "");
		const result = install(sandbox);
		expect(result.code).toBe(1);
		expect(result.error).toContain("the old one is back");
		expect(statSync(installed).ino).toBe(ino);
		expect(readdirSync(join(sandbox.root, "usr/local/bin"))).toEqual(["portward"]);
		expect(sandbox.calls().filter((call) => call.includes("restart"))).toHaveLength(2);
	});

	test.each([
		["daemon-reload", "systemctl daemon-reload"],
		["enable", "systemctl enable"],
	])(
		"an upgrade of which systemctl %s fails: executable and units are the old ones, and run",
		(verb, told) => {
			using sandbox = new Sandbox();
			install(sandbox);
			const installed = join(sandbox.root, "usr/local/bin/portward");
			const unit = "etc/systemd/system/portward.service";
			appendFileSync(installed, "older");
			sandbox.write(unit, `${sandbox.read(unit)}# older\n`);
			sandbox.remove("etc/systemd/system/portward-restore.service");
			const { ino } = statSync(installed);
			sandbox.calls();
			writeFileSync(join(sandbox.stubs, `failing-${verb}`), "");
			const result = install(sandbox);
			expect(result.code).toBe(1);
			expect(result.error).toContain(told);
			expect(result.error).toContain("the old one is back, and runs");
			expect(statSync(installed).ino).toBe(ino);
			expect(sandbox.read(unit)).toEndWith("# older\n");
			expect(sandbox.has("etc/systemd/system/portward-restore.service")).toBe(false);
			expect(readdirSync(join(sandbox.root, "usr/local/bin"))).toEqual(["portward"]);
			expect(sandbox.calls().at(-1)).toContain("restart");
		},
	);

	test("settings that the new version does not accept", () => {
		using sandbox = new Sandbox();
		sandbox.write("etc/portward/config.yaml", "frobnicate: 1\n");
		const before = sandbox.paths();
		const result = install(sandbox);
		expect(result.code).toBe(1);
		expect(result.error).toContain("frobnicate");
		expect(sandbox.paths()).toEqual(before);
		expect(sandbox.calls()).toEqual([]);
	});

	test("rules that cannot be released: portward stays", () => {
		using sandbox = new Sandbox();
		install(sandbox);
		sandbox.write(
			"etc/portward/config.yaml",
			'frobnicate: 1\n# table: not_this\ntable: "own_table" # here\n',
		);
		const result = sandbox.run(script, ["--uninstall", "--purge"]);
		expect(result.code).toBe(1);
		expect(result.error).toContain("nft delete table inet own_table\n");
		expect(result.error).toContain("NOT released");
		expect(sandbox.has("usr/local/bin/portward")).toBe(true);
		expect(sandbox.has("etc/portward/config.yaml")).toBe(true);
	});

	const changes: [string, (folder: string) => void, string][] = [
		[
			"an executable that was changed",
			(folder) => {
				rmSync(join(folder, archive()));
				writeFileSync(join(folder, archive()), Bun.gzipSync(Buffer.from("#!/bin/sh\necho portward 9\n")));
			},
			"not what SHA256SUMS says",
		],
		[
			"a unit that was changed",
			(folder) => appendFileSync(join(folder, "systemd/portward.service"), "\n"),
			"not what SHA256SUMS says",
		],
		[
			"a unit that is missing",
			(folder) => rmSync(join(folder, "systemd/portward.service")),
			"does not give systemd/portward.service",
		],
		["no release", (folder) => rmSync(join(folder, "SHA256SUMS")), "there is no release"],
		[
			"no executable for this host",
			(folder) => {
				const sums = join(folder, "SHA256SUMS");
				writeFileSync(
					sums,
					readFileSync(sums, "utf8")
						.split("\n")
						.filter((line) => !line.endsWith(".gz"))
						.join("\n"),
				);
			},
			"has no portward for linux-",
		],
	];
	test.each(changes)("%s", (name, change, message) => {
		using sandbox = new Sandbox();
		const folder = altered(name.replaceAll(" ", "-"));
		change(folder);
		const before = sandbox.snapshot();
		const result = sandbox.run(script, ["--from", folder]);
		expect(result.code).toBe(1);
		expect(result.error).toContain(message);
		expect(sandbox.snapshot()).toEqual(before);
		expect(sandbox.calls()).toEqual([]);
	});
});

describe("the signature", () => {
	test("of the release is verified", () => {
		using sandbox = new Sandbox();
		const result = install(sandbox, ["--public-key", publicKey]);
		expect([result.code, result.error]).toEqual([0, ""]);
		expect(result.out).toContain("the signature of the release is good");
	});

	const wrong: [string, (folder: string) => string | undefined, string, string[]][] = [
		[
			"by another key",
			() => {
				const other = join(directory, "other");
				Bun.spawnSync(["openssl", "genpkey", "-algorithm", "ed25519", "-out", `${other}.key`]);
				Bun.spawnSync(["openssl", "pkey", "-in", `${other}.key`, "-pubout", "-out", other]);
				return other;
			},
			"is not by",
			[],
		],
		[
			"of other sums",
			(folder) => {
				appendFileSync(join(folder, "SHA256SUMS"), "\n");
				return undefined;
			},
			"is not by",
			[],
		],
		[
			"that is missing",
			(folder) => {
				rmSync(join(folder, "SHA256SUMS.sig"));
				return undefined;
			},
			"is not signed",
			[],
		],
		["without openssl", () => undefined, "apt-get install openssl", ["openssl"]],
	];
	test.each(wrong)("%s is an error", (name, prepare, message, without) => {
		using sandbox = new Sandbox();
		const folder = altered(`signature-${name.replaceAll(" ", "-")}`);
		const key = prepare(folder) ?? publicKey;
		const before = sandbox.snapshot();
		const options = without.length === 0 ? {} : { path: pathWithout(...without) };
		const result = sandbox.run(script, ["--from", folder, "--public-key", key], options);
		expect(result.code).toBe(1);
		expect(result.error).toContain(message);
		expect(sandbox.snapshot()).toEqual(before);
	});
});

describe("the age of a release", () => {
	/** A copy of the release whose manifest says something else; signed by nobody. */
	function aged(name: string, change: (manifest: Record<string, unknown>) => object): string {
		const folder = altered(name);
		const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
		const text = `${JSON.stringify(change(manifest), null, 2)}\n`;
		writeFileSync(join(folder, "manifest.json"), text);
		const sums = join(folder, "SHA256SUMS");
		const digest = new Bun.SHA256().update(text).digest("hex");
		const listed = readFileSync(sums, "utf8").replace(/^[0-9a-f]{64}(?= {2}manifest\.json$)/mu, digest);
		writeFileSync(sums, listed);
		return folder;
	}
	const says = (version: string) => `#!/bin/sh\necho "portward ${version} (abc) linux/x64 bun 1"\n`;
	const attempt = (folder: string, installed: string, ...argv: string[]) => {
		using sandbox = new Sandbox();
		if (installed !== "") {
			sandbox.write("usr/local/bin/portward", says(installed));
			chmodSync(join(sandbox.root, "usr/local/bin/portward"), 0o755);
		}
		return { ...sandbox.run(script, ["--from", folder, "--dry-run", ...argv]), calls: sandbox.calls() };
	};

	test.each([
		["0.1.0", "0.2.0", true],
		["0.9.9", "0.10.0", true],
		["9.0.0", "10.0.0", true],
		["1.0.0-rc.1", "1.0.0", true],
		["1.0.0", "1.0.0-rc.1", false],
		["0.2.0", "0.2.0", false],
		["0.10.0", "0.9.9", false],
		["0.1.0", "", false],
	])("%s in place of %s is a downgrade: %p", (offered, installed, older) => {
		const folder = aged(`aged-${offered}-${installed}`, (manifest) => ({ ...manifest, version: offered }));
		const refused = attempt(folder, installed);
		expect(refused.code).toBe(older ? 1 : 0);
		if (!older) return;
		expect(refused.error).toContain(`version ${offered}, which is older than ${installed}`);
		expect(refused.error).toContain("--allow-downgrade");
		expect(refused.calls).toEqual([]);
		const allowed = attempt(folder, installed, "--allow-downgrade");
		expect(allowed.code).toBe(0);
		expect(allowed.out).toContain(`version ${offered} replaces the newer version ${installed}`);
	});

	test.each(["2001-01-01", "", "2999-99", "2001-01-01; touch /x"])(
		"a release that expires %p asks for --allow-expired",
		(expires) => {
			const name = `expires-${expires.replaceAll(/\W/gu, "-")}`;
			const folder = aged(name, (manifest) => ({ ...manifest, expires }));
			expect(attempt(folder, "")).toMatchObject({
				code: 1,
				error: expect.stringContaining("--allow-expired"),
			});
			expect(attempt(folder, "", "--allow-expired").code).toBe(0);
		},
	);

	test.each(["", "one", "1.2", "1.2.3.4", "1.x.3", "1..3", "$(id)", "1.2.3;id"])(
		"%p is no version to hold anything against",
		(version) => {
			const folder = aged(`version-${version.replaceAll(/\W/gu, "-")}`, (manifest) => ({
				...manifest,
				version,
			}));
			expect(attempt(folder, "0.1.0", "--allow-downgrade")).toMatchObject({
				code: 1,
				error: expect.stringContaining("says no version"),
			});
		},
	);

	test("the version and the day are among the files that are signed", () => {
		expect(readFileSync(join(real, "SHA256SUMS"), "utf8")).toMatch(/^[0-9a-f]{64} {2}manifest\.json$/mu);
		const manifest = JSON.parse(readFileSync(join(real, "manifest.json"), "utf8"));
		expect(manifest.expires).toMatch(/^\d{4}-\d{2}-\d{2}$/u);
	});
});

test("a link that somebody put where a new file is made is not followed", () => {
	using sandbox = new Sandbox();
	const victim = join(sandbox.directory, "victim");
	writeFileSync(victim, "as it was");
	for (const path of ["etc/systemd/system/portward.service.new", "usr/local/bin/.portward.new"]) {
		symlinkSync(victim, join(sandbox.root, path));
	}
	expect(install(sandbox).code).toBe(0);
	expect(readFileSync(victim, "utf8")).toBe("as it was");
	const left = readdirSync(join(sandbox.root, "usr/local/bin")).filter((name) =>
		/^\.portward\.\w{6}$/u.test(name),
	);
	expect(left).toEqual([]);
});

describe("the release comes", () => {
	/** Serves the release, and says what was asked for. */
	function serve() {
		const asked: string[] = [];
		const server = Bun.serve({
			port: 0,
			hostname: "127.0.0.1",
			fetch: async (request) => {
				const { pathname } = new URL(request.url);
				asked.push(pathname);
				const file = Bun.file(join(real, pathname.replace("/mirror/", "")));
				return (await file.exists()) ? new Response(file) : new Response("", { status: 404 });
			},
		});
		return {
			url: `http://127.0.0.1:${server.port}/mirror`,
			asked,
			[Symbol.dispose]: () => void server.stop(true),
		};
	}

	/** As run(), but lets the server of this process answer meanwhile. */
	async function piped(
		sandbox: Sandbox,
		argv: string[],
		env: Record<string, string>,
		path?: string,
		stdin = text,
	) {
		const child = Bun.spawn(
			[
				"unshare",
				"--mount",
				"--pid",
				"--fork",
				"--mount-proc",
				"dash",
				"-s",
				"--",
				...argv,
				"--root",
				sandbox.root,
			],
			{
				cwd: sandbox.directory,
				env: { PATH: `${sandbox.stubs}:${path ?? process.env.PATH}`, TMPDIR: sandbox.directory, ...env },
				stdin: Buffer.from(stdin),
				stdout: "pipe",
				stderr: "pipe",
			},
		);
		const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
		return { out, error, code };
	}

	test.each(["curl", "wget"])("by HTTP with only %s, the script from a pipe", async (client) => {
		using sandbox = new Sandbox();
		using server = serve();
		const path = pathWithout(client === "curl" ? "wget" : "curl");
		const result = await piped(sandbox, ["--url", `${server.url}/`, "--public-key", publicKey], {}, path);
		expect([result.code, result.error]).toEqual([0, ""]);
		const installed = Bun.spawnSync([join(sandbox.root, "usr/local/bin/portward"), "version"]);
		expect(installed.stdout.toString()).toStartWith("portward ");
		expect(sandbox.read("etc/systemd/system/portward.service")).toContain(
			"ExecStart=/usr/local/bin/portward run",
		);
		expect(server.asked).toContain("/mirror/SHA256SUMS.sig");
	});

	test("from PORTWARD_URL, and from where the release was made to be served", async () => {
		using server = serve();
		using first = new Sandbox();
		expect((await piped(first, [], { PORTWARD_URL: server.url })).error).toBe("");
		expect(first.has("usr/local/bin/portward")).toBe(true);
		using second = new Sandbox();
		const stamped = text.replace("stamped_url=''", `stamped_url='${server.url}'`);
		expect((await piped(second, [], {}, undefined, stamped)).error).toBe("");
		expect(second.has("usr/local/bin/portward")).toBe(true);
	});

	test("from where install.sh lies, but not from where somebody runs it", async () => {
		using sandbox = new Sandbox();
		const result = sandbox.run(join(release, "install.sh"), []);
		expect([result.code, result.error]).toEqual([0, ""]);
		using other = new Sandbox();
		cpSync(join(release, "SHA256SUMS"), join(other.directory, "SHA256SUMS"));
		for (const name of ["sh", "dash"]) writeFileSync(join(other.directory, name), "");
		expect((await piped(other, [], {})).code).toBe(64);
	});

	test("not without curl, wget or a directory", () => {
		using sandbox = new Sandbox();
		const result = sandbox.run(script, ["--url", "http://127.0.0.1:1"], {
			path: pathWithout("curl", "wget"),
		});
		expect(result.code).toBe(1);
		expect(result.error).toContain("--from DIR");
	});
});

/** Of these hosts only the files that say what they are, and uname, are played. */
describe("a host that lacks something is told what to install (stubbed)", () => {
	const distributions: [string, string, Record<string, string>][] = [
		[
			"Debian",
			"ID=debian",
			{ nftables: "apt-get install libnftables1", kernel: "apt-get install linux-image-" },
		],
		[
			"Ubuntu",
			"ID=ubuntu\nID_LIKE=debian",
			{ nftables: "apt-get install libnftables1", kernel: "apt-get install linux-image-" },
		],
		[
			"RHEL",
			'ID="rhel"\nID_LIKE="fedora"',
			{ nftables: "dnf install nftables", kernel: "dnf install kernel-modules-core" },
		],
		[
			"Rocky",
			'ID="rocky"\nID_LIKE="rhel centos fedora"',
			{ nftables: "dnf install nftables", kernel: "dnf install kernel-modules-core" },
		],
		["Fedora", "ID=fedora", { nftables: "dnf install nftables", kernel: "dnf install kernel-modules-core" }],
		[
			"SUSE",
			'ID="opensuse-leap"\nID_LIKE="suse opensuse"',
			{ nftables: "zypper install libnftables1", kernel: "zypper install kernel-default" },
		],
		["Alpine", "ID=alpine", { nftables: "apk add nftables", kernel: "apk add linux-lts" }],
		["another", "ID=guix", { nftables: "the package that has libnftables.so.1", kernel: "CONFIG_NF_TABLES" }],
	];
	test.each(distributions)("%s", (_, release_, { nftables = "", kernel = "" }) => {
		using sandbox = new Sandbox();
		sandbox.write("etc/os-release", `${release_}\n`);
		sandbox.remove("usr/lib");
		sandbox.remove("sys");
		const version = Bun.spawnSync(["uname", "-r"]).stdout.toString().trim();
		sandbox.write(`lib/modules/${version}/modules.builtin`, "kernel/net/ipv4/ip_tunnel.ko\n");
		const before = sandbox.snapshot();
		const result = install(sandbox, [], { path: pathWithout("nft") });
		expect(result.code).toBe(1);
		expect(result.error).toContain(nftables);
		expect(result.error).toContain(kernel);
		expect(sandbox.snapshot()).toEqual(before);
	});

	test("systemd", () => {
		using sandbox = new Sandbox();
		sandbox.remove("run/systemd");
		expect(install(sandbox).error).toContain("systemd");
	});

	test("root, for both tasks", () => {
		using sandbox = new Sandbox();
		sandbox.stub("id", "#!/bin/sh\necho 1000\n");
		const before = sandbox.snapshot();
		for (const result of [install(sandbox), sandbox.run(script, ["--uninstall"])]) {
			expect([result.code, result.error]).toEqual([1, "install.sh: run this as root\n"]);
		}
		expect(sandbox.snapshot()).toEqual(before);
	});

	test.each([
		["x86_64", false, "linux-x64-glibc"],
		["x86_64", true, "linux-x64-musl"],
		["aarch64", false, "linux-arm64-glibc"],
		["aarch64", true, "linux-arm64-musl"],
	])("the executable for %s, musl %p, is asked for", (machine, musl, target) => {
		using sandbox = new Sandbox();
		sandbox.stub("uname", `#!/bin/sh\ncase $1 in -m) echo ${machine};; *) exec /usr/bin/uname "$@";; esac\n`);
		if (musl) {
			sandbox.remove("lib64");
			sandbox.remove("lib");
			sandbox.write(`lib/ld-musl-${machine}.so.1`, "");
			sandbox.write("usr/lib/libstdc++.so.6", "");
		}
		const folder = altered(`target-${target}`);
		writeFileSync(join(folder, "SHA256SUMS"), "");
		expect(sandbox.run(script, ["--from", folder]).error).toContain(`no portward for ${target}`);
	});

	test("a machine that there is no portward for, and musl without libstdc++", () => {
		using sandbox = new Sandbox();
		sandbox.stub("uname", "#!/bin/sh\necho riscv64\n");
		expect(install(sandbox).error).toContain("no portward for riscv64");
		using alpine = new Sandbox();
		alpine.write("etc/os-release", "ID=alpine\n");
		alpine.remove("lib64");
		alpine.remove("lib");
		alpine.write("lib/ld-musl-x86_64.so.1", "");
		expect(install(alpine).error).toContain("apk add libstdc++");
	});
});

describe("the failsafe for this SSH session", () => {
	const session = "198.51.100.7 51234 192.0.2.1 2222";
	const written = (sandbox: Sandbox) => parseConfig("config.yaml", sandbox.read("etc/portward/config.yaml"));

	test("the sample that is written without it changes no default", () => {
		const sample = parseConfig("config.yaml", readFileSync(join(release, "config.yaml"), "utf8"));
		const defaults = parseConfig("config.yaml", "");
		expect(sample).toEqual(defaults);
		expect(sample.ok).toBe(true);
	});

	test.each([
		[session, "198.51.100.7", 4],
		["2001:db8::7 51234 2001:db8::1 22", "2001:db8::7", 6],
		["::ffff:198.51.100.7 51234 ::ffff:192.0.2.1 22", "198.51.100.7", 4],
		["fe80::7%eth0 51234 fe80::1%eth0 22", "fe80::7", 6],
	] as const)("%s is written when asked for", (connection, address, family) => {
		using sandbox = new Sandbox();
		const result = install(sandbox, ["--failsafe-ssh"], { env: { SSH_CONNECTION: connection } });
		expect([result.code, result.error]).toEqual([0, ""]);
		const parsed = written(sandbox);
		expect(parsed.diagnostics).toEqual([]);
		const config = parsed.ok ? parsed.config : undefined;
		expect(config?.failsafe.ingress).toHaveLength(1);
		expect(config?.failsafe.ingress[0]?.cidr?.family).toBe(family);
		expect(sandbox.read("etc/portward/config.yaml")).toContain(
			`cidr: ${address}/${family === 4 ? 32 : 128}\n`,
		);
		expect(sandbox.read("etc/portward/config.yaml")).toContain(`port: ${connection.split(" ").at(-1)}\n`);
	});

	test("is found above sudo, which hides the variable", () => {
		using sandbox = new Sandbox();
		const shell = [
			"env",
			`SSH_CONNECTION=${session}`,
			"sh",
			"-c",
			'env -u SSH_CONNECTION "$@"; exit $?',
			"sh",
			"dash",
		];
		install(sandbox, ["--failsafe-ssh"], { shell });
		expect(sandbox.read("etc/portward/config.yaml")).toContain("cidr: 198.51.100.7/32\n");
	});

	test.each(["$(touch pwned) 1 2 22", "1.2.3.4;x 1 2 22", "1.2.3.4\n- x 1 2 22", "1.2.3.4 1 2 22:x", "x"])(
		"an address that is none is not taken: %j",
		(connection) => {
			using sandbox = new Sandbox();
			const result = install(sandbox, ["--failsafe-ssh"], { env: { SSH_CONNECTION: connection } });
			expect(result.code).toBe(1);
			expect(sandbox.has("etc/portward/config.yaml")).toBe(false);
		},
	);

	test("is only shown where nobody can be asked, and never written to a config that is there", () => {
		using sandbox = new Sandbox();
		const result = install(sandbox, [], { env: { SSH_CONNECTION: session } });
		expect(result.out).toContain("cidr: 198.51.100.7/32");
		expect(sandbox.read("etc/portward/config.yaml")).not.toContain("198.51.100.7");
	});

	test.each([
		["y", true],
		["", true],
		["n", false],
	])("asks at a terminal; the answer %j counts", (answer, expected) => {
		using sandbox = new Sandbox();
		const shell = [
			"script",
			"-qec",
			`printf '%s\\n' '${answer}' >/dev/null; dash ${script} --from ${release} --root ${sandbox.root}`,
			"/dev/null",
		];
		// script(1) makes the terminal and types what it reads; the arguments that follow are its own.
		const child = Bun.spawnSync(
			["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--net", ...shell],
			{
				env: {
					PATH: `${sandbox.stubs}:${process.env.PATH}`,
					TMPDIR: sandbox.directory,
					SSH_CONNECTION: session,
				},
				stdin: Buffer.from(`${answer}\n`),
			},
		);
		expect(child.stdout.toString()).toContain("[Y/n]");
		expect(child.exitCode).toBe(0);
		expect(sandbox.read("etc/portward/config.yaml").includes("198.51.100.7")).toBe(expected);
	});
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

	test("count where a failsafe lets it in", () => {
		using sandbox = new Sandbox();
		sandbox.write("etc/portward/policies/a.yaml", refusal);
		const result = install(sandbox, ["--failsafe-ssh"], { env });
		expect([result.code, result.error]).toEqual([0, ""]);
		expect(sandbox.calls().filter((call) => !call.includes("is-"))).toEqual(starts);
	});
});
