import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	linkSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { previousPath, readState, removeState, writeState } from "../../src/state/state-file.ts";

let directory: string;
let path: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-state-"));
	path = join(directory, "s.json");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const writer = join(import.meta.dir, "support", "writer.ts");

/** Every way to damage a file in one place: a bit in any byte, and an end at any byte. */
function* damages(whole: Buffer): Generator<Buffer> {
	for (let at = 0; at < whole.length; at++) {
		yield whole.subarray(0, at);
		for (const change of [0x01, 0x20, 0x80, 0xff]) {
			const flipped = Buffer.from(whole);
			flipped[at] = (flipped[at] ?? 0) ^ change;
			yield flipped;
		}
	}
}

describe("state files", () => {
	test("give back what was written, for root only, and leave nothing beside but the version before", () => {
		const deep = join(directory, "deep", "last-good.json");
		const value = { text: "spec:\n\tÜ\u0000\ufffd", list: [1, 2] };
		expect(writeState(deep, 1)).toBeNull();
		expect(readdirSync(join(directory, "deep"))).toEqual(["last-good.json"]);
		expect(writeState(deep, value)).toBeNull();
		expect(readState(deep)).toEqual({ ok: true, value, problem: null });
		const names = ["last-good.json", "last-good.previous.json"];
		expect(readdirSync(join(directory, "deep")).sort()).toEqual(names);
		for (const name of names) expect(statSync(join(directory, "deep", name)).mode & 0o777).toBe(0o600);
		expect(readState(previousPath(deep))).toMatchObject({ value: 1 });
	});

	test("what has not changed is not written, so the version before stays another one", () => {
		for (const value of [1, 2, 2]) expect(writeState(path, value)).toBeNull();
		const { ino, mtimeMs } = statSync(path);
		expect(writeState(path, 2)).toBeNull();
		expect(statSync(path)).toMatchObject({ ino, mtimeMs });
		expect(readState(previousPath(path))).toMatchObject({ value: 1 });
	});

	test("no damage in one place goes unnoticed", () => {
		expect(readState(path)).toMatchObject({ ok: false, reason: "absent" });
		writeState(path, { a: "Ü\ufffd" });
		for (const damaged of damages(readFileSync(path))) {
			writeFileSync(path, damaged);
			expect(readState(path)).toMatchObject({ ok: false, reason: "damaged" });
		}
	});

	test("no damage at all goes unnoticed", () => {
		fc.assert(
			fc.property(fc.json(), fc.uint8Array({ maxLength: 200 }), fc.nat(), (json, noise, place) => {
				rmSync(path, { force: true });
				rmSync(previousPath(path), { force: true });
				writeState(path, json);
				const whole = readFileSync(path);
				const damaged = Buffer.from(whole);
				damaged.set(
					noise.subarray(0, whole.length),
					Math.min(place, whole.length - noise.length) % whole.length,
				);
				writeFileSync(path, damaged);
				expect(readState(path).ok).toBe(damaged.equals(whole));
			}),
		);
	});

	test("the version before stands in for a damaged one, and the damage is told", () => {
		writeState(path, "old");
		writeState(path, "new");
		for (const damaged of damages(readFileSync(path))) {
			writeFileSync(path, damaged);
			const read = readState(path);
			expect(read).toMatchObject({ ok: true, value: "old" });
			expect(read.ok && read.problem).toContain(path);
		}
		unlinkSync(path);
		expect(readState(path)).toMatchObject({ ok: true, value: "old" });
	});

	test("a damaged version never takes the place of the whole one before it", () => {
		writeState(path, "old");
		writeState(path, "new");
		writeFileSync(path, "portward-state-1 torn");
		expect(writeState(path, "newest")).toBeNull();
		expect(readState(path)).toEqual({ ok: true, value: "newest", problem: null });
		expect(readState(previousPath(path))).toMatchObject({ value: "old" });
	});

	test("where both are damaged that is told, and the first start looks different", () => {
		writeState(path, "old");
		writeState(path, "new");
		writeFileSync(previousPath(path), "");
		writeFileSync(path, "");
		const read = readState(path);
		expect(read).toMatchObject({ ok: false, reason: "damaged" });
		expect(!read.ok && read.message).toContain(previousPath(path));
		unlinkSync(path);
		expect(readState(path)).toMatchObject({ ok: false, reason: "damaged" });
		unlinkSync(previousPath(path));
		expect(readState(path)).toMatchObject({ ok: false, reason: "absent" });
	});

	test("what is removed does not come back", () => {
		expect(removeState(path)).toBeNull();
		writeState(path, "old");
		writeState(path, "new");
		expect(removeState(path)).toBeNull();
		expect(readState(path)).toMatchObject({ ok: false, reason: "absent" });
		expect(readdirSync(directory)).toEqual([]);
	});

	test("what is no file is not read", () => {
		Bun.spawnSync(["mkfifo", path]);
		expect(readState(path)).toMatchObject({ ok: false, reason: "unreadable" });
	});
});

