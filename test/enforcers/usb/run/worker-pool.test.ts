import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poolDefaults, UsbWorkerPool } from "../../../../src/enforcers/usb/run/worker-pool.ts";
import { until } from "../../../system/support/isolated.ts";
import { FakeKernel } from "../support/fake-usb.ts";
import { stick } from "../support/shapes.ts";

/** The Workers of the product, on a sysfs of which some attributes are pipes: writing one waits for a reader. */
let kernel: FakeKernel;
let pool: UsbWorkerPool;
beforeEach(() => {
	kernel = new FakeKernel();
	pool = new UsbWorkerPool({
		...poolDefaults,
		name: "usb",
		createWorker: () =>
			new Worker(new URL("../../../../src/enforcers/usb/run/usb.worker.ts", import.meta.url)),
	});
});
afterEach(() => {
	pool.stop();
	kernel.remove();
});

function hang(name: string): string {
	const path = join(kernel.root, "bus/usb/devices", name, "authorized");
	rmSync(path);
	const made = Bun.spawnSync(["mkfifo", path]);
	if (!made.success) throw new Error(made.stderr.toString());
	return path;
}

/** A reader lets the open return; the write is then refused as another device's. */
async function letGo<T>(pipes: readonly string[], hung: readonly Promise<T>[]): Promise<T[]> {
	const readers = pipes.map((path) => {
		renameSync(path, `${path}.old`);
		return openSync(`${path}.old`, constants.O_RDONLY | constants.O_NONBLOCK);
	});
	const results = await Promise.all(hung);
	for (const reader of readers) closeSync(reader);
	return results;
}

/** Refusing begins with opening the attribute, which waits; `instance` is never looked at before. */
const refuse = (name: string) =>
	pool.run((worker) => worker.call("refuse", { root: kernel.root, name, instance: "", interfaces: null }));
const list = () => pool.run((worker) => worker.call("list", { root: kernel.root }));

