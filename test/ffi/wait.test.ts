import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { EventFd, Poller } from "../../ffi/wait.ts";
import { command, enterOwnHostName } from "../system/support/isolated.ts";

function eventFd(): EventFd {
	const result = EventFd.create();
	if (!result.ok) throw new Error(result.error);
	return result.event;
}

test("an event is seen by poll until it is cleared", () => {
	const first = eventFd();
	const second = eventFd();
	const created = Poller.create([first.fd, second.fd]);
	if (!created.ok) throw new Error(created.error);
	expect(created.poller.wait(0)).toEqual({ ok: true, ready: [false, false] });
	second.signal();
	second.signal();
	expect(created.poller.wait(-1)).toEqual({ ok: true, ready: [false, true] });
	expect(second.clear()).toBe(true);
	expect(second.clear()).toBe(false);
	expect(created.poller.wait(0)).toEqual({ ok: true, ready: [false, false] });
	first.close();
	second.close();
	first.close();
	expect(first.fd).toBe(-1);
	expect(first.clear()).toBe(false);
});

test("a file of /proc/sys is seen to change, once for each change", () => {
	const place = enterOwnHostName();
	const file = openSync("/proc/sys/kernel/hostname", "r");
	const event = eventFd();
	try {
		const created = Poller.create([event.fd], [file]);
		if (!created.ok) throw new Error(created.error);
		expect(created.poller.wait(0)).toEqual({ ok: true, ready: [false, false] });
		command("hostname", "another");
		expect(created.poller.wait(-1)).toEqual({ ok: true, ready: [false, true] });
		expect(created.poller.wait(0)).toEqual({ ok: true, ready: [false, false] });
	} finally {
		closeSync(file);
		event.close();
		place.leave();
	}
});

test("a thread that waits for ever is ended by the event of another", async () => {
	const event = eventFd();
	const worker = new Worker(new URL("./wait.worker.ts", import.meta.url));
	const message = new Promise((resolve, reject) => {
		worker.onmessage = ({ data }) => resolve(data);
		worker.onerror = ({ message }) => reject(new Error(message));
	});
	worker.postMessage(event.fd);
	event.signal();
	expect(await message).toEqual({ ok: true, ready: [true] });
	worker.terminate();
	event.close();
});

test("descriptors and timeouts are checked", () => {
	expect(() => Poller.create([-1])).toThrow(RangeError);
	const event = eventFd();
	const created = Poller.create([event.fd]);
	if (!created.ok) throw new Error(created.error);
	const { poller } = created;
	expect(() => poller.wait(-2)).toThrow(RangeError);
	event.close();
});
