import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { UdevMonitor as Monitor, type UdevMonitor, type UdevReceived } from "../../ffi/udev.ts";
import { Poller } from "../../ffi/wait.ts";

const open: UdevMonitor[] = [];
afterEach(() => {
	for (const monitor of open.splice(0)) monitor.close();
});

function monitorOf(subsystem: string, receiveBuffer = 1 << 20): UdevMonitor {
	const opened = Monitor.open({ subsystem, receiveBuffer });
	if (!opened.ok) throw new Error(opened.reason);
	open.push(opened.monitor);
	return opened.monitor;
}

/** Asks the kernel for an event of a device that every machine has. */
function provoke(action = "change"): void {
	writeFileSync("/sys/class/mem/null/uevent", action);
}

/** The next thing that can be read, waiting for it at most five seconds. */
function next(monitor: UdevMonitor, properties: readonly string[]): UdevReceived {
	const polling = Poller.create([monitor.fd]);
	if (!polling.ok) throw new Error(polling.error);
	const deadline = Date.now() + 5000;
	for (;;) {
		const received = monitor.receive(properties);
		if (received.kind !== "empty" || Date.now() > deadline) return received;
		polling.poller.wait(100);
	}
}

describe("a monitor", () => {
	test("gives the kernel's events with the properties that are asked for", () => {
		const monitor = monitorOf("mem");
		provoke();
		const received = next(monitor, ["SUBSYSTEM", "SEQNUM", "SYNTH_UUID", "NONE"]);
		expect(received).toMatchObject({
			kind: "device",
			action: "change",
			devpath: "/devices/virtual/mem/null",
		});
		if (received.kind !== "device") throw new Error("no event");
		expect([...received.properties.keys()]).toEqual(["SUBSYSTEM", "SEQNUM", "SYNTH_UUID"]);
		expect(monitor.receive([])).toEqual({ kind: "empty" });
	});

	test("passes over events of other subsystems", () => {
		const monitor = monitorOf("usb");
		provoke();
		expect(monitor.receive(["SUBSYSTEM"])).toEqual({ kind: "empty" });
	});

	test("tells when the kernel dropped events, and goes on", () => {
		const monitor = monitorOf("mem", 2048);
		for (let count = 0; count < 200; count++) provoke();
		const kinds = new Set<string>();
		for (let reads = 0; reads < 500; reads++) {
			const { kind } = monitor.receive([]);
			kinds.add(kind);
			if (kind === "empty") break;
		}
		expect(kinds).toEqual(new Set(["device", "overrun", "empty"]));
		provoke();
		expect(next(monitor, []).kind).toBe("device");
	});

	test("that is closed gives an error; closing twice does nothing", () => {
		const monitor = monitorOf("mem");
		monitor.close();
		monitor.close();
		expect(monitor.fd).toBe(-1);
		expect(monitor.receive([])).toMatchObject({ kind: "error" });
	});
});

test("without the library there is a reason and a remedy", () => {
	const opened = Monitor.open({ subsystem: "usb", receiveBuffer: 4096, directories: ["/nonexistent"] });
	expect(opened).toMatchObject({ ok: false, remedy: expect.stringContaining("apt install libudev1") });
});