describe("a process that is killed", () => {
	test("between any two steps leaves a version that can be read", () => {
		writeState(path, 1);
		writeState(path, 2);
		writeState(join(directory, "other.json"), 3);
		const next = readFileSync(join(directory, "other.json"));
		const beside = join(directory, ".s.json.1.new.tmp");
		const second = join(directory, ".s.json.1.old.tmp");
		const steps: readonly (() => void)[] = [
			() => writeFileSync(beside, next.subarray(0, 20)),
			() => writeFileSync(beside, next),
			() => linkSync(path, second),
			() => renameSync(second, previousPath(path)),
			() => renameSync(beside, path),
		];
		const read = steps.map((step) => {
			step();
			return readState(path);
		});
		const version = (value: number) => ({ ok: true as const, value, problem: null });
		expect(read).toEqual([version(2), version(2), version(2), version(2), version(3)]);
		expect(readState(previousPath(path))).toEqual(version(2));
	});

	test("at any time leaves what it said it had written, and no leftovers after the next write", async () => {
		let told = 0;
		for (let round = 0; round < 25; round++) {
			const child = Bun.spawn([process.execPath, writer, path, String(told + 1), "100000", "20000"], {
				stdout: "pipe",
			});
			const reader = child.stdout.getReader();
			let output = new TextDecoder().decode((await reader.read()).value);
			await Bun.sleep(Math.random() * 6);
			child.kill("SIGKILL");
			for (let part = await reader.read(); !part.done; part = await reader.read())
				output += new TextDecoder().decode(part.value);
			await child.exited;
			told = Number(output.trim().split("\n").at(-1));
			const read = readState(path);
			expect(read).toMatchObject({ ok: true, problem: null });
			const { number } = (read as { value: { number: number } }).value;
			// The last write may have been done and not told any more.
			expect([told, told + 1]).toContain(number);
			expect(readState(previousPath(path)).ok).toBe(number > 1);
			told = number;
		}
		expect(writeState(path, "last")).toBeNull();
		expect(readdirSync(directory).sort()).toEqual(["s.json", "s.previous.json"]);
	});
});

describe("a write that fails", () => {
	test("is an error text and keeps the old state", () => {
		writeState(path, 1);
		writeFileSync(join(directory, "file"), "");
		expect(writeState(join(directory, "file", "s"), 2)).toContain("EEXIST");
		expect(readState(path)).toEqual({ ok: true, value: 1, problem: null });
	});

	/** Runs the writer on a small file system of its own, in a mount namespace that ends with it; copies it to `directory`. */
	const onSmallDisk = (size: number, between: string): string => {
		const write = `${process.execPath} ${writer} /mnt/s.json`;
		const script =
			`mount -t tmpfs -o size=256k none /mnt && cd /mnt && ${write} 1 3 100 && ` +
			`${between} ${write} 50 1 ${size}; cp -a /mnt/. ${directory}`;
		const result = Bun.spawnSync(["unshare", "--mount", "sh", "-c", script]);
		return result.stdout.toString();
	};

	test("on a full disk leaves the old state and no rest of the new one", () => {
		expect(onSmallDisk(1_000_000, "")).toContain("ENOSPC");
		const read = readState(path);
		expect(read).toMatchObject({ ok: true, problem: null });
		expect((read as { value: { number: number } }).value.number).toBe(3);
		expect(readdirSync(directory).sort()).toEqual(["s.json", "s.previous.json"]);
	});

	test("in a read-only directory leaves the old state", () => {
		expect(onSmallDisk(10, "mount -o remount,ro /mnt && ")).toContain("EROFS");
		const read = readState(path);
		expect(read).toMatchObject({ ok: true, problem: null });
		expect((read as { value: { number: number } }).value.number).toBe(3);
	});
});
