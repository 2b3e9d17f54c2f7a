import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import {
	cleanReason,
	clearPanic,
	longestReason,
	panicPath,
	readPanic,
	writePanic,
} from "../../src/state/panic.ts";
import { writeState } from "../../src/state/state-file.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-panic-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("the record of panic-open", () => {
	test("is there until it is cleared, and nothing stays behind", () => {
		expect(readPanic(directory)).toEqual({ open: false, problem: null });
		expect(writePanic(directory, "the database is unreachable", 5000)).toBeNull();
		expect(readPanic(directory)).toEqual({
			open: true,
			record: { since: 5000, reason: "the database is unreachable" },
			problem: null,
		});
		expect(clearPanic(directory)).toEqual({ ok: true, removed: true });
		expect(readPanic(directory)).toEqual({ open: false, problem: null });
		expect(clearPanic(directory)).toEqual({ ok: true, removed: false });
		expect(readdirSync(directory)).toEqual([]);
	});

	test("of others than root says nothing: by owner, by mode, by the way to it, at every look", () => {
		const state = join(directory, "parent", "state");
		mkdirSync(state, { recursive: true });
		const path = panicPath(state);
		const closed = (problem: string) => ({ open: false as const, problem: expect.stringContaining(problem) });
		for (const make of [() => writePanic(state, "theirs", 1), () => writeFileSync(path, "")]) {
			make();
			expect(readPanic(state).open).toBe(true);
			chownSync(path, 12345, 0);
			expect(readPanic(state)).toEqual(closed(`${path} is owned by user 12345`));
			chownSync(path, 0, 0);
			chmodSync(path, 0o666);
			expect(readPanic(state)).toEqual(closed(`${path} can be written by others`));
			chmodSync(path, 0o600);
			for (const above of [join(directory, "parent"), state]) {
				chownSync(above, 12345, 0);
				expect(readPanic(state)).toEqual(closed("the state directory"));
				expect(readPanic(state, { checkPermissions: false }).open).toBe(true);
				chownSync(above, 0, 0);
			}
			expect(readPanic(state).open).toBe(true);
			rmSync(path);
		}
	});

	test("that nobody would believe is an error when it is written, and resume removes it all the same", () => {
		chmodSync(directory, 0o777);
		expect(writePanic(directory, "why", 1)).toContain("can be written by others than root");
		expect(readPanic(directory).open).toBe(false);
		expect(clearPanic(directory)).toEqual({ ok: true, removed: true });
	});

	test("is there no more after it was written twice and cleared once", () => {
		writePanic(directory, "one", 5000);
		writePanic(directory, "two", 9000);
		expect(readPanic(directory)).toMatchObject({ record: { since: 5000, reason: "two" } });
		clearPanic(directory);
		expect(readPanic(directory).open).toBe(false);
		expect(readdirSync(directory)).toEqual([]);
	});

	test("counts as open when it is cut short or altered anywhere", () => {
		writePanic(directory, "why", 5000);
		const whole = readFileSync(panicPath(directory));
		for (let length = 0; length < whole.length; length++) {
			writeFileSync(panicPath(directory), whole.subarray(0, length));
			expect(readPanic(directory)).toMatchObject({ open: true, problem: expect.stringContaining("damaged") });
		}
		for (let index = 0; index < whole.length; index++) {
			const altered = Buffer.from(whole);
			altered[index] = (altered[index] ?? 0) ^ 0x20;
			writeFileSync(panicPath(directory), altered);
			const read = readPanic(directory);
			expect(read.open).toBe(true);
			expect(read.problem).not.toBeNull();
		}
		expect(clearPanic(directory)).toEqual({ ok: true, removed: true });
	});

	test.each([
		["a value of another shape", null],
		["no time", { reason: "r" }],
		["a time beyond all calendars", { since: 1e300, reason: "r" }],
		["no reason", { since: 1 }],
	])("counts as open with %s", (_what, value) => {
		writeState(panicPath(directory), value);
		const read = readPanic(directory);
		expect(read).toMatchObject({ open: true, problem: expect.any(String) });
		if (read.open) expect(new Date(read.record.since).toISOString()).toMatch(/^2/);
	});

	test("counts as open where something else than a file bears its name", () => {
		mkdirSync(panicPath(directory));
		expect(readPanic(directory)).toMatchObject({ open: true, problem: expect.any(String) });
		rmSync(panicPath(directory), { recursive: true });
		symlinkSync("nowhere", panicPath(directory));
		expect(readPanic(directory)).toMatchObject({ open: true, problem: expect.any(String) });
		expect(clearPanic(directory)).toEqual({ ok: true, removed: true });
	});

	test("is not known, which is said, where its directory cannot be looked into", () => {
		const file = join(directory, "file");
		writeFileSync(file, "");
		expect(readPanic(file)).toMatchObject({ open: false, problem: expect.stringContaining("ENOTDIR") });
		expect(writePanic(file, "r", 1)).toEqual(expect.any(String));
		expect(clearPanic(file)).toMatchObject({ ok: false });
	});
});

describe("a reason", () => {
	test("is one bounded line of printable text, whatever was given", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary", maxLength: 2000 }), (text) => {
				const clean = cleanReason(text);
				expect(clean).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
				expect([...clean].length).toBeLessThanOrEqual(longestReason);
				expect(cleanReason(clean)).toBe(clean);
			}),
		);
		expect(cleanReason("\u001b[2Jaway\n\u202egnp")).toBe("[2Jaway gnp");
		expect(cleanReason("Täglich 日本 🔥")).toBe("Täglich 日本 🔥");
		expect(cleanReason("\r\n\u0000")).toBe("");
	});

	test("is cleaned when it is read, too", () => {
		writeState(panicPath(directory), { since: 1, reason: `a\u001b[31m${"b".repeat(1_000_000)}` });
		const read = readPanic(directory);
		expect(read.open && read.record.reason).toBe(`a [31m${"b".repeat(longestReason - 6)}`);
	});
});
