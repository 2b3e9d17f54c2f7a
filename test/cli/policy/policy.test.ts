import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../../src/config/parse.ts";
import { manifestFile, parseManifest, signatureFile } from "../../../src/source/manifest.ts";
import { raiseSerial } from "../../../src/state/policy-serial.ts";
import { block, policy } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const good = policy("a", { action: "Block", ingress: [{ from: [block("192.0.2.0/24")] }] });

/** A directory with one policy, and a key beside it. */
async function setUp() {
	const files = new Files();
	const directory = join(files.path, "policies");
	mkdirSync(directory);
	writeFileSync(join(directory, "a.yaml"), good);
	const key = join(files.path, "key.pem");
	const made = await portward("policy", "keygen", "--out", key);
	expect(made).toMatchObject({ code: 0, error: "" });
	const put = (name: string, text: string | Uint8Array) => writeFileSync(join(directory, name), text);
	const manifest = () => {
		const parsed = parseManifest(readFileSync(join(directory, manifestFile), "utf8"));
		if (!parsed.ok) throw new Error(parsed.message);
		return parsed.manifest;
	};
	return { files, directory, key, publicKey: made.out.trim(), put, manifest };
}

describe("policy keygen", () => {
	test("makes a key for its owner alone, never over another, and prints what the config takes", async () => {
		const { files, key, publicKey } = await setUp();
		expect(statSync(key).mode & 0o777).toBe(0o600);
		expect(parseConfig("c", JSON.stringify({ trustedKeys: [publicKey] })).ok).toBe(true);
		const before = readFileSync(key, "utf8");
		expect((await portward("policy", "keygen", "--out", key)).code).toBe(1);
		expect(readFileSync(key, "utf8")).toBe(before);
		expect(await portward("policy", "keygen")).toMatchObject({ code: 64 });
		const checked = Bun.spawnSync(["openssl", "pkey", "-in", key, "-noout", "-text"]);
		expect(checked.stdout.toString()).toContain("ED25519");
		files[Symbol.dispose]();
	});
});

