import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	mkdirSync,
	mkdtempSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { maxFileBytes, PolicyDirectoryReader } from "../../src/source/policy-directory.ts";

let base: string;
let directory: string;
beforeEach(() => {
	base = mkdtempSync(join(tmpdir(), "portward-policies-"));
	directory = join(base, "policies");
	mkdirSync(directory);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const read = (checkPermissions = true) => new PolicyDirectoryReader(directory, { checkPermissions }).read();
const paths = () => read().files.map((file) => file.path);
const problemOf = (path: string, checkPermissions = true) =>
	read(checkPermissions).files.find((file) => file.path === path)?.problem?.code;

describe("the policy directory", () => {
	test("is read recursively, sorted, without dotfiles and other endings", () => {
		mkdirSync(join(directory, "sub"));
		mkdirSync(join(directory, ".git"));
		for (const name of [
			"b.yaml",
			"a.YML",
			"sub/c.json",
			".hidden.yaml",
			".git/d.yaml",
			"notes.txt",
			"x.yaml~",
			"y.yaml.swp",
		]) {
			writeFileSync(join(directory, name), name);
		}
		expect(read().files.map((file) => [file.path, file.text])).toEqual([
			["a.YML", "a.YML"],
			["b.yaml", "b.yaml"],
			["sub/c.json", "sub/c.json"],
		]);
	});

	test("may be a link and may be swapped; links inside must stay inside", () => {
		renameSync(directory, join(base, "v1"));
		symlinkSync("v1", directory);
		writeFileSync(join(base, "v1", "a.yaml"), "1");
		writeFileSync(join(base, "secret.yaml"), "outside");
		symlinkSync("a.yaml", join(base, "v1", "inside.yaml"));
		symlinkSync(join(base, "secret.yaml"), join(base, "v1", "outside.yaml"));
		symlinkSync("/etc", join(base, "v1", "etc"));
		expect(paths()).toEqual(["a.yaml", "etc", "inside.yaml", "outside.yaml"]);
		expect(problemOf("outside.yaml")).toBe("link-outside");
		expect(problemOf("etc")).toBe("link-outside");
		mkdirSync(join(base, "v2"));
		writeFileSync(join(base, "v2", "b.yaml"), "2");
		symlinkSync("v2", join(base, "next"));
		renameSync(join(base, "next"), directory);
		expect(paths()).toEqual(["b.yaml"]);
	});

	test("the layout of mounted config maps is read once", () => {
		mkdirSync(join(directory, "..2026"));
		writeFileSync(join(directory, "..2026", "a.yaml"), "1");
		symlinkSync("..2026", join(directory, "..data"));
		symlinkSync("..data/a.yaml", join(directory, "a.yaml"));
		expect(paths()).toEqual(["a.yaml"]);
	});

	test("a directory that is gone is a problem of the whole, not an empty set", () => {
		rmSync(directory, { recursive: true });
		expect(read()).toMatchObject({ files: [], problem: { code: "unreadable-directory" } });
	});

	test("what others can write is refused, unless permissions are not checked", () => {
		writeFileSync(join(directory, "a.yaml"), "1");
		chmodSync(join(directory, "a.yaml"), 0o666);
		writeFileSync(join(directory, "b.yaml"), "1");
		chownSync(join(directory, "b.yaml"), 12345, 0);
		expect(problemOf("a.yaml")).toBe("insecure-permissions");
		expect(problemOf("b.yaml")).toBe("insecure-permissions");
		expect(problemOf("a.yaml", false)).toBeUndefined();
		chmodSync(directory, 0o777);
		expect(read().problem?.code).toBe("insecure-permissions");
		expect(read(false).problem).toBeNull();
	});

	test("loops, FIFOs, broken links and giants do not hang or hide the rest", () => {
		symlinkSync(".", join(directory, "loop"));
		symlinkSync("nowhere.yaml", join(directory, "broken.yaml"));
		expect(Bun.spawnSync(["mkfifo", join(directory, "pipe.yaml")]).exitCode).toBe(0);
		writeFileSync(join(directory, "giant.yaml"), "");
		truncateSync(join(directory, "giant.yaml"), maxFileBytes + 1);
		writeFileSync(join(directory, "good.yaml"), "good");
		expect(read().files.map((file) => [file.path, file.problem?.code ?? file.text])).toEqual([
			["broken.yaml", "unreadable-file"],
			["giant.yaml", "file-too-large"],
			["good.yaml", "good"],
			["pipe.yaml", "not-a-file"],
		]);
	});

	test("every entry that cannot be followed is a problem at its place, and hides no neighbour", () => {
		for (const name of ["good", "theirs", "open"]) {
			mkdirSync(join(directory, name));
			writeFileSync(join(directory, name, "a.yaml"), name);
		}
		chownSync(join(directory, "theirs"), 12345, 0);
		chmodSync(join(directory, "open"), 0o777);
		symlinkSync("..", join(directory, "out"));
		symlinkSync("nowhere", join(directory, "dangling"));
		symlinkSync("circle", join(directory, "circle"));
		symlinkSync("theirs/a.yaml", join(directory, "through.yaml"));
		expect(read().files.map((file) => [file.path, file.problem?.code ?? file.text])).toEqual([
			["circle", "unreadable-file"],
			["dangling", "unreadable-file"],
			["good/a.yaml", "good"],
			["open", "insecure-permissions"],
			["out", "link-outside"],
			["theirs", "insecure-permissions"],
			["through.yaml", "insecure-permissions"],
		]);
		expect(problemOf("theirs", false)).toBeUndefined();
		expect(read(false).files.find((file) => file.path === "theirs/a.yaml")?.text).toBe("theirs");
	});

	test("a link to a directory inside is read under the first of its names, once", () => {
		mkdirSync(join(directory, "z", "deep"), { recursive: true });
		writeFileSync(join(directory, "z", "deep", "p.yaml"), "p");
		symlinkSync("z/deep", join(directory, "a"));
		symlinkSync(join(directory, "z", "deep", "p.yaml"), join(directory, "q.yaml"));
		expect(paths()).toEqual(["a/p.yaml", "q.yaml"]);
	});

	test("a parent that others can exchange makes the whole a problem, unless permissions are not checked", () => {
		writeFileSync(join(directory, "a.yaml"), "1");
		chownSync(base, 12345, 0);
		expect(read()).toMatchObject({ files: [], problem: { code: "insecure-permissions" } });
		expect(read().problem?.message).toContain(`${base}, on the way to the policy directory`);
		expect(read(false).files).toHaveLength(1);
	});

	test("a changed file is read again", () => {
		const reader = new PolicyDirectoryReader(directory, { checkPermissions: true });
		writeFileSync(join(directory, "a.yaml"), "one");
		expect(reader.read().files[0]?.text).toBe("one");
		expect(reader.read().files[0]?.text).toBe("one");
		writeFileSync(join(directory, "a.yaml"), "two");
		expect(reader.read().files[0]?.text).toBe("two");
	});
});
