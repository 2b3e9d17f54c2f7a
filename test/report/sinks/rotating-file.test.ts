import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	closeSync,
	constants,
	existsSync,
	lstatSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RotatingFile } from "../../../src/report/sinks/rotating-file.ts";

let directory = "";
let path = "";

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-file-"));
	path = join(directory, "alerts.log");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const ok = { dropped: 0, error: "" };

test("appends, with mode 0600, to what is there", () => {
	writeFileSync(path, "old\n", { mode: 0o600 });
	const file = new RotatingFile({ path, maxBytes: 1000, keep: 1 });
	expect(file.write(["a\n", "b\n"])).toEqual(ok);
	expect(file.write([])).toEqual(ok);
	expect(readFileSync(path, "utf8")).toBe("old\na\nb\n");
	rmSync(path);
	expect(file.write(["c\n"])).toEqual(ok);
	expect(lstatSync(path).mode & 0o777).toBe(0o600);
	expect(readFileSync(path, "utf8")).toBe("c\n");
	file.close();
});

test("rotates before a line would exceed the size, and keeps so many", () => {
	const file = new RotatingFile({ path, maxBytes: 8, keep: 2 });
	expect(file.write(["1111\n", "22\n", "3333\n", "4444\n", "5555\n"])).toEqual(ok);
	expect(readdirSync(directory).sort()).toEqual(["alerts.log", "alerts.log.1", "alerts.log.2"]);
	expect(readFileSync(path, "utf8")).toBe("5555\n");
	expect(readFileSync(`${path}.1`, "utf8")).toBe("4444\n");
	expect(readFileSync(`${path}.2`, "utf8")).toBe("3333\n");
	expect(lstatSync(`${path}.1`).mode & 0o777).toBe(0o600);
	file.close();
});

test("keep 0 starts over; a line longer than the size has a file of its own", () => {
	const file = new RotatingFile({ path, maxBytes: 4, keep: 0 });
	expect(file.write(["a\n", "longer than the size\n", "b\n"])).toEqual(ok);
	expect(readdirSync(directory)).toEqual(["alerts.log"]);
	expect(readFileSync(path, "utf8")).toBe("b\n");
	file.close();
});

test("follows logrotate's rename, removal and copytruncate", () => {
	const file = new RotatingFile({ path, maxBytes: 1000, keep: 1 });
	file.write(["a\n"]);
	renameSync(path, `${path}-moved`);
	expect(file.write(["b\n"])).toEqual(ok);
	expect(readFileSync(`${path}-moved`, "utf8")).toBe("a\n");
	expect(readFileSync(path, "utf8")).toBe("b\n");
	truncateSync(path, 0);
	expect(file.write(["c\n"])).toEqual(ok);
	expect(readFileSync(path, "utf8")).toBe("c\n");
	file.close();
});

test("a missing directory drops lines until it is there", () => {
	const file = new RotatingFile({ path: join(directory, "sub/alerts.log"), maxBytes: 1000, keep: 1 });
	expect(file.write(["a\n", "b\n"])).toMatchObject({ dropped: 2, error: expect.stringContaining("ENOENT") });
	expect(new RotatingFile({ path, maxBytes: 10, keep: 1 }).write(["c\n"])).toEqual(ok);
});

test("tells ahead of the first line whether the file can be had", () => {
	const file = new RotatingFile({ path: join(directory, "missing", "alerts.log"), maxBytes: 100, keep: 1 });
	expect(file.open()).toContain("ENOENT");
	const good = new RotatingFile({ path, maxBytes: 100, keep: 1 });
	expect(good.open()).toBe("");
	expect(good.write(["a\n"])).toEqual(ok);
	expect(readFileSync(path, "utf8")).toBe("a\n");
	good.close();
});

test("a symbolic link and a FIFO are not written to", () => {
	const target = join(directory, "target");
	symlinkSync(target, path);
	expect(new RotatingFile({ path, maxBytes: 10, keep: 1 }).write(["a\n"]).dropped).toBe(1);
	expect(existsSync(target)).toBe(false);
	const fifo = join(directory, "fifo");
	Bun.spawnSync(["mkfifo", fifo]);
	const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
	expect(new RotatingFile({ path: fifo, maxBytes: 10, keep: 1 }).write(["a\n"])).toMatchObject({
		dropped: 1,
		error: expect.stringContaining("not a regular file"),
	});
	closeSync(reader);
});

test("a full disk drops whole lines, counts them, and takes lines again when there is room", () => {
	// A file system of 64 KiB in a mount namespace of its own, where the rest of this test runs.
	const module = join(import.meta.dir, "../../../src/report/sinks/rotating-file.ts");
	const code = `
		const { RotatingFile } = await import(${JSON.stringify(module)});
		const { rmSync, writeFileSync, readFileSync } = require("node:fs");
		const path = ${JSON.stringify(join(directory, "disk/a.log"))};
		const file = new RotatingFile({ path, maxBytes: 1 << 20, keep: 1 });
		const line = "x".repeat(999) + "\\n";
		let dropped = 0, errors = new Set();
		for (let i = 0; i < 100; i++) { const r = file.write([line]); dropped += r.dropped; if (r.error) errors.add(r.error.slice(0, 6)); }
		const full = readFileSync(path, "utf8");
		rmSync(path);
		const after = file.write([line]);
		console.log(JSON.stringify({ dropped, errors: [...errors], whole: full.length % 1000 === 0 && full.length / 1000 === 100 - dropped, after }));`;
	const script = `mkdir ${directory}/disk && mount -t tmpfs -o size=64k tmpfs ${directory}/disk && exec "$0" -e "$1"`;
	const run = Bun.spawnSync(["unshare", "-m", "sh", "-c", script, process.execPath, code]);
	expect(run.stderr.toString()).toBe("");
	const result = JSON.parse(run.stdout.toString());
	expect(result).toMatchObject({ errors: ["ENOSPC"], whole: true, after: ok });
	expect(result.dropped).toBeGreaterThan(30);
});
