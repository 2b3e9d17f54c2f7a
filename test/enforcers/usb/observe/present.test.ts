import { afterEach, beforeEach, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { presentDevices } from "../../../../src/enforcers/usb/observe/present.ts";
import { FakeKernel } from "../support/fake-usb.ts";
import { keyboard } from "../support/shapes.ts";

let kernel: FakeKernel;
beforeEach(() => {
	kernel = new FakeKernel();
});
afterEach(() => kernel.remove());

test("every device is read, a hub before what hangs on it", () => {
	kernel.plug("1-4", { configurations: [[{ triple: [9, 0, 0] as const }]] });
	kernel.plug("1-4.2", keyboard);
	const ports = presentDevices(kernel.root)?.map(({ device }) => device.port) ?? [];
	expect(ports.indexOf("1-4")).toBeGreaterThanOrEqual(0);
	expect(ports.indexOf("1-4.2")).toBeGreaterThan(ports.indexOf("1-4"));
});

test("a kernel without USB is told from one without devices", () => {
	expect(presentDevices(join(tmpdir(), "no-such-sysfs"))).toBeNull();
	expect(presentDevices(kernel.root)).not.toBeNull();
});
