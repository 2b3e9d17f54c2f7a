import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readState, writeState } from "../../src/store/state-file.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-state-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("state files", () => {
	test("give back what was written, for root only, and leave nothing beside", () => {
		const path = join(directory, "deep", "last-good.json");
		const value = { text: "spec:\n\tÜ\u0000", list: [1, 2] };
		expect(writeState(path, value)).toBeNull();
		expect(readState(path)).toEqual({ ok: true, value });
		expect(statSync(path).mode & 0o777).toBe(0o600);
		expect(readdirSync(join(directory, "deep"))).toEqual(["last-good.json"]);
	});

	test("tell absent from damaged", () => {
		const path = join(directory, "s");
		expect(readState(path)).toMatchObject({ ok: false, reason: "absent" });
		writeState(path, { a: 1 });
		const whole = readFileSync(path);
		for (let cut = 0; cut < whole.length; cut++) {
			writeFileSync(path, whole.subarray(0, cut));
			expect(readState(path)).toMatchObject({ ok: false, reason: "damaged" });
		}
		const flipped = Buffer.from(whole);
		flipped[whole.length - 3] = (flipped[whole.length - 3] ?? 0) ^ 1;
		writeFileSync(path, flipped);
		expect(readState(path)).toMatchObject({ ok: false, reason: "damaged" });
	});

	test("a failed write is an error text and keeps the old state", () => {
		const path = join(directory, "s");
		writeState(path, 1);
		writeFileSync(join(directory, "file"), "");
		expect(writeState(join(directory, "file", "s"), 2)).toContain("EEXIST");
		expect(readState(path)).toEqual({ ok: true, value: 1 });
		chmodSync(path, 0o600);
	});
});
