import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { formatManifest, manifestFile, signatureFile } from "../../src/source/manifest.ts";
import { PolicyDirectoryReader } from "../../src/source/policy-directory.ts";
import { maxManifestBytes } from "../../src/source/policy-signature.ts";
import { publicText, signBytes } from "../../src/source/signing-key.ts";
import { newKey, signDirectory } from "../state/support/signing.ts";

const key = newKey();
const trusted = [publicText(newKey()), publicText(key)];

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-signed-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(path: string, content: string | Uint8Array): void {
	mkdirSync(join(directory, path, ".."), { recursive: true });
	writeFileSync(join(directory, path), content);
}

const read = () => new PolicyDirectoryReader(directory, { checkPermissions: false }).read(trusted);
const code = () => read().problem?.code ?? null;

const sign = (serial = 1, signer = key): void => signDirectory(directory, signer, serial);

function putPair({ manifest, signature }: { manifest: Uint8Array; signature: Uint8Array }): void {
	put(manifestFile, manifest);
	put(signatureFile, signature);
}

const three = { "a.yaml": "kind: a\n", "b/c.json": "{}", "d.yml": "" };
function putThree(): void {
	for (const [path, text] of Object.entries(three)) put(path, text);
}

describe("a signed policy directory", () => {
	test("is taken whole, with its serial; what is no policy need not be signed", () => {
		putThree();
		put("README.md", "no policy");
		put(".hidden.yaml", "no policy either");
		sign(42);
		const { files, problem, set } = read();
		expect(problem).toBeNull();
		expect(files.map(({ path, text }) => [path, text])).toEqual(Object.entries(three));
		expect(set).toEqual({
			serial: 42,
			digest: createHash("sha256")
				.update(readFileSync(join(directory, manifestFile)))
				.digest("hex"),
		});
	});

	test("may hold no policy at all", () => {
		sign();
		expect(read()).toMatchObject({ problem: null, files: [], set: { serial: 1 } });
	});

	const changes: [string, string, () => void][] = [
		["without a manifest", "unsigned-policies", () => rmSync(join(directory, manifestFile))],
		["without a signature", "unsigned-policies", () => rmSync(join(directory, signatureFile))],
		["with a file altered", "altered-policies", () => put("a.yaml", "kind: b\n")],
		["with a file emptied", "altered-policies", () => truncateSync(join(directory, "a.yaml"))],
		["with a file more", "unlisted-policies", () => put("b/z.yaml", "kind: b\n")],
		["with a file less", "missing-policies", () => rmSync(join(directory, "d.yml"))],
		[
			"with a file under another name",
			"unlisted-policies",
			() => renameSync(join(directory, "d.yml"), join(directory, "e.yml")),
		],
		[
			"with two files that changed places",
			"altered-policies",
			() => {
				put("a.yaml", three["b/c.json"]);
				put("b/c.json", three["a.yaml"]);
			},
		],
		[
			"with a file that leads elsewhere",
			"unreadable-policies",
			() => {
				rmSync(join(directory, "a.yaml"));
				symlinkSync("/etc/hostname", join(directory, "a.yaml"));
			},
		],
		["signed by somebody else", "unknown-key", () => sign(1, newKey())],
		["with a signature that is none", "bad-signature", () => put(signatureFile, "signature")],
		["with a signature of a megabyte", "file-too-large", () => put(signatureFile, "s".repeat(1_000_000))],
		[
			"with the signature of an earlier manifest",
			"bad-signature",
			() => {
				const before = readFileSync(join(directory, signatureFile));
				sign(2);
				put(signatureFile, before);
			},
		],
		[
			"with a trusted name on another's signature",
			"bad-signature",
			() => {
				const bytes = readFileSync(join(directory, manifestFile));
				put(signatureFile, `${publicText(key)} ${signBytes(bytes, newKey()).toString("base64")}\n`);
			},
		],
		[
			"with a manifest that is signed but no manifest",
			"bad-manifest",
			() => {
				const bytes = Buffer.from("[".repeat(100_000));
				putPair({
					manifest: bytes,
					signature: Buffer.from(`${publicText(key)} ${signBytes(bytes, key).toString("base64")}\n`),
				});
			},
		],
		[
			"with a giant manifest",
			"file-too-large",
			() => truncateSync(join(directory, manifestFile), maxManifestBytes + 1),
		],
		[
			"with a manifest that is a directory",
			"not-a-file",
			() => {
				rmSync(join(directory, manifestFile));
				mkdirSync(join(directory, manifestFile));
			},
		],
	];
	test.each(changes)("%s is refused as a whole", (_what, wanted, change) => {
		putThree();
		sign();
		expect(code()).toBeNull();
		change();
		expect(read()).toMatchObject({
			files: [],
			set: null,
			problem: { code: wanted, hint: expect.any(String) },
		});
	});

	test("is refused when nobody is trusted", () => {
		putThree();
		sign();
		const reader = new PolicyDirectoryReader(directory, { checkPermissions: false });
		expect(reader.read([]).problem?.code).toBe("unknown-key");
	});

	test("with a manifest that others can write is refused", () => {
		putThree();
		sign();
		const reader = new PolicyDirectoryReader(directory, { checkPermissions: true });
		expect(reader.read(trusted).problem).toBeNull();
		chmodSync(join(directory, signatureFile), 0o666);
		expect(reader.read(trusted).problem?.code).toBe("insecure-permissions");
	});

	test("with any one byte changed in any of its files is refused", () => {
		putThree();
		sign(3);
		const paths = [...Object.keys(three), manifestFile, signatureFile];
		const whole = new Map(paths.map((path) => [path, readFileSync(join(directory, path))]));
		const places = paths.flatMap((path) => [...(whole.get(path) ?? []).keys()].map((at) => ({ path, at })));
		const reader = new PolicyDirectoryReader(directory, { checkPermissions: false });
		const changed = ({ path, at }: { path: string; at: number }, bit: number) => {
			const bytes = Buffer.from(whole.get(path) ?? []);
			bytes[at] = (bytes[at] ?? 0) ^ bit;
			put(path, bytes);
			const { problem, files } = reader.read(trusted);
			put(path, whole.get(path) ?? "");
			return { refused: problem !== null && files.length === 0, path, at, bit };
		};
		for (const place of places) expect(changed(place, 1)).toMatchObject({ refused: true });
		fc.assert(
			fc.property(fc.constantFrom(...places), fc.integer({ min: 1, max: 255 }), (place, bit) => {
				expect(changed(place, bit)).toMatchObject({ refused: true });
			}),
			{ numRuns: 1000 },
		);
		expect(reader.read(trusted).problem).toBeNull();
	});

	test("with bytes put in or left out of manifest or signature is refused", () => {
		putThree();
		sign();
		for (const path of [manifestFile, signatureFile]) {
			const whole = readFileSync(join(directory, path));
			for (let at = 0; at <= whole.length; at += 1) {
				put(path, Buffer.concat([whole.subarray(0, at), Buffer.from(" "), whole.subarray(at)]));
				expect(code()).not.toBeNull();
				if (at === whole.length) continue;
				put(path, Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]));
				expect(code()).not.toBeNull();
			}
			put(path, whole);
		}
		expect(code()).toBeNull();
	});

	test("with a file altered is refused also where it was read before and its size and time are as they were", () => {
		putThree();
		sign();
		const reader = new PolicyDirectoryReader(directory, { checkPermissions: false });
		expect(reader.read(trusted).problem).toBeNull();
		const { atime, mtime } = statSync(join(directory, "a.yaml"));
		put("a.yaml", "kind: b\n");
		utimesSync(join(directory, "a.yaml"), atime, mtime);
		expect(reader.read(trusted).problem?.code).toBe("altered-policies");
	});

	test("of links, as Kubernetes mounts them, is taken", () => {
		const data = join(directory, "..data");
		putThree();
		sign();
		mkdirSync(data);
		for (const name of ["a.yaml", "d.yml", manifestFile, signatureFile]) {
			renameSync(join(directory, name), join(data, name));
			symlinkSync(join("..data", name), join(directory, name));
		}
		expect(code()).toBeNull();
	});

	test("gives its two files to who copies it, signature wanted or not", () => {
		putThree();
		sign();
		const { signed, set } = new PolicyDirectoryReader(directory, { checkPermissions: false }).read();
		expect(set).toBeNull();
		expect(signed).toEqual({
			manifest: readFileSync(join(directory, manifestFile)),
			signature: readFileSync(join(directory, signatureFile)),
		});
	});

	test("may be signed by hand, with any program that signs the manifest's bytes", () => {
		putThree();
		const files = new PolicyDirectoryReader(directory, { checkPermissions: false })
			.read()
			.files.map(({ path, sha256 }) => ({ path, sha256: sha256 ?? "" }));
		const bytes = Buffer.from(
			JSON.stringify(
				JSON.parse(formatManifest({ serial: 1, created: "2026-01-01T00:00:00Z", files })),
				null,
				7,
			),
		);
		putPair({
			manifest: bytes,
			signature: Buffer.from(`${publicText(key)} ${signBytes(bytes, key).toString("base64")}\n`),
		});
		expect(code()).toBeNull();
	});
});
