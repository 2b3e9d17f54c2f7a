import { expect, test } from "bun:test";
import { type Calls, WorkerGone } from "../../src/threads/rpc.ts";
import { WorkerSlot } from "../../src/threads/worker-slot.ts";
import { LocalWorker } from "../daemon/support/worker.ts";

interface Counting extends Calls {
	next(argument: null): number;
	wait(argument: null): Promise<never>;
}

function counting() {
	const workers: LocalWorker[] = [];
	const reasons: string[] = [];
	const create = () => {
		let count = 0;
		const calls: Counting = { next: () => ++count, wait: () => new Promise(() => {}) };
		const worker = LocalWorker.serving(calls);
		workers.push(worker);
		return worker;
	};
	const slot = new WorkerSlot<Counting>("count", create, (reason) => reasons.push(reason));
	return { slot, workers, reasons };
}

test("the Worker is made by the first call and keeps what it knows", async () => {
	const { slot, workers } = counting();
	expect(workers).toHaveLength(0);
	expect(slot.busy).toBeNull();
	const first = slot.call("next", null);
	expect(slot.busy?.call).toBe("next");
	expect(await first).toBe(1);
	expect(slot.busy).toBeNull();
	expect(await slot.call("next", null)).toBe(2);
	expect(workers).toHaveLength(1);
});

test("recycling ends it without a report; the next call has a new one", async () => {
	const { slot, workers, reasons } = counting();
	slot.recycle();
	await slot.call("next", null);
	const waiting = slot.call("wait", null);
	slot.recycle();
	expect(waiting).rejects.toBeInstanceOf(WorkerGone);
	expect(workers.map((worker) => worker.terminated)).toEqual([true]);
	expect(await slot.call("next", null)).toBe(1);
	expect(workers).toHaveLength(2);
	expect(reasons).toEqual([]);
});

test("a Worker that ends by itself is reported", async () => {
	const { slot, workers, reasons } = counting();
	await slot.call("next", null);
	workers[0]?.fail("out of memory");
	expect(reasons).toEqual(["out of memory"]);
});
