import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unlockAll } from "../../../../src/enforcers/usb/apply/lock.ts";
import { UsbMemory } from "../../../../src/enforcers/usb/run/memory.ts";
import { restoreUsbLock } from "../../../../src/enforcers/usb/run/restore.ts";
import { Sysfs } from "../../../../src/kernel/sysfs.ts";
import { FakeKernel } from "../support/fake-usb.ts";

let kernel: FakeKernel;
let directory: string;
beforeEach(() => {
	kernel = new FakeKernel();
	directory = mkdtempSync(join(tmpdir(), "portward-restore."));
});
afterEach(() => {
	kernel.remove();
	rmSync(directory, { recursive: true, force: true });
});

const parameter = "module/usbcore/parameters/authorized_default";
const defaults = () =>
	[
		parameter,
		"bus/usb/devices/usb1/authorized_default",
		"bus/usb/devices/usb1/interface_authorized_default",
	].map((path) => kernel.readText(path));

test("USB is locked as the daemon locks it, and the values from before are kept for release", () => {
	const before = defaults();
	expect(restoreUsbLock(directory, kernel, "boot-1")).toEqual({ ok: true, locked: true });
	expect(defaults()).toEqual(["0", "0", "0"]);
	const { prior, present } = new UsbMemory(directory, "boot-1").value;
	expect(prior?.module).toBe(before[0]);
	// The daemon's first start in this boot decides what was there before it.
	expect(present).toBeNull();
	expect(restoreUsbLock(directory, kernel, "boot-1")).toEqual({ ok: true, locked: true });
	expect(new UsbMemory(directory, "boot-1").value.prior).toEqual(prior);
	expect(prior && unlockAll(kernel, prior)).toEqual([]);
	expect(defaults()).toEqual(before);
});

test("values of an earlier boot are not taken for this one's", () => {
	restoreUsbLock(directory, kernel, "boot-1");
	kernel.meddle(parameter, "2");
	kernel.meddle("bus/usb/devices/usb1/authorized_default", "2");
	restoreUsbLock(directory, kernel, "boot-2");
	expect(new UsbMemory(directory, "boot-2").value.prior).toMatchObject({
		module: "2",
		controllers: { "/devices/pci0/usb1": { devices: "2", interfaces: "0" } },
	});
});

test("what is refused before anything was locked was refused by somebody else", () => {
	kernel.plug("1-4", { configurations: [[{ triple: [8, 6, 0x50] as const }]] });
	kernel.meddle("bus/usb/devices/1-4/authorized", "0");
	restoreUsbLock(directory, kernel, "boot-1");
	const { foreign } = new UsbMemory(directory, "boot-1").value;
	expect(Object.values(foreign ?? {})).toEqual(["somebody-else"]);
});

test("a state that cannot be written keeps nobody from locking, but is told", () => {
	writeFileSync(join(directory, "file"), "");
	const result = restoreUsbLock(join(directory, "file"), kernel, "boot-1");
	expect(result).toMatchObject({ ok: false, errors: [expect.stringContaining("EEXIST")] });
	expect(defaults()).toEqual(["0", "0", "0"]);
});

test("a kernel without USB has nothing to lock", () => {
	expect(restoreUsbLock(directory, new Sysfs(join(directory, "no-sysfs")), "b")).toEqual({
		ok: true,
		locked: false,
	});
});
