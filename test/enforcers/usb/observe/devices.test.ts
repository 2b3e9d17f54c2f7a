import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	listConnectTypes,
	listUsbDevices,
	readInterfaces,
	readUsbDevice,
	usbInstance,
} from "../../../../src/enforcers/usb/observe/devices.ts";
import { FakeKernel } from "../support/fake-usb.ts";
import { stick as plain } from "../support/shapes.ts";

let kernel: FakeKernel;
beforeEach(() => {
	kernel = new FakeKernel();
});
afterEach(() => kernel.remove());

const stick = {
	...plain,
	strings: { serial: "S1", product: "a\nb\x1b", manufacturer: "ACME" },
	connectType: "hotplug",
};

describe("a device", () => {
	test("is read whole, its strings to the last byte", () => {
		kernel.plug("1-4", stick);
		const device = readUsbDevice(kernel, "1-4");
		expect(device).toMatchObject({
			bus: 1,
			authorized: true,
			sysPath: "/devices/pci0/usb1/1-4",
			interfaces: [{ name: "1-4:1.0", configuration: 1, number: 0, authorized: true, driver: "usb-storage" }],
			device: {
				port: "1-4",
				level: 1,
				serial: "S1",
				product: "a\nb\x1b",
				manufacturer: "ACME",
				connectType: "hotplug",
			},
		});
		expect(device?.device.descriptors.malformed).toBeNull();
	});

	test("without strings or a connect type has none", () => {
		kernel.plug("1-4", { configurations: [[]], connectType: "surprise" });
		expect(readUsbDevice(kernel, "1-4")?.device).toMatchObject({
			serial: null,
			product: null,
			connectType: "unknown",
		});
	});

	test("knows the other name of its socket, and the sum of its descriptors", () => {
		kernel.addBus(2);
		kernel.plug("1-4", { ...stick, connectType: "hotplug" });
		const port = join(kernel.root, "bus/usb/devices/usb1/1-0:1.0/usb1-port4");
		symlinkSync("../../../usb2/2-0:1.0/usb2-port3", join(port, "peer"));
		const { twin, descriptorsHash } = readUsbDevice(kernel, "1-4")?.device ?? {};
		expect(twin).toBe("2-3");
		expect(descriptorsHash).toMatch(/^[0-9a-f]{64}$/);
		expect([...listConnectTypes(kernel)]).toEqual(["hotplug"]);
		rmSync(join(port, "peer"));
		symlinkSync("../2-1-port4", join(port, "peer"));
		expect(readUsbDevice(kernel, "1-4")?.device.twin).toBe("2-1.4");
	});

	test("behind a hub has the connect type of the hub's port", () => {
		kernel.plug("1-4", { triple: [9, 0, 1], configurations: [[{ triple: [9, 0, 0] }]] });
		kernel.plug("1-4.3", { ...stick, connectType: "hardwired" });
		expect(readUsbDevice(kernel, "1-4.3")?.device).toMatchObject({ level: 2, connectType: "hardwired" });
	});

	test("behind a hub whose configuration has another number has the connect type of its port, too", () => {
		kernel.plug("1-4", { triple: [9, 0, 1], configurations: [[{ triple: [9, 0, 0] }]] });
		const hub = join(kernel.root, "bus/usb/devices/1-4");
		kernel.plug("1-4.3", { ...stick, connectType: "hardwired" });
		renameSync(join(hub, "1-4:1.0"), join(hub, "1-4:2.0"));
		expect(readUsbDevice(kernel, "1-4.3")?.device.connectType).toBe("hardwired");
	});

	test("is asked of its bus only where something of it is refused", () => {
		kernel.plug("1-4", stick);
		expect(readUsbDevice(kernel, "1-4")?.opens).toEqual({ devices: false, interfaces: false });
		kernel.meddle("bus/usb/devices/1-4/1-4:1.0/authorized", "0");
		expect(readUsbDevice(kernel, "1-4")?.opens).toEqual({ devices: false, interfaces: true });
		kernel.meddle("bus/usb/devices/1-4/authorized", "0");
		expect(readUsbDevice(kernel, "1-4")?.opens).toEqual({ devices: true, interfaces: false });
	});

	test("has the number of the last event before it was read, where the kernel says it", () => {
		kernel.plug("1-4", stick);
		const first = readUsbDevice(kernel, "1-4")?.sequence ?? 0;
		expect(first).toBeGreaterThan(0);
		kernel.plug("1-5", stick);
		expect(readUsbDevice(kernel, "1-4")?.sequence).toBeGreaterThan(first);
		for (const odd of ["", "x", "-1", "1".repeat(16)]) {
			writeFileSync(join(kernel.root, "kernel/uevent_seqnum"), odd);
			expect(readUsbDevice(kernel, "1-4")?.sequence).toBe(0);
		}
	});

	test("that is a root hub has its interface under the bus's name", () => {
		expect(readInterfaces(kernel, "usb1")).toMatchObject([{ name: "1-0:1.0", driver: "hub" }]);
	});

	test("that is gone, or no name of one, is null", () => {
		for (const name of ["1-1", "1-0:1.0", "../../etc", "", "usb99999999"])
			expect(readUsbDevice(kernel, name)).toBeNull();
		kernel.plug("1-4", stick);
		rmSync(join(kernel.root, "bus/usb/devices/1-4/descriptors"));
		expect(readUsbDevice(kernel, "1-4")).toBeNull();
	});

	test("plugged in again is another instance", () => {
		kernel.plug("1-4", stick);
		const first = usbInstance(kernel, "1-4");
		kernel.unplug("1-4");
		kernel.plug("1-4", stick);
		expect(first).not.toBeNull();
		expect(usbInstance(kernel, "1-4")).not.toBe(first);
	});

	test("that is exchanged while it is read is not taken for either", () => {
		kernel.plug("1-4", stick);
		const files = Object.assign(Object.create(kernel), {
			readText: (path: string) => kernel.readText(path),
			readBytes: (path: string, limit: number) => {
				const bytes = kernel.readBytes(path, limit);
				if (path.endsWith("descriptors"))
					writeFileSync(join(kernel.root, "bus/usb/devices/1-4/devnum"), "99\n");
				return bytes;
			},
		});
		expect(readUsbDevice(files, "1-4")).toBeNull();
	});

	test("without an attribute for the authorization of interfaces has authorized ones", () => {
		kernel.plug("1-4", stick);
		rmSync(join(kernel.root, "bus/usb/devices/1-4/1-4:1.0/authorized"));
		expect(readInterfaces(kernel, "1-4")[0]?.authorized).toBe(true);
	});
});

test("the list has every device, hubs first, and no interfaces", () => {
	kernel.plug("1-4", { triple: [9, 0, 1], configurations: [[{ triple: [9, 0, 0] }]] });
	kernel.plug("1-4.10", stick);
	kernel.plug("1-4.2", stick);
	kernel.addBus(2);
	expect(listUsbDevices(kernel)).toEqual(["usb1", "1-4", "1-4.2", "1-4.10", "usb2"]);
});
