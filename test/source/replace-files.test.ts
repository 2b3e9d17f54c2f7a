import { expect, test } from "bun:test";
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceFiles } from "../../src/source/replace-files.ts";

const directory = () => mkdtempSync(join(tmpdir(), "portward-replace-"));

test("files are replaced whole, readable by all whatever the umask, and nothing stays beside them", () => {
	const path = directory();
	writeFileSync(join(path, "a"), "old");
	chmodSync(join(path, "a"), 0o600);
	const umask = process.umask(0o077);
	const error = replaceFiles(path, [
		{ name: "a", bytes: Buffer.from("new") },
		{ name: "b", bytes: Buffer.from("more") },
	]);
	process.umask(umask);
	expect(error).toBeNull();
	expect(readdirSync(path).sort()).toEqual(["a", "b"]);
	expect([readFileSync(join(path, "a"), "utf8"), readFileSync(join(path, "b"), "utf8")]).toEqual([
		"new",
		"more",
	]);
	expect(statSync(join(path, "a")).mode & 0o777).toBe(0o644);
	rmSync(path, { recursive: true });
});

test("a failure is an error text, and nothing stays beside what was there", () => {
	const path = directory();
	const file = { name: "a", bytes: Buffer.from("new") };
	expect(replaceFiles(join(path, "none"), [file])).toContain("ENOENT");
	mkdirSync(join(path, "a"));
	expect(replaceFiles(path, [file])).toEqual(expect.any(String));
	expect(readdirSync(path)).toEqual(["a"]);
	rmSync(path, { recursive: true });
});
