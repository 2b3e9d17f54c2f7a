import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
	lockAll,
	lockController,
	readDefaults,
	unlockAll,
} from "../../../../src/enforcers/usb/apply/lock.ts";
import { FakeKernel } from "../support/fake-usb.ts";

let kernel: FakeKernel;
beforeEach(() => {
	kernel = new FakeKernel();
	kernel.addBus(2);
	kernel.meddle("bus/usb/devices/usb2/authorized_default", "2");
});
afterEach(() => kernel.remove());

const parameter = "module/usbcore/parameters/authorized_default";

function defaults(): (string | null)[] {
	const buses = ["usb1", "usb2"].flatMap((bus) => [
		`bus/usb/devices/${bus}/authorized_default`,
		`bus/usb/devices/${bus}/interface_authorized_default`,
	]);
	return [parameter, ...buses].map((path) => kernel.readText(path));
}

describe("the lock", () => {
	test("closes the parameter first, then each controller, its interfaces first; and puts all back", () => {
		const prior = readDefaults(kernel, null);
		expect(prior).toEqual({
			module: "-1",
			controllers: {
				"/devices/pci0/usb1": { devices: "1", interfaces: "1" },
				"/devices/pci0/usb2": { devices: "2", interfaces: "1" },
			},
		});
		expect(lockAll(kernel)).toEqual({ closed: ["usb1", "usb2"], errors: [] });
		expect(kernel.writes).toEqual([
			`${parameter}=0`,
			...["usb1", "usb2"].flatMap((bus) => [
				`${bus}/interface_authorized_default=0`,
				`${bus}/authorized_default=0`,
			]),
		]);
		expect(lockAll(kernel)).toEqual({ closed: [], errors: [] });
		expect(unlockAll(kernel, prior)).toEqual([]);
		expect(defaults()).toEqual(["-1", "1", "1", "2", "1"]);
	});

	test("takes what it knows from before for true, and a later controller for what it would have been", () => {
		const prior = readDefaults(kernel, null);
		lockAll(kernel);
		kernel.addBus(3);
		const again = readDefaults(kernel, prior);
		expect(again.controllers["/devices/pci0/usb2"]?.devices).toBe("2");
		expect(again.controllers["/devices/pci0/usb3"]).toEqual({ devices: "1", interfaces: "1" });
		lockController(kernel, "usb3");
		unlockAll(kernel, prior);
		expect(kernel.readText("bus/usb/devices/usb3/authorized_default")).toBe("1");
	});

	test("a machine that was locked at boot stays so when portward lets go", () => {
		kernel.meddle(parameter, "0");
		kernel.meddle("bus/usb/devices/usb1/authorized_default", "0");
		const prior = readDefaults(kernel, null);
		lockAll(kernel);
		kernel.addBus(3);
		lockController(kernel, "usb3");
		unlockAll(kernel, prior);
		expect(kernel.readText(parameter)).toBe("0");
		expect(kernel.readText("bus/usb/devices/usb1/authorized_default")).toBe("0");
		expect(kernel.readText("bus/usb/devices/usb3/authorized_default")).toBe("0");
	});

	test("does without what an old kernel lacks, and says what it cannot write", () => {
		rmSync(join(kernel.root, parameter));
		rmSync(join(kernel.root, "bus/usb/devices/usb1/interface_authorized_default"));
		kernel.readOnly.add("usb2/authorized_default");
		const prior = readDefaults(kernel, null);
		expect(prior).toMatchObject({
			module: null,
			controllers: { "/devices/pci0/usb1": { interfaces: null } },
		});
		expect(lockAll(kernel).errors).toEqual([expect.stringContaining("EROFS")]);
		expect(kernel.readText("bus/usb/devices/usb1/authorized_default")).toBe("0");
		expect(unlockAll(kernel, prior)).toEqual([]);
		expect(lockController(kernel, "usb9")).toEqual({ changed: false, error: "" });
	});
});
