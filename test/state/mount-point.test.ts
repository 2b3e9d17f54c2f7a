import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMountPoint, parseMountPoints } from "../../src/state/mount-point.ts";

test("mount points are the fifth field, with what is escaped in them", () => {
	const text = [
		"22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw",
		"99 28 0:50 /sub /mnt/a\\040b\\134c\\011d rw - tmpfs tmpfs rw",
		"short line",
		"",
	].join("\n");
	expect([...parseMountPoints(text)]).toEqual(["/proc", "/mnt/a b\\c\td"]);
	expect([...parseMountPoints("")]).toEqual([]);
});

test("a real one is known, a directory that is none is not", async () => {
	const root = mkdtempSync(join(tmpdir(), "portward-mount."));
	const path = join(root, "a b");
	mkdirSync(path);
	expect(await isMountPoint("/proc")).toBe(true);
	expect(await isMountPoint(path)).toBe(false);
	expect(await isMountPoint("/proc/self")).toBe(false);
	rmSync(root, { recursive: true });
});
