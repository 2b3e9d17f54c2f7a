import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskSync } from "../../../src/sinks/queue/disk-sync.ts";
import { SegmentStore } from "../../../src/sinks/queue/segments.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-sync."));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function until(condition: () => boolean): Promise<void> {
	for (const end = performance.now() + 60_000; !condition(); await Bun.sleep(2))
		if (performance.now() > end) throw new Error("it never came to that");
}

test("files and directories are put on the disk, what has gone is passed over, and what is wrong is told until it is right", async () => {
	const file = join(directory, "file");
	writeFileSync(file, "x");
	let wanted = [file, directory, join(directory, "gone")];
	let looks = 0;
	const sync = new DiskSync(
		() => {
			looks++;
			return wanted;
		},
		{ interval: 1 },
	);
	const written = async () => {
		const before = looks;
		sync.wrote();
		await until(() => looks > before);
		await Bun.sleep(20);
	};
	await written();
	expect(sync.error).toBe("");
	wanted = [join(file, "below")];
	sync.wrote();
	await until(() => sync.error !== "");
	wanted = [];
	sync.wrote();
	await until(() => sync.error === "");
	sync.close();
	const before = looks;
	sync.wrote();
	await Bun.sleep(20);
	expect(looks).toBe(before);
});

test("what is written while the disk is slow waits for it, and is put there after", async () => {
	const started: string[] = [];
	let slow = Promise.withResolvers<void>();
	const put = (path: string) => {
		started.push(path);
		return slow.promise;
	};
	let next = 0;
	const sync = new DiskSync(() => [String(++next)], { put, interval: 1 });
	sync.wrote();
	sync.wrote();
	await until(() => started.length === 1);
	sync.wrote();
	await Bun.sleep(20);
	expect(started).toEqual(["1"]);
	const before = slow;
	slow = Promise.withResolvers<void>();
	before.resolve();
	await until(() => started.length === 2);
	slow.resolve();
	sync.close();
});

test("of a queue the segments that still wait are synced, with the directories that name them, and no other", async () => {
	const synced: string[][] = [[]];
	const place = join(directory, "sinks", "lake");
	const put = async (path: string) => void synced.at(-1)?.push(path);
	const store = new SegmentStore(place, 4000, { put, interval: 5 });
	const segment = (number: number) => join(place, `${String(number).padStart(12, "0")}.jsonl`);
	expect(store.append(["a".repeat(600), "b".repeat(600)])).toBe(2);
	await until(() => synced[0]?.length === 5);
	expect(synced[0]).toEqual([segment(1), segment(2), directory, join(directory, "sinks"), place]);

	synced.push([]);
	expect(store.append(["c"])).toBe(1);
	await until(() => synced[1]?.length === 1);
	expect(synced[1]).toEqual([segment(2)]);

	synced.push([]);
	while (store.length > 0) store.take(store.read(10, 4000).length);
	expect(store.append(["d"])).toBe(1);
	store.take(store.read(10, 4000).length);
	await Bun.sleep(40);
	expect(synced[2]).toEqual([]);
	expect(store.syncError).toBe("");
	store.close();
});