describe("policy sign and verify", () => {
	test("a private key that others can read signs nothing", async () => {
		const { files, directory, key } = await setUp();
		for (const mode of [0o644, 0o640, 0o604]) {
			chmodSync(key, mode);
			const refused = await portward("policy", "sign", directory, "--key", key);
			expect([refused.code, refused.error]).toEqual([1, expect.stringContaining("run chmod 600 on it")]);
		}
		expect(readdirSync(directory)).toEqual(["a.yaml"]);
		chmodSync(key, 0o600);
		expect((await portward("policy", "sign", directory, "--key", key)).code).toBe(0);
		files[Symbol.dispose]();
	});

	test("what was signed verifies, for whom its key is trusted, and for nobody after a change", async () => {
		const { files, directory, key, publicKey, put } = await setUp();
		const signed = await portward("policy", "sign", directory, "--key", key);
		expect(signed).toEqual({ code: 0, out: `signed 1 file as serial 1 with ${publicKey}\n`, error: "" });
		expect(statSync(join(directory, manifestFile)).mode & 0o777).toBe(0o644);
		expect(readdirSync(directory).sort()).toEqual([manifestFile, signatureFile, "a.yaml"].sort());
		const pem = files.put(
			"public.pem",
			Bun.spawnSync(["openssl", "pkey", "-in", key, "-pubout"]).stdout.toString(),
		);
		const config = files.config({ trustedKeys: [publicKey], stateDir: join(files.path, "state") });
		for (const trust of [
			["--trusted-key", publicKey],
			["--trusted-key", pem],
			["--trusted-key", files.put("public.txt", `${publicKey}\n`)],
			["--config", config],
		]) {
			const { code, out } = await portward("policy", "verify", directory, ...trust);
			expect([code, out]).toEqual([0, expect.stringMatching(/^1 file, serial 1, signed .*Z with ed25519:/)]);
		}
		const other = await portward("policy", "keygen", "--out", join(files.path, "other.pem"));
		const several = ["--trusted-key", other.out.trim(), "--trusted-key", publicKey];
		expect((await portward("policy", "verify", directory, ...several)).code).toBe(0);
		const foreign = await portward("policy", "verify", directory, "--trusted-key", other.out.trim());
		expect(foreign).toMatchObject({ code: 1, out: "", error: expect.stringContaining("[unknown-key]") });
		put("a.yaml", `${good}\n`);
		const altered = await portward("policy", "verify", directory, "--trusted-key", publicKey);
		expect(altered).toMatchObject({ code: 1, error: expect.stringContaining("a.yaml [altered-policies]") });
		files[Symbol.dispose]();
	});

	test("serials count up from what lies there, or are given", async () => {
		const { files, directory, key, put, manifest } = await setUp();
		const sign = (...more: readonly string[]) => portward("policy", "sign", directory, "--key", key, ...more);
		for (const serial of [1, 2, 3]) {
			expect((await sign()).code).toBe(0);
			expect(manifest().serial).toBe(serial);
		}
		expect((await sign("--serial", "100")).code).toBe(0);
		await sign();
		expect(manifest().serial).toBe(101);
		const back = await sign("--serial", "7");
		expect(back).toMatchObject({ code: 0, error: expect.stringContaining("will refuse serial 7") });
		for (const bad of ["0", "-1", "1.5", "x", "9007199254740992", ""]) {
			expect((await sign(`--serial=${bad}`)).code).toBe(64);
		}
		put(manifestFile, "damaged");
		expect(await sign()).toMatchObject({ code: 1, error: expect.stringContaining("--serial N") });
		expect((await sign("--serial", "8")).code).toBe(0);
		files[Symbol.dispose]();
	});

	test("errors in policies are refused unless forced; what cannot be read, always", async () => {
		const { files, directory, key, put } = await setUp();
		const sign = (...more: readonly string[]) => portward("policy", "sign", directory, "--key", key, ...more);
		put("b.yaml", "kind: nonsense\n");
		const refused = await sign();
		expect(refused).toMatchObject({ code: 1, out: "", error: expect.stringContaining("b.yaml:1:") });
		expect(readdirSync(directory)).not.toContain(manifestFile);
		expect((await sign("--force")).code).toBe(0);
		put("b.yaml", good);
		expect((await sign()).error).toContain("duplicate");
		put("b.yaml", Buffer.from([0x23, 0xff, 0x0a]));
		expect((await sign()).error).toContain("not UTF-8");
		rmSync(join(directory, "b.yaml"));
		mkdirSync(join(directory, "b.yaml"));
		mkdirSync(join(directory, "b.yaml", "deep".padEnd(40, "/d")), { recursive: true });
		expect(await sign("--force")).toMatchObject({
			code: 1,
			error: expect.stringContaining("cannot be read"),
		});
		expect((await portward("policy", "sign", join(directory, "none"), "--key", key)).code).toBe(1);
		files[Symbol.dispose]();
	});

	test("verify with a config holds the serial against what that host enforced", async () => {
		const { files, directory, key, publicKey } = await setUp();
		const state = join(files.path, "state");
		const config = files.config({ trustedKeys: [publicKey], stateDir: state });
		await portward("policy", "sign", directory, "--key", key, "--serial", "4");
		raiseSerial(state, { serial: 5, digest: "a".repeat(64) });
		expect(await portward("policy", "verify", directory, "--config", config)).toMatchObject({
			code: 1,
			error: expect.stringContaining("[old-serial]"),
		});
		expect((await portward("policy", "verify", directory, "--trusted-key", publicKey)).code).toBe(0);
		files[Symbol.dispose]();
	});

	test("keys that are none are refused, and wrong usage is told", async () => {
		const { files, directory, key, publicKey } = await setUp();
		for (const [bad, said] of [
			[files.put("nokey", "nonsense"), "no Ed25519 private key"],
			[join(files.path, "none"), "ENOENT"],
			[files.path, "no file of at most"],
			["/dev/zero", "no file of at most"],
		] as const) {
			const { code, error } = await portward("policy", "sign", directory, "--key", bad);
			expect([code, error]).toEqual([1, expect.stringContaining(said)]);
		}
		for (const bad of ["nonsense", key]) {
			expect((await portward("policy", "verify", directory, "--trusted-key", bad)).code).toBe(1);
		}
		for (const args of [
			[],
			["frobnicate"],
			["constructor"],
			["sign", "--key", key],
			["sign", directory, directory, "--key", key],
			["sign", directory],
			["verify", "--trusted-key", publicKey],
			["verify", directory],
			["verify", directory, "--trusted-key", publicKey, "--config", files.config()],
		]) {
			expect((await portward("policy", ...args)).code).toBe(64);
		}
		files[Symbol.dispose]();
	});
});

describe("the files of groups", () => {
	const group = (spec: object) =>
		JSON.stringify({
			apiVersion: "portward.io/v1",
			kind: "PortwardAddressGroup",
			metadata: { name: "g" },
			spec,
		});

	test("are signed with the policies that name them, and verified", async () => {
		const { files, directory, key, publicKey, put, manifest } = await setUp();
		put("a.yaml", policy("a", { action: "Block", ingress: [{ from: [{ group: "g" }] }] }));
		put("g.yaml", group({ file: "list.txt" }));
		const missing = await portward("policy", "sign", directory, "--key", key);
		expect([missing.code, missing.error]).toEqual([1, expect.stringContaining("list.txt does not exist")]);
		put("list.txt", "192.0.2.0/24\n");
		const signed = await portward("policy", "sign", directory, "--key", key);
		expect([signed.code, signed.out]).toEqual([
			0,
			expect.stringContaining("signed 2 files and 1 list of groups"),
		]);
		expect(manifest().feeds).toEqual([
			{ path: "list.txt", sha256: new Bun.CryptoHasher("sha256").update("192.0.2.0/24\n").digest("hex") },
		]);
		const verify = () => portward("policy", "verify", directory, "--trusted-key", publicKey);
		expect((await verify()).code).toBe(0);
		put("list.txt", "192.0.2.0/25\n");
		const altered = await verify();
		expect([altered.code, altered.error]).toEqual([1, expect.stringContaining("altered-feed")]);
		rmSync(join(directory, "list.txt"));
		expect((await verify()).error).toContain("does not exist");
		put("g.yaml", group({ file: "list.txt", unsigned: true, cidrs: ["192.0.2.0/24"] }));
		const forced = await portward("policy", "sign", directory, "--key", key, "--force");
		expect([forced.code, manifest().feeds]).toEqual([0, undefined]);
		expect((await verify()).code).toBe(0);
		files[Symbol.dispose]();
	});
});
