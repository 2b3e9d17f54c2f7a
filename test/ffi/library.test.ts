import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { candidatePaths, checkedInteger, libraryDirectories, openLibrary } from "../../ffi/library.ts";

const REMEDY = "install it";

test("every candidate is an absolute path, whatever directories are asked for", () => {
	const paths = candidatePaths(
		{ fileNames: ["a.so", "b.so"], remedy: "", directories: ["", ".", "lib", "/x"] },
		"x64",
	);
	expect(paths).toEqual(["/x/a.so", "/x/b.so"]);
	for (const architecture of ["x64", "arm64", "riscv64"]) {
		for (const directory of libraryDirectories(architecture)) expect(directory).toStartWith("/");
	}
});

test("multiarch directories follow the architecture", () => {
	expect(libraryDirectories("arm64")[0]).toBe("/usr/lib/aarch64-linux-gnu");
	expect(libraryDirectories("x64")[0]).toBe("/usr/lib/x86_64-linux-gnu");
	expect(libraryDirectories("riscv64")[0]).toBe("/usr/lib64");
});

test("a missing library names where it was looked for and what to do", () => {
	const result = openLibrary(
		{ fileNames: ["libabsent.so.9"], remedy: REMEDY },
		{ f: { args: [], returns: "int" } },
	);
	expect(result.ok).toBe(false);
	if (result.ok) return;
	expect(result.tried).toContain("/usr/lib/libabsent.so.9");
	expect(result.reason).toContain("libabsent.so.9");
	expect(result.remedy).toBe(REMEDY);
});

test("a library of that name in the working directory is not loaded", () => {
	const directory = mkdtempSync(join(tmpdir(), "library-"));
	const before = process.cwd();
	writeFileSync(join(directory, "libabsent.so.9"), "\x7fELF");
	try {
		process.chdir(directory);
		const result = openLibrary(
			{ fileNames: ["libabsent.so.9"], remedy: "" },
			{ f: { args: [], returns: "int" } },
		);
		expect(result.ok).toBe(false);
		if (!result.ok) expect(result.reason).not.toContain("ELF");
	} finally {
		process.chdir(before);
		rmSync(directory, { recursive: true });
	}
});

test("a symbol that the library lacks is a failure that names it", () => {
	const result = openLibrary(
		{ fileNames: ["libc.so.6"], remedy: "" },
		{ no_such_function: { args: [], returns: "int" } },
	);
	expect(result.ok).toBe(false);
	if (!result.ok) expect(result.reason).toContain("no_such_function");
});

test("a file that is no library is a failure with the loader's words, and the next candidate is tried", () => {
	const directory = mkdtempSync(join(tmpdir(), "library-"));
	writeFileSync(join(directory, "libc.so.6"), "not a library");
	const libraries = libraryDirectories(process.arch);
	try {
		const only = openLibrary(
			{ fileNames: ["libc.so.6"], remedy: "", directories: [directory] },
			{ getpid: { args: [], returns: "int" } },
		);
		expect(only.ok).toBe(false);
		if (!only.ok) expect(only.reason).toContain(join(directory, "libc.so.6"));
		const next = openLibrary(
			{ fileNames: ["libc.so.6"], remedy: "", directories: [directory, ...libraries] },
			{ getpid: { args: [], returns: "int" } },
		);
		expect(next.ok).toBe(true);
		if (next.ok) expect(next.symbols.getpid()).toBe(process.pid);
	} finally {
		rmSync(directory, { recursive: true });
	}
});

test("integers that C would wrap are refused", () => {
	expect(checkedInteger(255, 0, 255, "n")).toBe(255);
	for (const value of [256, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
		expect(() => checkedInteger(value, 0, 255, "n")).toThrow("n must be an integer in 0..255");
	}
});
