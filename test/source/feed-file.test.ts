import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFeedFile } from "../../src/source/feed-file.ts";

let home: string;
const file = () => join(home, "list.txt");
const read = (path = file(), stamp: string | null = null, limit = 100) =>
	readFeedFile(path, stamp, { checkPermissions: true, limit });
const codeOf = (result: ReturnType<typeof read>) =>
	result.state === "failed" ? result.problem.code : result.state;

beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-feed-"));
	writeFileSync(file(), "10.0.0.0/8\n", { mode: 0o644 });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test("a file is read, and not again while it stays the same", () => {
	const first = read();
	if (first.state !== "read") throw new Error(JSON.stringify(first));
	expect(Buffer.from(first.bytes).toString()).toBe("10.0.0.0/8\n");
	expect(first.sha256).toBe(new Bun.CryptoHasher("sha256").update("10.0.0.0/8\n").digest("hex"));
	expect(read(file(), first.stamp)).toEqual({ state: "same" });
	writeFileSync(file(), "10.0.0.0/9\n");
	expect(read(file(), first.stamp).state).toBe("read");
});

test("links are followed", () => {
	symlinkSync("list.txt", join(home, "link.txt"));
	expect(codeOf(read(join(home, "link.txt")))).toBe("read");
	symlinkSync("nothing", join(home, "dead.txt"));
	expect(codeOf(read(join(home, "dead.txt")))).toBe("unreadable-file");
});

test("what others could change is not believed", () => {
	chmodSync(file(), 0o666);
	expect(codeOf(read())).toBe("insecure-permissions");
	expect(readFeedFile(file(), null, { checkPermissions: false, limit: 100 }).state).toBe("read");
	chmodSync(file(), 0o644);
	chownSync(file(), 1000, 1000);
	expect(codeOf(read())).toBe("insecure-permissions");
	chownSync(file(), 0, 0);
	chmodSync(home, 0o777);
	expect(codeOf(read())).toBe("insecure-permissions");
	const other = join(home, "other");
	mkdirSync(other);
	symlinkSync(join(other, "list.txt"), join(tmpdir(), `portward-feed-link-${process.pid}`));
	try {
		chmodSync(home, 0o700);
		writeFileSync(join(other, "list.txt"), "");
		chmodSync(other, 0o777);
		expect(codeOf(read(join(tmpdir(), `portward-feed-link-${process.pid}`)))).toBe("insecure-permissions");
	} finally {
		rmSync(join(tmpdir(), `portward-feed-link-${process.pid}`));
	}
});

test("what is no file, not there or too large is refused", () => {
	expect(codeOf(read(home))).toBe("not-a-file");
	expect(codeOf(read(join(home, "none")))).toBe("unreadable-file");
	expect(codeOf(read(file(), null, 3))).toBe("file-too-large");
	expect(codeOf(read(file(), null, 11))).toBe("read");
});

test("a pipe that nobody writes to holds nobody up", () => {
	const pipe = join(home, "pipe");
	expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
	expect(codeOf(read(pipe))).toBe("not-a-file");
});