describe("a pool", () => {
	test("with eight devices that hang still serves the ninth, and gets its Workers back", async () => {
		const names = Array.from({ length: 8 }, (_, index) => `1-${index + 1}`);
		for (const name of names) kernel.plug(name, stick);
		const pipes = names.map(hang);
		await list();
		const hung = names.map(refuse);
		// They hang until they are let go below: nothing waits for them.
		expect(await list()).toHaveLength(9);
		await until(() => pool.load.stuck === 8, "all eight are known to hang");
		for (const { result } of await letGo(pipes, hung))
			expect(result).toMatchObject({ ok: false, reason: "changed" });
		await list();
		expect(pool.load).toMatchObject({ stuck: 0, waiting: 0 });
		await until(() => pool.load.workers <= poolDefaults.spare, "the others are ended");
	});

	test("runs a burst with few Workers", async () => {
		await Promise.all(Array.from({ length: 200 }, list));
		expect(pool.load.workers).toBeLessThanOrEqual(poolDefaults.spare);
	});

	test("that is stopped takes no jobs, and does not wait for those that hang", async () => {
		kernel.plug("1-1", stick);
		const path = hang("1-1");
		await list();
		const hung = refuse("1-1").catch((error: Error) => error.message);
		while (pool.load.stuck === 0) await Bun.sleep(5);
		pool.stop();
		expect(await hung).toBe("stopped");
		expect(list()).rejects.toThrow("stopped");
		closeSync(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
	});

	test("passes on that a Worker has ended, and goes on with another", async () => {
		const broken = new UsbWorkerPool({
			...poolDefaults,
			name: "usb",
			createWorker: () => new Worker(URL.createObjectURL(new Blob(["throw new Error('broken')"]))),
		});
		expect(broken.run((worker) => worker.call("list", { root: "/" }))).rejects.toThrow("usb worker ended");
		broken.stop();
	});

	test("does what is urgent before what can wait, which may become urgent", async () => {
		const single = new UsbWorkerPool({
			...poolDefaults,
			spare: 1,
			patience: 10_000,
			name: "usb",
			createWorker: () =>
				new Worker(new URL("../../../../src/enforcers/usb/run/usb.worker.ts", import.meta.url)),
		});
		const order: string[] = [];
		let hurried = false;
		const run = (name: string, urgent: () => boolean) =>
			single.run((worker) => worker.call("list", { root: kernel.root }), urgent).then(() => order.push(name));
		const jobs = [
			run("first", () => false),
			run("second", () => false),
			run("third", () => false),
			run("hurried", () => hurried),
			run("urgent", () => true),
		];
		hurried = true;
		await Promise.all(jobs);
		expect(order).toEqual(["first", "hurried", "urgent", "second", "third"]);
		single.stop();
	});

	test("does one thing at a time of what can wait, but for those that hang", async () => {
		for (const name of ["1-1", "1-2"]) kernel.plug(name, stick);
		const pipes = ["1-1", "1-2"].map(hang);
		const patient = new UsbWorkerPool({
			...poolDefaults,
			// A busy machine must not make a look at a list one that hangs.
			patience: 1000,
			name: "usb",
			createWorker: () =>
				new Worker(new URL("../../../../src/enforcers/usb/run/usb.worker.ts", import.meta.url)),
		});
		const scan = (name: string) =>
			patient.run(
				(worker) => worker.call("refuse", { root: kernel.root, name, instance: "", interfaces: null }),
				() => false,
			);
		const hung = ["1-1", "1-2"].map(scan);
		await until(() => patient.load.stuck === 2, "both are known to hang");
		let running = 0;
		let most = 0;
		const look = () =>
			patient.run(
				async (worker) => {
					most = Math.max(most, ++running);
					await worker.call("list", { root: kernel.root });
					running -= 1;
				},
				() => false,
			);
		await Promise.all(Array.from({ length: 20 }, look));
		expect(most).toBe(1);
		expect(patient.load).toMatchObject({ stuck: 2, waiting: 0 });
		await letGo(pipes, hung);
		patient.stop();
	});

	test("takes a Worker that is long in starting for slow, not for one that hangs", async () => {
		const slow = `
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
			self.onmessage = ({ data }) => self.postMessage({ id: data.id, ok: true, result: data.name });`;
		const started: Worker[] = [];
		const starting = new UsbWorkerPool({
			...poolDefaults,
			name: "usb",
			createWorker: () => {
				const worker = new Worker(URL.createObjectURL(new Blob([slow])));
				started.push(worker);
				return worker;
			},
		});
		await Promise.all(
			Array.from({ length: 30 }, () => starting.run((worker) => worker.call("list", { root: kernel.root }))),
		);
		expect(started).toHaveLength(poolDefaults.spare);
		// Where starting another takes so long, what runs is given twice that time.
		expect(starting.patience).toBeGreaterThan(500);
		expect(starting.patience).toBeLessThanOrEqual(1000);
		starting.stop();
	});

	test("at rest keeps as many Workers as it is told", async () => {
		const resting = new UsbWorkerPool({
			...poolDefaults,
			rest: 500,
			keep: () => 1,
			name: "usb",
			createWorker: () =>
				new Worker(new URL("../../../../src/enforcers/usb/run/usb.worker.ts", import.meta.url)),
		});
		const look = () => resting.run((worker) => worker.call("list", { root: kernel.root }));
		await Promise.all([look(), look(), look()]);
		expect(resting.load.workers).toBe(3);
		await until(() => resting.load.workers < 3, "the pool rests");
		expect(resting.load.workers).toBe(1);
		resting.stop();
	});

	test("at rest ends every Worker, and starts one for the next job", async () => {
		const resting = new UsbWorkerPool({
			...poolDefaults,
			rest: 20,
			name: "usb",
			createWorker: () =>
				new Worker(new URL("../../../../src/enforcers/usb/run/usb.worker.ts", import.meta.url)),
		});
		const look = () => resting.run((worker) => worker.call("list", { root: kernel.root }));
		kernel.plug("1-1", stick);
		const found = await look();
		await until(() => resting.load.workers === 0, "the pool rests");
		expect(await look()).toEqual(found);
		resting.stop();
	});
});

test("where there is no USB the list is null", async () => {
	const root = mkdtempSync(join(tmpdir(), "portward-usb-none."));
	expect(await pool.run((worker) => worker.call("list", { root }))).toBeNull();
	rmSync(root, { recursive: true });
});
