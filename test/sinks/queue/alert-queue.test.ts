import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { AlertQueue } from "../../../src/sinks/queue/alert-queue.ts";
import { SegmentStore } from "../../../src/sinks/queue/segments.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-queue."));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function drained(queue: AlertQueue): string[] {
	const all: string[] = [];
	for (;;) {
		const batch = queue.take(3, 1000);
		if (batch.lines.length === 0) return all;
		all.push(...batch.lines);
		queue.settle(batch, batch.lines.length);
	}
}

test.each([
	["memory", 0],
	["disk", 2000],
] as const)("in %s: oldest first, nothing twice, nothing lost but what was refused", (_, disk) => {
	const steps = fc.array(
		fc.oneof(
			fc.record({ push: fc.array(fc.stringMatching(/^[a-z]{1,30}$/), { maxLength: 10 }) }),
			fc.record({ take: fc.integer({ min: 1, max: 8 }), sent: fc.nat(8), meanwhile: fc.nat(3) }),
		),
		{ maxLength: 40 },
	);
	fc.assert(
		fc.property(steps, (all) => {
			const place = join(directory, "queue");
			rmSync(place, { recursive: true, force: true });
			const queue = new AlertQueue(300, disk === 0 ? null : new SegmentStore(place, disk));
			let expected: string[] = [];
			let number = 0;
			const push = (texts: readonly string[]) => {
				const lines = texts.map((text) => `${number++}${text}`);
				const refused = queue.push(lines);
				expect(queue.length).toBe(expected.length + lines.length - refused);
				return lines;
			};
			for (const each of all) {
				if ("push" in each) {
					// One by one, so that what was refused is known.
					for (const text of each.push) {
						const before = queue.length;
						const [line = ""] = push([text]);
						if (queue.length > before) expected.push(line);
					}
					continue;
				}
				const batch = queue.take(each.take, 100);
				expect(batch.lines).toEqual(expected.slice(0, batch.lines.length));
				expect(batch.lines.length > 0).toBe(expected.length > 0);
				for (let count = 0; count < each.meanwhile; count++) {
					const before = queue.length;
					const [line = ""] = push(["m"]);
					if (queue.length > before) expected.push(line);
				}
				const sent = Math.min(each.sent, batch.lines.length);
				queue.settle(batch, sent);
				expected = expected.slice(sent);
				expect(queue.length).toBe(expected.length);
			}
			expect(drained(queue)).toEqual(expected);
			expect([queue.length, queue.bytes]).toEqual([0, 0]);
			queue.close();
		}),
		{ numRuns: 60 },
	);
});

test("what waits outlives the process where there is a disk", () => {
	const place = join(directory, "queue");
	const first = new AlertQueue(1000, new SegmentStore(place, 4000));
	first.push(["a", "b", "c"]);
	const batch = first.take(1, 100);
	first.settle(batch, 1);
	// The process is killed here: nothing is closed.
	const second = new AlertQueue(1000, new SegmentStore(place, 4000));
	expect(drained(second)).toEqual(["b", "c"]);
});

test("a disk that is full is told, and memory stands in until it takes lines again", () => {
	let full = true;
	const store = new SegmentStore(join(directory, "queue"), 4000);
	const append = store.append.bind(store);
	store.append = (lines) => {
		if (full) throw new Error("ENOSPC: no space left on device, write");
		return append(lines);
	};
	const queue = new AlertQueue(10, store);
	expect(queue.push(["aaaa", "bbbb", "cccc"])).toBe(1);
	expect(queue.storeError).toContain("ENOSPC");
	full = false;
	expect(queue.push(["dddd"])).toBe(0);
	expect(queue.storeError).toBe("");
	expect(drained(queue)).toEqual(["aaaa", "bbbb", "dddd"]);
});

test("lines whose file is gone are counted as lost, and those after them go on", () => {
	const place = join(directory, "queue");
	const queue = new AlertQueue(1000, new SegmentStore(place, 400));
	queue.push(Array.from({ length: 6 }, (_, index) => String(index).repeat(50)));
	const [first = ""] = readdirSync(place)
		.filter((name) => name.endsWith(".jsonl"))
		.sort();
	rmSync(join(place, first));
	expect(queue.take(10, 1000).lines).toEqual([]);
	expect(queue.lost).toBe(1);
	expect(queue.length).toBe(5);
	expect(queue.storeError).toContain("ENOENT");
	expect(drained(queue)[0]).toStartWith("1");
});

test("what waits in memory goes to the queue that takes its place", () => {
	const queue = new AlertQueue(100, null);
	queue.push(["a", "b"]);
	expect(queue.handOver()).toEqual(["a", "b"]);
	expect([queue.length, queue.bytes]).toEqual([0, 0]);
	expect(new AlertQueue(100, null, "no directory").storeError).toBe("no directory");
});
