import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatManifest, type Manifest, parseManifest } from "../../src/source/manifest.ts";

const sha256 = "a".repeat(64);
const manifest: Manifest = {
	serial: 7,
	created: "2026-01-02T03:04:05.678Z",
	files: [
		{ path: "a.yaml", sha256 },
		{ path: "b/c.json", sha256 },
	],
};
const good = JSON.parse(formatManifest(manifest));
const parse = (value: unknown) => parseManifest(JSON.stringify(value));

const part = fc
	.string({ unit: "grapheme", minLength: 1, maxLength: 8 })
	.filter((text) => !/[/\0]/.test(text) && !text.startsWith(".") && text.isWellFormed());
const files = fc.uniqueArray(
	fc.record({
		path: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
		sha256: fc
			.array(fc.integer({ min: 0, max: 15 }), { minLength: 64, maxLength: 64 })
			.map((digits) => digits.map((digit) => digit.toString(16)).join("")),
	}),
	{ selector: ({ path }) => path, maxLength: 12 },
);

describe("a manifest", () => {
	test("is read as it was written, whatever the order of its files was", () => {
		fc.assert(
			fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), files, (serial, list) => {
				const read = parseManifest(formatManifest({ ...manifest, serial, files: list }));
				expect(read.ok && read.manifest.serial).toBe(serial);
				const sorted = list.toSorted((a, b) => (a.path < b.path ? -1 : 1));
				expect(read.ok && read.manifest.files).toEqual(sorted);
			}),
		);
	});

	test.each([
		["another format", { ...good, format: "portward-policy-manifest-2" }],
		["an unknown key", { ...good, more: 1 }],
		["an unknown key of a file", { ...good, files: [{ path: "a.yaml", sha256, more: 1 }] }],
		["no serial", { ...good, serial: undefined }],
		["serial 0", { ...good, serial: 0 }],
		["a negative serial", { ...good, serial: -1 }],
		["a serial with a fraction", { ...good, serial: 1.5 }],
		["a serial beyond what is exact", { ...good, serial: 2 ** 53 }],
		["a serial as text", { ...good, serial: "7" }],
		["no time", { ...good, created: "yesterday" }],
		["files that are none", { ...good, files: {} }],
		["a hash in upper case", { ...good, files: [{ path: "a.yaml", sha256: sha256.toUpperCase() }] }],
		["a short hash", { ...good, files: [{ path: "a.yaml", sha256: sha256.slice(1) }] }],
		["a path twice", { ...good, files: [...manifest.files, manifest.files[1]] }],
		["paths out of order", { ...good, files: manifest.files.toReversed() }],
		["too many files", { ...good, files: Array(100_001).fill(manifest.files[0]) }],
		["a list", [good]],
		["null", null],
	])("with %s is refused", (_what, value) => {
		expect(parse(value)).toEqual({ ok: false, message: expect.any(String) });
	});

	test.each([
		"",
		"/a.yaml",
		"../a.yaml",
		"a/../b.yaml",
		"./a.yaml",
		"a//b.yaml",
		".a.yaml",
		"a/.b.yaml",
		"a.yaml/",
		"a\0.yaml",
		"\ud800.yaml",
		"a".repeat(4097),
	])("that lists %p is refused", (path) => {
		expect(parse({ ...good, files: [{ path, sha256 }] }).ok).toBe(false);
	});

	test("that is no text of JSON, nests deep, or is anything at all, is refused and never thrown", () => {
		const deep = "[".repeat(1_000_000);
		for (const text of ["", "{", "\u0000", deep, `${deep}${"]".repeat(1_000_000)}`, `{"files":${deep}`]) {
			expect(parseManifest(text).ok).toBe(false);
		}
		fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => !parseManifest(text).ok));
		fc.assert(fc.property(fc.json({ maxDepth: 6 }), (text) => !parseManifest(text).ok));
	});

	test("that was damaged anywhere is refused, or says the same or something else that is whole", () => {
		const text = formatManifest(manifest);
		fc.assert(
			fc.property(fc.nat(text.length - 1), fc.string({ unit: "binary", maxLength: 3 }), (at, piece) => {
				const read = parseManifest(text.slice(0, at) + piece + text.slice(at + 1));
				if (!read.ok) return;
				const again = parseManifest(formatManifest(read.manifest));
				expect(again).toEqual(read);
			}),
			{ numRuns: 2000 },
		);
	});
});
