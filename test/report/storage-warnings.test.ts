import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultConfig } from "../../src/config/parse.ts";
import { storageWarnings } from "../../src/report/storage-warnings.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-storage-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const { alerts } = defaultConfig();

test("a disk with room is not worth a word, nor a directory that is yet to be made", () => {
	expect(storageWarnings({ stateDir: directory, alerts })).toEqual([]);
	expect(storageWarnings({ stateDir: join(directory, "later"), alerts })).toEqual([]);
});

test("what cannot be written is named: the state directory, and the alerts' file", () => {
	// A file system without a single free block.
	const file = "/proc/alerts.jsonl";
	expect(storageWarnings({ stateDir: directory, alerts: { ...alerts, file } })).toEqual([
		expect.stringContaining(`${file}: its directory is full`),
	]);
	expect(storageWarnings({ stateDir: "/proc", alerts })).toEqual([expect.stringContaining("/proc is full")]);
});
