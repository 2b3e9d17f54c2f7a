import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type SourceState, UsbObserver } from "../../../../src/enforcers/usb/observe/observer.ts";
import { openUeventSource } from "../../../../src/enforcers/usb/observe/uevent-source.ts";

const running: UsbObserver[] = [];
afterEach(async () => {
	for (const observer of running.splice(0)) await observer.stop();
});

const createWorker = () =>
	new Worker(new URL("../../../../src/enforcers/usb/observe/uevent.worker.ts", import.meta.url));

test.each(["libudev", "netlink"] as const)(
	"the worker listens by %s, and stops when it is told",
	async (backend) => {
		const observer = new UsbObserver(createWorker, { backend });
		running.push(observer);
		const changes: SourceState[] = [];
		const state = await observer.start({
			event: () => {},
			lost: () => {},
			changed: (next) => changes.push(next),
		});
		expect(state).toEqual({ state: "listening" });
		await observer.stop();
		expect(changes).toEqual([]);
	},
);

test("a full buffer is told", async () => {
	const observer = new UsbObserver(createWorker, { backend: "netlink", receiveBuffer: 2048 });
	running.push(observer);
	const lost = Promise.withResolvers<void>();
	await observer.start({ event: () => {}, lost: () => lost.resolve(), changed: () => {} });
	const flood = setInterval(() => {
		for (let count = 0; count < 500; count++) writeFileSync("/sys/class/mem/null/uevent", "change");
	}, 5);
	await lost.promise;
	clearInterval(flood);
});

test("a worker that ends is replaced, and both are told", async () => {
	const workers: Worker[] = [];
	const observer = new UsbObserver(
		() => {
			const worker = createWorker();
			workers.push(worker);
			return worker;
		},
		{ backend: "libudev" },
	);
	running.push(observer);
	const changes: SourceState["state"][] = [];
	const back = Promise.withResolvers<void>();
	await observer.start({
		event: () => {},
		lost: () => {},
		changed: ({ state }) => {
			changes.push(state);
			if (state === "listening") back.resolve();
		},
	});
	workers[0]?.terminate();
	await back.promise;
	expect(changes).toEqual(["down", "listening"]);
});

test.each(["libudev", "netlink"] as const)("%s gives events of other subsystems to nobody", (backend) => {
	const opened = openUeventSource({ backend });
	if (!opened.ok) throw new Error(opened.error);
	const { source } = opened;
	writeFileSync("/sys/class/mem/null/uevent", "change");
	const kinds = new Set<string>();
	for (let reads = 0; reads < 50; reads++) kinds.add(source.next().kind);
	source.close();
	expect(kinds.has("event")).toBe(false);
	expect(kinds.has("empty")).toBe(true);
});
