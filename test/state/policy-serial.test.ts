import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkSerial, raiseSerial, readSerial, serialPath } from "../../src/state/policy-serial.ts";
import { previousPath, writeState } from "../../src/state/state-file.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-serial-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const set = (serial: number, letter = "a") => ({ serial, digest: letter.repeat(64) });
const check = (serial: number, letter = "a") =>
	checkSerial(set(serial, letter), readSerial(directory))?.code ?? null;

test("a serial only grows, and stands for one set", () => {
	expect(readSerial(directory)).toEqual({ ok: true, set: null, problem: null });
	expect(check(5)).toBeNull();
	expect(raiseSerial(directory, set(5))).toBeNull();
	expect(readSerial(directory)).toEqual({ ok: true, set: set(5), problem: null });
	expect([check(4), check(5), check(5, "b"), check(6, "b")]).toEqual([
		"old-serial",
		null,
		"reused-serial",
		null,
	]);
	expect(raiseSerial(directory, set(3))).toBeNull();
	expect(readSerial(directory)).toMatchObject({ set: set(5) });
});

test("a damaged record gives way to the one before it, which is said; without that nothing is taken", () => {
	raiseSerial(directory, set(5));
	raiseSerial(directory, set(6));
	writeFileSync(serialPath(directory), "garbage");
	expect(readSerial(directory)).toMatchObject({ ok: true, set: set(5), problem: expect.any(String) });
	expect(check(4)).toBe("old-serial");
	writeFileSync(previousPath(serialPath(directory)), "garbage");
	expect(readSerial(directory)).toMatchObject({ ok: false });
	expect(check(1_000_000)).toBe("unknown-serial");
	expect(raiseSerial(directory, set(9))).toEqual(expect.any(String));
});

test.each([
	null,
	{},
	{ serial: 0, digest: "a".repeat(64) },
	{ serial: 1.5, digest: "a".repeat(64) },
	{ serial: 1, digest: "a" },
])("a record of another shape is not believed: %p", (value) => {
	writeState(serialPath(directory), value);
	expect(readSerial(directory)).toMatchObject({ ok: false });
});
