/** Packages in their formats, as dpkg, rpm, apt's verifier and the archivers of this machine read them. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { aptRepository } from "../../../scripts/release/apt.ts";
import { cpio } from "../../../scripts/release/cpio.ts";
import { type Deb, makeDeb } from "../../../scripts/release/deb.ts";
import { type Package, packageVersion } from "../../../scripts/release/entry.ts";
import { compress, compressPieces } from "../../../scripts/release/gzip.ts";
import { keyDate, type PgpKey, pgpKey } from "../../../scripts/release/openpgp.ts";
import { makeRpm } from "../../../scripts/release/rpm.ts";
import { tar } from "../../../scripts/release/tar.ts";

const date = Date.UTC(2026, 1, 3, 4, 5, 6) / 1000;
const executable = Buffer.alloc(3_000_001, "an executable that is not of a round size. ");
const settings = "# settings\n";

let directory: string;
let key: PgpKey;
let keyring: string;
let made: Package;
let deb: Deb;
let debFile: string;
let rpmFile: string;
let database: string[];

function run(argv: string[], cwd = directory) {
	const { exitCode, stdout, stderr } = Bun.spawnSync(argv, {
		cwd,
		env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
	});
	return { code: exitCode, out: stdout.toString(), error: stderr.toString() };
}

function put(path: string, bytes: Buffer | string): string {
	const full = join(directory, path);
	mkdirSync(dirname(full), { recursive: true });
	writeFileSync(full, bytes);
	return full;
}

function packageWith(scripts: Record<string, string>, packed: Buffer): Package {
	return {
		version: "1.2.3-rc.1",
		license: "Apache-2.0 AND MIT AND ISC",
		summary: "guard of ports",
		description: ["One paragraph ".repeat(20).trim(), "Another."],
		date,
		entries: [
			{ path: "/usr/bin/portward", mode: 0o755, content: { bytes: executable, packed } },
			{
				path: "/etc/portward/config.yaml",
				mode: 0o644,
				content: { bytes: Buffer.from(settings) },
				config: true,
			},
			{ path: "/var/lib/portward", mode: 0o700 },
			{
				path: "/usr/share/doc/portward/empty",
				mode: 0o644,
				content: { bytes: Buffer.alloc(0) },
				kind: "doc",
			},
		],
		scripts,
	};
}

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "portward-formats-"));
	key = pgpKey(generateKeyPairSync("ed25519").privateKey);
	const asc = put("key.asc", key.publicKey);
	keyring = join(directory, "key.gpg");
	const body = key.publicKey.split("\n\n")[1]?.split("\n=")[0] ?? "";
	writeFileSync(keyring, Buffer.from(body, "base64"));
	const packed = await compress(executable);
	made = packageWith({ postinst: "#!/bin/sh\nexit 0\n" }, packed);
	deb = await makeDeb(made, "amd64");
	debFile = put(deb.name, deb.bytes);
	const rpm = await makeRpm(packageWith({ post: "exit 0\n", preun: "exit 0\n" }, packed), "x86_64", key);
	rpmFile = put(rpm.name, rpm.bytes);
	database = ["--dbpath", join(directory, "rpmdb")];
	expect(run(["rpm", ...database, "--import", asc]).code).toBe(0);
});
afterAll(() => rmSync(directory, { recursive: true }));

test("a pre-release sorts before its release, by dpkg and by rpm", () => {
	expect(packageVersion("1.2.3")).toBe("1.2.3-1");
	expect(packageVersion("1.2.3-rc-1")).toBe("1.2.3~rc.1-1");
	const before = packageVersion("1.2.3-rc.1");
	expect(run(["dpkg", "--compare-versions", before, "lt", packageVersion("1.2.3")]).code).toBe(0);
	const compared = run([
		"rpm",
		"--eval",
		`%{lua: print(rpm.vercmp("${before}", "${packageVersion("1.2.3")}"))}`,
	]);
	expect(compared.out.trim()).toBe("-1");
});

test("what was compressed before is a member of its own, and the whole unpacks to the whole", async () => {
	const packed = await compress(executable);
	const all = await compressPieces([
		{ bytes: Buffer.from("before") },
		{ bytes: executable, packed },
		{ bytes: Buffer.from("be") },
		{ bytes: Buffer.from("hind") },
	]);
	expect(all.includes(packed)).toBe(true);
	expect(
		gunzipSync(all).equals(Buffer.concat([Buffer.from("before"), executable, Buffer.from("behind")])),
	).toBe(true);
});

describe("the .deb", () => {
	test("is what dpkg-deb reads, with its fields", () => {
		const { code, out, error } = run(["dpkg-deb", "--field", debFile]);
		expect([code, error]).toEqual([0, ""]);
		expect(out).toBe(deb.control);
		expect(out).toContain("\nVersion: 1.2.3~rc.1-1\n");
		expect(out).toContain("\nDepends: libc6 (>= 2.17), libnftables1, init-system-helpers (>= 1.54~)\n");
		expect(out).toMatch(/\n One paragraph .{1,70}\n(?: .+\n)+ \.\n Another\.\n$/u);
	});

	test("unpacks to its files, with their modes and times", () => {
		const to = join(directory, "unpacked");
		expect(run(["dpkg-deb", "--extract", debFile, to])).toEqual({ code: 0, out: "", error: "" });
		expect(readFileSync(join(to, "usr/bin/portward")).equals(executable)).toBe(true);
		expect(readFileSync(join(to, "etc/portward/config.yaml"), "utf8")).toBe(settings);
		expect(readFileSync(join(to, "usr/share/doc/portward/empty"), "utf8")).toBe("");
		const mode = (path: string) => statSync(join(to, path)).mode & 0o7777;
		expect([mode("usr/bin/portward"), mode("var/lib/portward"), mode("etc/portward")]).toEqual([
			0o755, 0o700, 0o755,
		]);
		expect(statSync(join(to, "usr/bin/portward")).mtimeMs).toBe(1000 * date);
	});

	test("belongs to root, says what is configuration, and has the sums of all else", () => {
		const owners = run(["dpkg-deb", "--contents", debFile]).out.trim().split("\n");
		expect(owners.every((line) => line.includes(" root/root "))).toBe(true);
		expect(owners.map((line) => line.split(/ +/u)[5])).toEqual(
			[...owners.map((line) => line.split(/ +/u)[5])].sort(),
		);
		const to = join(directory, "control");
		run(["dpkg-deb", "--control", debFile, to]);
		expect(readFileSync(join(to, "conffiles"), "utf8")).toBe("/etc/portward/config.yaml\n");
		expect(statSync(join(to, "postinst")).mode & 0o777).toBe(0o755);
		const checked = run(["md5sum", "--check", "--strict", join(to, "md5sums")], join(directory, "unpacked"));
		expect([checked.code, checked.out]).toEqual([
			0,
			"usr/bin/portward: OK\nusr/share/doc/portward/empty: OK\n",
		]);
	});

	test("refuses a name that its archive has no room for", () => {
		expect(() => tar([{ path: `/${"x".repeat(100)}`, mode: 0o755 }], date)).toThrow("too long");
	});
});

describe("the .rpm", () => {
	test("has a good signature and digests, and not after a byte was changed", () => {
		const { code, out } = run(["rpm", ...database, "-Kv", rpmFile]);
		expect(code).toBe(0);
		expect(out).toMatch(/Header V4 EdDSA\/SHA512 Signature, key ID [0-9a-f]{8}: OK/u);
		for (const line of ["Header SHA256 digest: OK", "Header SHA1 digest: OK", "Payload SHA256 digest: OK"]) {
			expect(out).toContain(line);
		}
		const bytes = readFileSync(rpmFile);
		for (const [at, name] of [
			[bytes.indexOf("guard of ports".slice(1)), "header"],
			[bytes.length - 100, "payload"],
		] as const) {
			const changed = Buffer.from(bytes);
			changed[at] = (changed[at] ?? 0) ^ 1;
			expect([name, run(["rpm", ...database, "-K", put(`${name}.rpm`, changed)]).code]).toEqual([name, 1]);
		}
	});

	test("says who it is and what it needs", () => {
		const query = (format: string) => run(["rpm", ...database, "-qp", "--qf", format, rpmFile]).out;
		expect(query("%{NEVRA} %{OS} %{LICENSE}")).toBe(
			"portward-1.2.3~rc.1-1.x86_64 linux Apache-2.0 AND MIT AND ISC",
		);
		expect(query("%{SUMMARY}")).toBe("Guard of ports");
		expect(query("[%{REQUIRENAME}\n]").trim().split("\n")).toEqual([
			"/bin/sh",
			"libc.so.6(GLIBC_2.17)(64bit)",
			"libnftables.so.1()(64bit)",
			"systemd",
			"rpmlib(CompressedFileNames)",
			"rpmlib(FileDigests)",
			"rpmlib(PayloadFilesHavePrefix)",
			"rpmlib(TildeInVersions)",
		]);
		expect(query("[%{FILENAMES} %{FILEMODES:octal} %{FILEFLAGS:fflags} %{FILEUSERNAME}\n]")).toBe(
			"/etc/portward/config.yaml 100644 cn root\n/usr/bin/portward 100755  root\n/usr/share/doc/portward/empty 100644 d root\n/var/lib/portward 40700  root\n",
		);
		expect(query("%{POSTIN}%{PREUN}%{POSTINPROG}")).toBe("exit 0\nexit 0\n/bin/sh");
	});

	test("unpacks to its files", () => {
		const to = join(directory, "from-rpm");
		mkdirSync(to);
		const unpacked = run(["sh", "-c", 'rpm2cpio "$1" | busybox cpio -idm', "sh", rpmFile], to);
		expect(unpacked.code).toBe(0);
		expect(readFileSync(join(to, "usr/bin/portward")).equals(executable)).toBe(true);
		expect(readFileSync(join(to, "etc/portward/config.yaml"), "utf8")).toBe(settings);
	});

	test("knows no script of another name", async () => {
		const wrong = { ...made, scripts: { postinst: "exit 0\n" } };
		await expect(makeRpm(wrong, "x86_64", null)).rejects.toThrow("RPM has no script postinst");
	});

	test("pads its payload: what follows a file begins at a multiple of four bytes", () => {
		const pieces = cpio(made.entries, date).map(({ bytes }) => bytes);
		let at = 0;
		for (const bytes of pieces) {
			if (bytes.subarray(0, 6).equals(Buffer.from("070701"))) expect(at % 4).toBe(0);
			at += bytes.length;
		}
		expect(pieces.filter((bytes) => bytes.subarray(0, 6).equals(Buffer.from("070701"))).length).toBe(5);
	});
});

describe("signatures", () => {
	test("gpgv takes them, and not after a byte was changed", () => {
		const text = "Line\n- dashed\nwith blanks  \nlast\n";
		const file = put("text", text);
		const detached = put("text.gpg", key.detached(text, date));
		const clear = put("clear", key.clear(text, date));
		const verify = (...files: string[]) => run(["gpgv", "--keyring", keyring, ...files]);
		expect(verify(detached, file).error).toContain("Good signature");
		expect(verify(clear).error).toContain(`using EDDSA key ${key.fingerprint}`);
		expect(verify(clear).code).toBe(0);
		expect(verify(detached, put("other", `${text}x`)).code).not.toBe(0);
		expect(verify(put("clear2", readFileSync(clear, "utf8").replace("last", "lost"))).code).not.toBe(0);
	});

	test("the key is one key whenever it is asked for, and signs nothing before it was made", () => {
		const pair = generateKeyPairSync("ed25519").privateKey;
		expect(pgpKey(pair).publicKey).toBe(pgpKey(pair).publicKey);
		expect(pgpKey(pair).detached("x", date)).toBe(pgpKey(pair).detached("x", date));
		expect(() => key.sign(Buffer.from("x"), keyDate - 1)).toThrow("before the key was made");
		const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
		expect(() => pgpKey(privateKey)).toThrow("not an Ed25519 key");
	});

	test("a hundred keys and texts: numbers that begin with zeros as well", () => {
		const file = put("one", "x");
		for (let n = 0; n < 100; n++) {
			const each = pgpKey(generateKeyPairSync("ed25519").privateKey);
			const packets = Buffer.from(each.publicKey.split("\n\n")[1]?.split("\n=")[0] ?? "", "base64");
			writeFileSync(join(directory, "each.gpg"), packets);
			writeFileSync(join(directory, "one.gpg"), each.detached("x", date + n));
			const { error } = run([
				"gpgv",
				"--keyring",
				join(directory, "each.gpg"),
				join(directory, "one.gpg"),
				file,
			]);
			expect(error).toContain("Good signature");
		}
	});
});

test("the repository's sums are those of its files, and unsigned it says nothing of keys", async () => {
	const files = await aptRepository(new Map([["amd64", deb]]), date, "2027-03-04", key);
	const at = new Map(files.map(({ path, bytes }) => [path, bytes]));
	expect([...at.keys()].sort()).toEqual([
		"dists/stable/InRelease",
		"dists/stable/Release",
		"dists/stable/Release.gpg",
		"dists/stable/main/binary-amd64/Packages",
		"dists/stable/main/binary-amd64/Packages.gz",
		`pool/${deb.name}`,
		"portward.asc",
	]);
	const release = at.get("dists/stable/Release")?.toString() ?? "";
	expect(release).toContain(
		"\nDate: Tue, 03 Feb 2026 04:05:06 +0000\nValid-Until: Thu, 04 Mar 2027 23:59:59 +0000\n",
	);
	for (const name of ["main/binary-amd64/Packages", "main/binary-amd64/Packages.gz"]) {
		const bytes = at.get(`dists/stable/${name}`) ?? Buffer.alloc(0);
		const digest = new Bun.SHA256().update(bytes).digest("hex");
		expect(release).toContain(` ${digest} ${String(bytes.length).padStart(8)} ${name}\n`);
	}
	const list = at.get("dists/stable/main/binary-amd64/Packages")?.toString() ?? "";
	expect(gunzipSync(at.get("dists/stable/main/binary-amd64/Packages.gz") ?? "").toString()).toBe(list);
	expect(list).toContain(`\nFilename: pool/${deb.name}\nSize: ${deb.bytes.length}\n`);
	const unsigned = await aptRepository(new Map([["amd64", deb]]), date, "2027-03-04", null);
	expect(unsigned.map(({ path }) => path).filter((path) => /InRelease|gpg|asc/u.test(path))).toEqual([]);
});
