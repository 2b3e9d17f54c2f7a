import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { authorizeDevice, ownEvent, refuseDevice } from "../../../../src/enforcers/usb/apply/authorize.ts";
import { lockAll } from "../../../../src/enforcers/usb/apply/lock.ts";
import { FakeKernel } from "../support/fake-usb.ts";
import { badUsb } from "../support/shapes.ts";

const same = () => true;

let kernel: FakeKernel;
beforeEach(() => {
	kernel = new FakeKernel();
	lockAll(kernel);
	kernel.plug("1-1", badUsb);
	kernel.writes.length = 0;
});
afterEach(() => kernel.remove());

const request = { name: "1-1", permitted: ["1-1:1.0"], lockedBus: 1, probeUnbound: false };

describe("authorizing", () => {
	test("gives the device, then what is permitted, then offers that to drivers", () => {
		expect(authorizeDevice(kernel, request, same)).toEqual({ result: { ok: true }, given: true });
		expect(kernel.writes).toEqual([
			"1-1/authorized=1",
			"1-1/1-1:1.0/authorized=1",
			"bus/usb/drivers_probe=1-1:1.0",
			`1-1/uevent=add ${ownEvent}`,
		]);
		expect(kernel.bound("1-1")).toEqual(["1-1:1.0"]);
	});

	test("authorizes all siblings before it offers the first", () => {
		authorizeDevice(kernel, { ...request, permitted: ["1-1:1.0", "1-1:1.1"] }, same);
		const writes = kernel.writes.map((write) => write.replace(/=.*/, ""));
		expect(writes.lastIndexOf("1-1/1-1:1.1/authorized")).toBeLessThan(
			writes.indexOf("bus/usb/drivers_probe"),
		);
	});

	test("closes the bus's interfaces first where somebody opened them, and goes no further where it cannot", () => {
		kernel.meddle("bus/usb/devices/usb1/interface_authorized_default", "1");
		kernel.readOnly.add("interface_authorized_default");
		expect(authorizeDevice(kernel, request, same).result).toMatchObject({ ok: false, reason: "failed" });
		expect(kernel.authorized("1-1")).toBe(false);
		kernel.readOnly.clear();
		expect(authorizeDevice(kernel, request, same)).toEqual({ result: { ok: true }, given: true });
		expect(kernel.binds.filter((bind) => bind.startsWith("1-1"))).toEqual(["1-1:1.0 usb-storage"]);
	});

	test("does nothing to what is not the same device any more", () => {
		expect(authorizeDevice(kernel, request, () => false)).toMatchObject({
			result: { ok: false, reason: "changed" },
			given: false,
		});
		expect(kernel.authorized("1-1")).toBe(false);
	});

	test("offers what is authorized without a driver only when asked", () => {
		authorizeDevice(kernel, request, same);
		kernel.writes.length = 0;
		authorizeDevice(kernel, request, same);
		expect(kernel.writes).toEqual([]);
		authorizeDevice(kernel, { ...request, probeUnbound: true }, same);
		expect(kernel.writes).toEqual(["bus/usb/drivers_probe=1-1:1.0"]);
	});
});

describe("refusing", () => {
	test("takes one interface, or the device", () => {
		authorizeDevice(kernel, { ...request, permitted: ["1-1:1.0", "1-1:1.1"] }, same);
		expect(refuseDevice(kernel, "1-1", ["1-1:1.1"], same)).toEqual({ ok: true });
		expect(kernel.bound("1-1")).toEqual(["1-1:1.0"]);
		expect(refuseDevice(kernel, "1-1", null, same)).toEqual({ ok: true });
		expect(kernel.authorized("1-1")).toBe(false);
	});

	test("leaves another device on that port alone, and one that is gone", () => {
		expect(refuseDevice(kernel, "1-1", null, () => false)).toMatchObject({ reason: "changed" });
		expect(refuseDevice(kernel, "1-7", null, same)).toMatchObject({ reason: "gone" });
		expect(refuseDevice(kernel, "1-1", ["1-1:9.9"], same)).toMatchObject({ reason: "gone" });
	});
});
