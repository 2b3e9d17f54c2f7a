import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	lchownSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { distrustDirectory, distrustWay, HeldDirectory } from "../../src/source/held-directory.ts";

const stranger = 12345;

let base: string;
beforeEach(() => {
	base = mkdtempSync(join(tmpdir(), "portward-held-"));
	mkdirSync(join(base, "a", "b", "c"), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const at = (...names: readonly string[]) => join(base, ...names);
const distrust = (path: string) => distrustDirectory(path, "the directory");
const descriptors = () => readdirSync("/proc/self/fd").length;

describe("the way to a directory", () => {
	test("is root's: it is held, and no descriptor stays behind", () => {
		const before = descriptors();
		expect(distrust(at("a", "b", "c"))).toBeNull();
		expect(distrust("/")).toBeNull();
		expect(descriptors()).toBe(before);
	});

	test.each(["a", "a/b", "a/b/c"])("is refused where somebody else owns %s", (name) => {
		chownSync(at(name), stranger, 0);
		expect(distrust(at("a", "b", "c"))).toMatch(/is owned by user 12345, not by root; chown it/);
	});

	test.each(["a", "a/b", "a/b/c"])("is refused where others can write to %s", (name) => {
		for (const mode of [0o777, 0o775]) {
			chmodSync(at(name), mode);
			expect(distrust(at("a", "b", "c"))).toMatch(/can be written by others than root/);
		}
	});

	test("is checked behind a link as well, on both sides of it", () => {
		mkdirSync(at("elsewhere", "real"), { recursive: true });
		symlinkSync(at("elsewhere", "real"), at("a", "b", "link"));
		symlinkSync("../../elsewhere/real", at("a", "b", "relative"));
		expect([distrust(at("a", "b", "link")), distrust(at("a", "b", "relative"))]).toEqual([null, null]);
		chownSync(at("elsewhere"), stranger, 0);
		expect(distrust(at("a", "b", "link"))).toContain("elsewhere, on the way to the directory,");
		expect(distrust(at("a", "b", "relative"))).toContain("elsewhere, on the way to the directory,");
		chownSync(at("elsewhere"), 0, 0);
		chownSync(at("a"), stranger, 0);
		expect(distrust(at("a", "b", "link"))).toContain("/a, on the way to the directory,");
	});

	test("may lead through a sticky directory of root's, but not by a link that somebody else made there", () => {
		chmodSync(at("a"), 0o1777);
		expect(distrust(at("a", "b", "c"))).toBeNull();
		symlinkSync(at("a", "b"), at("a", "link"));
		expect(distrust(at("a", "link", "c"))).toBeNull();
		lchownSync(at("a", "link"), stranger, 0);
		expect(distrust(at("a", "link", "c"))).toContain(
			"a link on the way to the directory, is owned by user 12345",
		);
	});

	test("that leads nowhere, in a circle or through a file is told apart", () => {
		symlinkSync("loop", at("loop"));
		writeFileSync(at("file"), "");
		const reason = (path: string) => {
			const opened = HeldDirectory.open(path, "it", { checkPermissions: true });
			return opened.ok ? "ok" : opened.reason;
		};
		expect(reason(at("nowhere", "at", "all"))).toBe("absent");
		expect(reason(at("loop"))).toBe("unreadable");
		expect(reason(at("file"))).toBe("unreadable");
		expect(reason(at("file", "below"))).toBe("unreadable");
	});

	test("to a file is checked without the file, and a pipe has none", () => {
		writeFileSync(at("a", "file"), "");
		chownSync(at("a", "file"), stranger, 0);
		expect(distrustWay(at("a", "file"), "the file")).toBeNull();
		chmodSync(at("a"), 0o777);
		expect(distrustWay(at("a", "file"), "the file")?.message).toContain("on the way to the file");
		symlinkSync(at("a", "file"), at("link"));
		expect(distrustWay(at("link"), "the file")?.message).toContain("on the way to the file");
		expect(distrustWay("/dev/fd/0", "the file")).toBeNull();
	});
});

test("what is held stays what it was, whoever exchanges it or a parent by name", () => {
	writeFileSync(at("a", "b", "c", "which"), "ours");
	const opened = HeldDirectory.open(at("a", "b", "c"), "it", { checkPermissions: true });
	if (!opened.ok) throw new Error(opened.message);
	using held = opened.directory;
	renameSync(at("a"), at("old"));
	mkdirSync(at("a", "b", "c"), { recursive: true });
	writeFileSync(at("a", "b", "c", "which"), "theirs");
	writeFileSync(at("a", "b", "c", "more"), "");
	expect(held.entries().map(({ name }) => name)).toEqual(["which"]);
	expect(readFileSync(held.at("which"), "utf8")).toBe("ours");
	expect(held.currentPath()).toBe(at("old", "b", "c"));
});
