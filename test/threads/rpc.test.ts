import { describe, expect, test } from "bun:test";
import {
	type Calls,
	serve,
	WorkerClient,
	WorkerGone,
	type WorkerLike,
	type WorkerScope,
} from "../../src/threads/rpc.ts";

interface Sums extends Calls {
	add(argument: { a: number; b: number }): number;
	slow(argument: number): Promise<string>;
	fail(argument: null): never;
}

/** A Worker whose two ends are in this thread; messages still take a turn of the event loop. */
function pair() {
	const listeners: Record<string, ((event: never) => void)[]> = { message: [], error: [], close: [] };
	const emit = (type: string, event: unknown) => {
		for (const listener of listeners[type] ?? []) listener(event as never);
	};
	const scope: WorkerScope = {
		onmessage: null,
		postMessage: (data, transfer) => {
			const copy = structuredClone(data, { transfer });
			queueMicrotask(() => emit("message", { data: copy }));
		},
	};
	const worker: WorkerLike = {
		postMessage: (data) =>
			queueMicrotask(() => scope.onmessage?.(new MessageEvent("message", { data: structuredClone(data) }))),
		addEventListener: (type: string, listener: (event: never) => void) => {
			listeners[type]?.push(listener);
		},
		terminate: () => emit("close", undefined),
	};
	return { scope, worker, emit };
}

const order: string[] = [];
const sums: Sums = {
	add: ({ a, b }) => a + b,
	slow: async (n) => {
		order.push(`start ${n}`);
		await Bun.sleep(1);
		order.push(`end ${n}`);
		return `slow ${n}`;
	},
	fail: () => {
		throw new TypeError("a bug");
	},
};

describe("calls to a Worker", () => {
	test("give the result, one call after the other", async () => {
		const { scope, worker } = pair();
		serve(scope, sums);
		const client = new WorkerClient<Sums>("sums", worker, () => {});
		expect(await client.call("add", { a: 1, b: 2 })).toBe(3);
		expect(await Promise.all([client.call("slow", 1), client.call("slow", 2)])).toEqual(["slow 1", "slow 2"]);
		expect(order).toEqual(["start 1", "end 1", "start 2", "end 2"]);
	});

	test("a bug in a call rejects that call only", async () => {
		const { scope, worker } = pair();
		serve(scope, sums);
		const client = new WorkerClient<Sums>("sums", worker, () => {});
		expect(client.call("fail", null)).rejects.toThrow("a bug");
		expect(await client.call("add", { a: 2, b: 2 })).toBe(4);
	});

	test("what a Worker is doing, and for how long, is known; an answer begins the next job", async () => {
		const { scope, worker } = pair();
		serve(scope, sums);
		const client = new WorkerClient<Sums>("sums", worker, () => {});
		expect(client.busy).toBeNull();
		const first = client.call("add", { a: 1, b: 1 });
		const second = client.call("fail", null).catch(() => {});
		Bun.sleepSync(20);
		expect(client.busy?.call).toBe("add");
		expect(client.busy?.milliseconds).toBeGreaterThan(15);
		await first;
		expect(client.busy?.call).toBe("fail");
		expect(client.busy?.milliseconds).toBeLessThan(15);
		await second;
		expect(client.busy).toBeNull();
	});

	test("buffers that are moved arrive, and the Worker has them no more", async () => {
		const { scope, worker } = pair();
		const bytes = new Uint8Array([1, 2, 3]);
		serve<{ bytes(argument: null): Uint8Array }>(scope, { bytes: () => bytes }, () => [bytes.buffer]);
		const client = new WorkerClient<{ bytes(argument: null): Uint8Array }>("bytes", worker, () => {});
		expect(await client.call("bytes", null)).toEqual(new Uint8Array([1, 2, 3]));
		expect(bytes.length).toBe(0);
	});

	test("a Worker that ends rejects what waits for it and tells once", async () => {
		const { worker, emit } = pair();
		const reasons: string[] = [];
		const client = new WorkerClient<Sums>("sums", worker, (reason) => reasons.push(reason));
		const waiting = client.call("add", { a: 1, b: 1 });
		emit("error", { message: "out of memory" });
		emit("close", undefined);
		expect(waiting).rejects.toThrow("the sums worker ended: out of memory");
		expect(client.call("add", { a: 1, b: 1 })).rejects.toBeInstanceOf(WorkerGone);
		expect(reasons).toEqual(["out of memory"]);
	});

	test("a Worker that is stopped does not count as gone", async () => {
		const { worker } = pair();
		const reasons: string[] = [];
		const client = new WorkerClient<Sums>("sums", worker, (reason) => reasons.push(reason));
		const waiting = client.call("add", { a: 1, b: 1 });
		client.stop();
		expect(waiting).rejects.toBeInstanceOf(WorkerGone);
		expect(reasons).toEqual([]);
	});
});
