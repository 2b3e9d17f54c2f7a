import { expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	linkSync,
	lstatSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceFile } from "../../src/source/replace-file.ts";

function within(use: (directory: string) => void): void {
	const directory = mkdtempSync(join(tmpdir(), "portward-replace-"));
	try {
		use(directory);
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

test("rights stay, a link stays a link, and nothing is left beside", () => {
	within((directory) => {
		const file = join(directory, "a.yaml");
		const link = join(directory, "link.yaml");
		writeFileSync(file, "old");
		chmodSync(file, 0o640);
		symlinkSync("a.yaml", link);
		expect(replaceFile(link, "new", statSync(link))).toBeNull();
		expect(readFileSync(file, "utf8")).toBe("new");
		expect(statSync(file).mode & 0o7777).toBe(0o640);
		expect(lstatSync(link).isSymbolicLink()).toBe(true);
		expect(readdirSync(directory).toSorted()).toEqual(["a.yaml", "link.yaml"]);
	});
});

test("the owner stays", () => {
	within((directory) => {
		const file = join(directory, "a.yaml");
		writeFileSync(file, "old");
		// Nobody's number does not have to be one of an account.
		chownSync(file, 65_534, 65_534);
		expect(replaceFile(file, "new", statSync(file))).toBeNull();
		expect([statSync(file).uid, statSync(file).gid]).toEqual([65_534, 65_534]);
	});
});

test("what was changed meanwhile, has several names or is gone is left", () => {
	within((directory) => {
		const file = join(directory, "a.yaml");
		writeFileSync(file, "old");
		const seen = statSync(file);
		writeFileSync(file, "newer");
		expect(replaceFile(file, "new", seen)).toBe("it was changed meanwhile");
		linkSync(file, join(directory, "b.yaml"));
		expect(replaceFile(file, "new", statSync(file))).toContain("2 names");
		expect(readFileSync(file, "utf8")).toBe("newer");
		expect(replaceFile(join(directory, "c.yaml"), "new", seen)).toContain("ENOENT");
		expect(readdirSync(directory).toSorted()).toEqual(["a.yaml", "b.yaml"]);
	});
});
