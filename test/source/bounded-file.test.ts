import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBounded, readPieces } from "../../src/source/bounded-file.ts";

const directory = mkdtempSync(join(tmpdir(), "portward-bounded-"));
afterAll(() => rmSync(directory, { recursive: true }));

const options = { limit: 1000, patienceMs: 50 };

test("a file up to the limit, to the byte", () => {
	const path = join(directory, "file");
	writeFileSync(path, "é".repeat(500));
	expect(readBounded(path, options)).toEqual({ ok: true, text: "é".repeat(500) });
	writeFileSync(path, "x".repeat(1001));
	expect(readBounded(path, options)).toEqual({ ok: false, reason: "too-large" });
	writeFileSync(path, "");
	expect(readBounded(path, options)).toEqual({ ok: true, text: "" });
});

test("a file in pieces, as far as it is wanted", () => {
	const path = join(directory, "long");
	writeFileSync(path, "x".repeat(200_000));
	const long = { ...options, limit: 200_000 };
	for (const [wanted, bytes] of [
		[9, 200_000],
		[1, 65_536],
	] as const) {
		const lengths: number[] = [];
		expect(readPieces(path, long, ({ length }) => lengths.push(length) < wanted)).toBeNull();
		expect(lengths.reduce((sum, length) => sum + length)).toBe(bytes);
	}
	const lengths: number[] = [];
	const less = { ...long, limit: 199_999 };
	expect(readPieces(path, less, ({ length }) => lengths.push(length) > 0)).toMatchObject({ ok: false });
	expect(lengths).not.toBeEmpty();
});

test("devices, by what they give", () => {
	expect(readBounded("/dev/null", options)).toEqual({ ok: true, text: "" });
	expect(readBounded("/dev/zero", options)).toEqual({ ok: false, reason: "too-large" });
});

test("what is not accepted is not read", () => {
	const seen: number[] = [];
	const accept = ({ uid }: { uid: number }) => seen.push(uid) === 0;
	expect(readBounded("/dev/zero", { ...options, accept })).toEqual({ ok: false, reason: "refused" });
	expect(seen).toEqual([0]);
});

test("what is not there, or is a directory, is the system's error", () => {
	expect(() => readBounded(join(directory, "gone"), options)).toThrow("ENOENT");
	expect(() => readBounded(directory, options)).toThrow("EISDIR");
});

test("a pipe whose writer is silent is given up, at its beginning and in the midst", () => {
	for (const [index, first] of [":", "printf start >&3"].entries()) {
		const pipe = join(directory, `pipe${index}`);
		expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
		// Open for reading and writing, so that it is not at its end while the writer lives.
		const writer = Bun.spawn(["sh", "-c", `exec 3<>"$0"; ${first}; touch "$0.ready"; exec sleep 60`, pipe]);
		try {
			Bun.spawnSync(["sh", "-c", 'until [ -e "$0.ready" ]; do sleep 0.01; done', pipe]);
			expect(readBounded(pipe, options)).toEqual({ ok: false, reason: "silent" });
		} finally {
			writer.kill("SIGKILL");
		}
	}
});
