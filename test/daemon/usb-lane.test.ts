import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { laneDefaults, UsbLane } from "../../src/daemon/usb-lane.ts";
import { until } from "../system/support/isolated.ts";
import { FakeKernel } from "./support/fake-usb.ts";

/** The Workers of the product, on a sysfs of which some attributes are pipes: writing one waits for a reader. */
let kernel: FakeKernel;
let lane: UsbLane;
beforeEach(() => {
	kernel = new FakeKernel();
	lane = new UsbLane({
		...laneDefaults,
		name: "usb",
		createWorker: () => new Worker(new URL("../../src/daemon/usb.worker.ts", import.meta.url)),
	});
});
afterEach(() => {
	lane.stop();
	kernel.remove();
});

const stick = { configurations: [[{ triple: [8, 6, 0x50] as const }]] };

function hang(name: string): string {
	const path = join(kernel.root, "bus/usb/devices", name, "authorized");
	rmSync(path);
	const made = Bun.spawnSync(["mkfifo", path]);
	if (!made.success) throw new Error(made.stderr.toString());
	return path;
}

/** Refusing begins with opening the attribute, which waits; `instance` is never looked at before. */
const refuse = (name: string) =>
	lane.run((worker) => worker.call("refuse", { root: kernel.root, name, instance: "", interfaces: null }));
const list = () => lane.run((worker) => worker.call("list", { root: kernel.root }));

describe("a lane", () => {
	test("with eight devices that hang still serves the ninth, and gets its Workers back", async () => {
		const names = Array.from({ length: 8 }, (_, index) => `1-${index + 1}`);
		for (const name of names) kernel.plug(name, stick);
		const pipes = names.map(hang);
		await list();
		const hung = names.map(refuse);
		const started = performance.now();
		expect(await list()).toHaveLength(9);
		expect(performance.now() - started).toBeLessThan(1000);
		await until(() => lane.load.stuck === 8, "all eight are known to hang");
		// A reader lets the open return; the write is then refused as another device's.
		const readers = pipes.map((path) => {
			renameSync(path, `${path}.old`);
			return openSync(`${path}.old`, constants.O_RDONLY | constants.O_NONBLOCK);
		});
		for (const { result } of await Promise.all(hung))
			expect(result).toMatchObject({ ok: false, reason: "changed" });
		for (const reader of readers) closeSync(reader);
		await list();
		expect(lane.load).toMatchObject({ stuck: 0, waiting: 0 });
		expect(lane.load.workers).toBeLessThanOrEqual(laneDefaults.spare);
	}, 20_000);

	test("runs a burst with few Workers", async () => {
		await Promise.all(Array.from({ length: 200 }, list));
		expect(lane.load.workers).toBeLessThanOrEqual(laneDefaults.spare);
	}, 20_000);

	test("that is stopped takes no jobs, and does not wait for those that hang", async () => {
		kernel.plug("1-1", stick);
		const path = hang("1-1");
		await list();
		const hung = refuse("1-1").catch((error: Error) => error.message);
		while (lane.load.stuck === 0) await Bun.sleep(5);
		lane.stop();
		expect(await hung).toBe("stopped");
		expect(list()).rejects.toThrow("stopped");
		closeSync(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
	}, 20_000);

	test("passes on that a Worker has ended, and goes on with another", async () => {
		const broken = new UsbLane({
			...laneDefaults,
			name: "usb",
			createWorker: () => new Worker(URL.createObjectURL(new Blob(["throw new Error('broken')"]))),
		});
		expect(broken.run((worker) => worker.call("list", { root: "/" }))).rejects.toThrow("usb worker ended");
		broken.stop();
	});

	test("at rest ends every Worker, and starts one for the next job", async () => {
		const resting = new UsbLane({
			...laneDefaults,
			rest: 20,
			name: "usb",
			createWorker: () => new Worker(new URL("../../src/daemon/usb.worker.ts", import.meta.url)),
		});
		const look = () => resting.run((worker) => worker.call("list", { root: kernel.root }));
		kernel.plug("1-1", stick);
		const found = await look();
		await until(() => resting.load.workers === 0, "the lane rests");
		expect(await look()).toEqual(found);
		resting.stop();
	});
});

test("where there is no USB the list is null", async () => {
	const root = mkdtempSync(join(tmpdir(), "portward-usb-none."));
	expect(await lane.run((worker) => worker.call("list", { root }))).toBeNull();
	rmSync(root, { recursive: true });
});
