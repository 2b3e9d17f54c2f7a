import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	appendFileSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { SegmentStore } from "../../../src/sinks/queue/segments.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-segments."));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const place = () => join(directory, "queue");
const files = () =>
	readdirSync(place())
		.filter((name) => name.endsWith(".jsonl"))
		.sort()
		.map((name) => join(place(), name));
const used = () => files().reduce((sum, path) => sum + statSync(path).size, 0);

type Step =
	| { readonly kind: "append"; readonly lines: readonly string[] }
	| { readonly kind: "take"; readonly most: number; readonly taken: number }
	| { readonly kind: "reopen" };

const step: fc.Arbitrary<Step> = fc.oneof(
	fc.record({
		kind: fc.constant("append" as const),
		lines: fc.array(fc.string({ unit: fc.constantFrom("a", "z", "ä", "€", "😀"), maxLength: 120 }), {
			maxLength: 20,
		}),
	}),
	fc.record({
		kind: fc.constant("take" as const),
		most: fc.integer({ min: 1, max: 30 }),
		taken: fc.integer({ min: 0, max: 30 }),
	}),
	fc.record({ kind: fc.constant("reopen" as const) }),
);

test("it is a queue, whatever comes, however often it is opened anew, and never larger than its bound", () => {
	const bound = 4096;
	fc.assert(
		fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
			rmSync(place(), { recursive: true, force: true });
			let store = new SegmentStore(place(), bound);
			let expected: string[] = [];
			for (const each of steps) {
				if (each.kind === "append") {
					const done = store.append(each.lines);
					expected = [...expected, ...each.lines.slice(0, done)];
					// What was not taken had no room.
					if (done < each.lines.length) {
						expect(used() + Buffer.byteLength(each.lines[done] ?? "") + 1).toBeGreaterThan(bound / 2);
					}
				} else if (each.kind === "take") {
					const read = store.read(each.most, 500);
					expect(read).toEqual(expected.slice(0, read.length));
					expect(read.length > 0).toBe(expected.length > 0);
					store.take(each.taken);
					expected = expected.slice(Math.min(each.taken, read.length));
				} else {
					store.close();
					store = new SegmentStore(place(), bound);
				}
				expect(store.length).toBe(expected.length);
				expect(store.bytes).toBe(expected.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0));
				expect(used()).toBeLessThanOrEqual(bound);
			}
			store.close();
		}),
		{ numRuns: 60 },
	);
});

describe("what a killed process leaves", () => {
	test("half a line is cut away, and what comes next is whole", () => {
		let store = new SegmentStore(place(), 1 << 20);
		store.append(["one", "two"]);
		store.close();
		appendFileSync(files()[0] ?? "", '{"half');
		store = new SegmentStore(place(), 1 << 20);
		store.append(["three"]);
		expect(store.read(10, 1000)).toEqual(["one", "two", "three"]);
		store.close();
		expect(readFileSync(files()[0] ?? "", "utf8")).toBe("one\ntwo\nthree\n");
	});

	test("a position that was not written, or is nonsense, gives lines once more and loses none", () => {
		let store = new SegmentStore(place(), 1 << 20);
		store.append(["one", "two"]);
		store.read(1, 1000);
		store.take(1);
		store.close();
		for (const content of ["", "x".repeat(40), "000000000001 999999999999\n"]) {
			rmSync(join(place(), "position"));
			appendFileSync(join(place(), "position"), content);
			store = new SegmentStore(place(), 1 << 20);
			expect(store.read(10, 1000)).toEqual(["one", "two"]);
			store.close();
		}
	});

	test("a segment that had been taken and not yet removed is not given again", () => {
		let store = new SegmentStore(place(), 400);
		const lines = Array.from({ length: 6 }, (_, index) => String(index).repeat(50));
		store.append(lines);
		expect(files().length).toBeGreaterThan(1);
		const first = files()[0] ?? "";
		const bytes = readFileSync(first);
		const read = store.read(100, 10_000);
		store.take(read.length);
		store.close();
		appendFileSync(first, bytes);
		store = new SegmentStore(place(), 400);
		expect(store.read(100, 10_000)[0]).toBe(lines[read.length] ?? "");
		expect(files()).not.toContain(first);
		store.close();
	});
});

test("a line that is longer than a segment has one to itself; one that is longer than the bound has no room", () => {
	const store = new SegmentStore(place(), 1000);
	const long = "x".repeat(600);
	expect(store.append([long, "y"])).toBe(2);
	expect(store.read(10, 100)).toEqual([long]);
	store.take(1);
	expect(store.read(10, 100)).toEqual(["y"]);
	expect(store.append(["z".repeat(1001)])).toBe(0);
	store.close();
});

test("a segment that lost its end is no endless loop: reading says so, and it can be skipped", () => {
	const store = new SegmentStore(place(), 1 << 20);
	store.append(["one", "two"]);
	truncateSync(files()[0] ?? "", 2);
	expect(() => store.read(10, 1000)).toThrow("shorter than it was");
	expect(store.skip()).toBe(2);
	expect(store.length).toBe(0);
	expect(store.append(["three"])).toBe(1);
	expect(store.read(10, 1000)).toEqual(["three"]);
	store.close();
});

test("a file that cannot be removed holds up nothing, and goes when the queue is opened next", () => {
	let store = new SegmentStore(place(), 1 << 20);
	store.append(["one"]);
	expect(store.read(10, 1000)).toEqual(["one"]);
	const [path = ""] = files();
	rmSync(path);
	mkdirSync(path);
	store.take(1);
	expect(store.length).toBe(0);
	expect(store.append(["two"])).toBe(1);
	rmSync(path, { recursive: true });
	appendFileSync(path, "one\n");
	store.close();
	store = new SegmentStore(place(), 1 << 20);
	expect(store.read(10, 1000)).toEqual(["two"]);
	expect(files()).not.toContain(path);
	store.close();
});

test("what cannot be a directory is an error", () => {
	appendFileSync(join(directory, "file"), "");
	expect(() => new SegmentStore(join(directory, "file"), 1000)).toThrow();
});
