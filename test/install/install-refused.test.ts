/** What install.sh refuses: damage, wrong signatures, old releases; nothing is changed then. */

import { describe, expect, test } from "bun:test";
import {
	appendFileSync,
	chmodSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Sandbox } from "./sandbox.ts";

import { script, signedRelease } from "./signed-release.ts";

const made = signedRelease();
const { archive, altered, pathWithout, install } = made;

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
		const result = install(sandbox, ["--public-key", made.publicKey]);
		expect([result.code, result.error]).toEqual([0, ""]);
		expect(result.out).toContain("the signature of the release is good");
	});

	const wrong: [string, (folder: string) => string | undefined, string, string[]][] = [
		[
			"by another key",
			() => {
				const other = join(made.directory, "other");
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
		const key = prepare(folder) ?? made.publicKey;
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
		expect(readFileSync(join(made.real, "SHA256SUMS"), "utf8")).toMatch(/^[0-9a-f]{64} {2}manifest\.json$/mu);
		const manifest = JSON.parse(readFileSync(join(made.real, "manifest.json"), "utf8"));
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
