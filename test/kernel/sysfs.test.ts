import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Sysfs } from "../../src/kernel/sysfs.ts";

let root: string;
let files: Sysfs;
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "portward-sysfs."));
	files = new Sysfs(root);
});
afterEach(() => rmSync(root, { recursive: true }));

const put = (path: string, text: string) => writeFileSync(join(root, path), text);

describe("reading", () => {
	test("takes off the final newline and no other", () => {
		put("a", "one\n\n");
		put("b", "");
		expect([files.readText("a"), files.readText("b"), files.readText("c")]).toEqual(["one\n", "", null]);
	});

	test("stops at the limit, and reads to the end before it", () => {
		put("big", "x".repeat(200_000));
		expect(files.readBytes("big", 100)).toHaveLength(100);
		expect(files.readBytes("big", 1_000_000)).toHaveLength(200_000);
		expect(files.readText("big")).toHaveLength(4096);
	});

	test("of what is not there, or no file, gives nothing", () => {
		mkdirSync(join(root, "d"));
		expect([
			files.readText("d"),
			files.list("none"),
			files.identity("none"),
			files.linkName("d"),
			files.realPath("x"),
		]).toEqual([null, [], null, null, null]);
	});

	test("follows links, but not out of the root", () => {
		mkdirSync(join(root, "devices/usb1"), { recursive: true });
		symlinkSync(join(root, "devices/usb1"), join(root, "link"));
		symlinkSync("/proc", join(root, "out"));
		expect([files.realPath("link"), files.realPath("out"), files.linkName("link")]).toEqual([
			"/devices/usb1",
			null,
			"usb1",
		]);
	});

	test("takes the kernel's own links as they are, but not out of the root", () => {
		mkdirSync(join(root, "bus/usb"), { recursive: true });
		symlinkSync("../../devices/usb1/1-4", join(root, "bus/usb/1-4"));
		symlinkSync("../../../outside", join(root, "bus/usb/out"));
		expect([files.linkPath("bus/usb/1-4"), files.linkPath("bus/usb/out")]).toEqual([
			"/devices/usb1/1-4",
			null,
		]);
		expect([files.linkPath("bus/usb"), files.linkPath("none")]).toEqual([null, null]);
	});

	test("tells a directory from another of the same name", () => {
		mkdirSync(join(root, "d"));
		const first = files.identity("d");
		expect(files.identity("d")).toBe(first ?? "missing");
		renameSync(join(root, "d"), join(root, "old"));
		mkdirSync(join(root, "d"));
		expect(files.identity("d")).not.toBe(first);
	});
});

describe("writing", () => {
	test("writes what the check lets pass, and nothing else", () => {
		put("a", "0");
		expect(files.write("a", "1")).toEqual({ ok: true });
		expect(files.write("a", "2", () => false)).toMatchObject({ ok: false, reason: "changed" });
		expect(files.readText("a")).toBe("1");
	});

	test("goes to the file that was there when the check was made, not to its successor", () => {
		put("a", "0");
		files.write("a", "1", () => {
			renameSync(join(root, "a"), join(root, "old"));
			put("a", "0");
			return true;
		});
		expect([files.readText("a"), files.readText("old")]).toEqual(["0", "1"]);
	});

	test("fails with what the system said", () => {
		expect(files.write("none", "1")).toMatchObject({
			ok: false,
			reason: "gone",
			error: "writing 1 to none: ENOENT",
		});
		mkdirSync(join(root, "d"));
		expect(files.write("d", "1")).toMatchObject({
			ok: false,
			reason: "failed",
			error: "writing 1 to d: EISDIR",
		});
	});
});
