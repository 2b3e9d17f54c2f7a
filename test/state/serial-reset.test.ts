import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noteReset, takeReset } from "../../src/state/serial-reset.ts";

test("a note is taken once, and damage counts as one: nobody hides a reset by it", () => {
	const directory = mkdtempSync(join(tmpdir(), "portward-serial-reset."));
	try {
		expect(takeReset(directory)).toBe(null);
		expect(noteReset(directory, "process 1 of root")).toBe(null);
		expect(takeReset(directory)).toBe("process 1 of root");
		expect(takeReset(directory)).toBe(null);
		expect(noteReset(directory, "x")).toBe(null);
		writeFileSync(join(directory, "serial-reset.json"), "damage");
		expect(takeReset(directory)).toBe("somebody");
		expect(readdirSync(directory)).toEqual([]);
	} finally {
		rmSync(directory, { recursive: true });
	}
});
