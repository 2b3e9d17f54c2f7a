import { describe, expect, test } from "bun:test";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	generatePrivateKey,
	parsePrivateKey,
	parsePublicKey,
	publicText,
	signBytes,
	strictBase64,
	verifyBytes,
} from "../../src/source/signing-key.ts";

function privateKey(pem = generatePrivateKey()) {
	const parsed = parsePrivateKey(pem);
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.key;
}

/** Runs openssl with files in a directory of its own. */
function openssl(directory: string, ...args: readonly string[]): void {
	const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { cwd: directory });
	if (exitCode !== 0) throw new Error(stderr.toString());
}

describe("Ed25519 keys", () => {
	test("sign as RFC 8032 says (section 7.1, tests 1 and 3)", () => {
		const vectors = [
			[
				"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
				"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
				"",
				"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
			],
			[
				"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
				"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
				"af82",
				"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
			],
		] as const;
		for (const [seed, publicHex, message, signature] of vectors) {
			const der = Buffer.from(`302e020100300506032b657004220420${seed}`, "hex").toString("base64");
			const key = privateKey(`-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`);
			expect(publicText(key)).toBe(`ed25519:${Buffer.from(publicHex, "hex").toString("base64")}`);
			expect(signBytes(Buffer.from(message, "hex"), key).toString("hex")).toBe(signature);
		}
	});

	test("of openssl are taken, and ours by openssl", () => {
		const directory = mkdtempSync(join(tmpdir(), "portward-keys-"));
		const file = (name: string) => readFileSync(join(directory, name), "utf8");
		openssl(directory, "genpkey", "-algorithm", "ed25519", "-out", "key.pem");
		openssl(directory, "pkey", "-in", "key.pem", "-pubout", "-out", "public.pem");
		const theirs = privateKey(file("key.pem"));
		const known = parsePublicKey(file("public.pem"));
		if (!known.ok) throw new Error(known.message);
		expect(publicText(known.key)).toBe(publicText(theirs));
		const message = Buffer.from("the manifest");
		writeFileSync(join(directory, "message"), message);
		openssl(
			directory,
			"pkeyutl",
			"-sign",
			"-rawin",
			"-inkey",
			"key.pem",
			"-in",
			"message",
			"-out",
			"signature",
		);
		expect(readFileSync(join(directory, "signature")).equals(signBytes(message, theirs))).toBe(true);
		writeFileSync(join(directory, "ours.pem"), generatePrivateKey());
		openssl(directory, "pkey", "-in", "ours.pem", "-pubout", "-out", "ours.public.pem");
		const ours = parsePublicKey(file("ours.public.pem"));
		expect(ours.ok && publicText(ours.key)).toBe(publicText(privateKey(file("ours.pem"))));
		rmSync(directory, { recursive: true });
	});

	test("are read from every public form, and written in one", () => {
		const text = publicText(privateKey());
		const raw = text.slice("ed25519:".length);
		const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(raw, "base64")]);
		const pem = createPublicKey({ key: der, format: "der", type: "spki" }).export({
			type: "spki",
			format: "pem",
		});
		for (const form of [text, raw, ` ${text}\n`, der.toString("base64"), pem.toString()]) {
			const parsed = parsePublicKey(form);
			expect(parsed.ok && publicText(parsed.key)).toBe(text);
		}
	});

	test("of other kinds, damaged, encrypted or private where a public one is wanted, are refused", () => {
		const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
		const rsaPublic = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();
		const x25519 = generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "der" });
		const pem = generatePrivateKey();
		for (const form of [
			"",
			"ed25519:",
			"ed25519:AAAA",
			"nonsense",
			rsaPublic,
			x25519.toString("base64"),
			pem,
		]) {
			expect(parsePublicKey(form)).toMatchObject({ ok: false });
		}
		const rsaPrivate = rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
		for (const form of ["", "nonsense", rsaPrivate, pem.slice(0, -40), publicText(privateKey(pem))]) {
			expect(parsePrivateKey(form)).toMatchObject({ ok: false });
		}
		expect(parsePrivateKey("-----BEGIN ENCRYPTED PRIVATE KEY-----")).toMatchObject({
			ok: false,
			message: expect.stringContaining("openssl pkey"),
		});
	});

	test("refuse what was signed by another, or is another text", () => {
		const key = privateKey();
		const publicKey = parsePublicKey(publicText(key));
		const other = parsePublicKey(publicText(privateKey()));
		if (!publicKey.ok || !other.ok) throw new Error("no keys");
		const bytes = Buffer.from("text");
		const signature = signBytes(bytes, key);
		expect(verifyBytes(bytes, signature, publicKey.key)).toBe(true);
		expect(verifyBytes(bytes, signature, other.key)).toBe(false);
		expect(verifyBytes(Buffer.from("Text"), signature, publicKey.key)).toBe(false);
		expect(verifyBytes(bytes, signature.subarray(1), publicKey.key)).toBe(false);
	});
});

test("base64 counts in its only form", () => {
	expect(strictBase64("AAA=", 2)).toEqual(Buffer.from([0, 0]));
	for (const text of ["AAB=", "AAA", "AAA=\n", "A-A=", "AAAA"]) expect(strictBase64(text, 2)).toBeNull();
});
