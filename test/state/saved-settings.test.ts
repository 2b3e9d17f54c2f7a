import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSavedSettings, savedSettingsPath, saveSettings } from "../../src/state/saved-settings.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-saved-settings."));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("what was kept is read again, the file that was not there too", () => {
	expect(readSavedSettings(directory)).toBe(null);
	expect(saveSettings(directory, { file: "/c.yaml", text: "table: a\n" })).toBe(null);
	expect(readSavedSettings(directory)).toEqual({ file: "/c.yaml", text: "table: a\n" });
	expect(saveSettings(directory, { file: null, text: "" })).toBe(null);
	expect(readSavedSettings(directory)).toEqual({ file: null, text: "" });
	expect(statSync(savedSettingsPath(directory)).mode & 0o777).toBe(0o600);
});

test("a damaged file is stood in for by the one before, and what is no settings is nothing", () => {
	saveSettings(directory, { file: null, text: "a" });
	saveSettings(directory, { file: null, text: "b" });
	writeFileSync(savedSettingsPath(directory), "damage");
	expect(readSavedSettings(directory)).toMatchObject({ text: "a" });
	writeFileSync(savedSettingsPath(directory).replace("settings.json", "settings.previous.json"), "damage");
	expect(readSavedSettings(directory)).toBe(null);
	expect(saveSettings("/proc/portward", { file: null, text: "" })).not.toBe(null);
});
