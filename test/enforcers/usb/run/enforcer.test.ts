import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { FakeDevice } from "../support/fake-device.ts";
import { badUsb, keyboard, stick } from "../support/shapes.ts";
import { entry, UsbRig } from "../support/usb-rig.ts";

const hub: FakeDevice = { triple: [9, 0, 1], configurations: [[{ triple: [9, 0, 0] }]] };
const [hid, massStorage] = [{ class: 3 }, { class: 8 }];

let rig: UsbRig;
beforeEach(() => {
	rig = new UsbRig();
});
afterEach(() => rig.stop());

const defaultsOf = (bus: string) =>
	["authorized_default", "interface_authorized_default"].map((name) =>
		rig.kernel.readText(`bus/usb/devices/${bus}/${name}`),
	);

describe("the lock", () => {
	test("is taken when something can be refused, and no driver ever binds to what is (D1)", async () => {
		await rig.run(entry("Block", massStorage));
		expect(rig.enforcer.state).toMatchObject({ state: "active", backend: "libudev", locked: true });
		expect(rig.kernel.readText("module/usbcore/parameters/authorized_default")).toBe("0");
		expect(defaultsOf("usb1")).toEqual(["0", "0"]);
		rig.kernel.plug("1-1", stick);
		rig.kernel.plug("1-2", keyboard);
		await rig.settled("1-1");
		await rig.until(() => rig.kernel.bound("1-2").length === 1, "the keyboard");
		expect(rig.kernel.authorized("1-1")).toBe(false);
		expect(rig.kernel.binds.filter((bind) => bind.startsWith("1-1"))).toEqual([]);
		await rig.settled("1-2");
		expect(rig.seconds).toHaveLength(1);
	});

	test("is not taken for audit-only policies, and nothing is written", async () => {
		await rig.run(entry("Audit", massStorage));
		rig.kernel.plug("1-1", stick);
		await rig.settled("1-1");
		expect(rig.enforcer.state).toMatchObject({ state: "active", locked: false });
		expect(rig.kernel.writes.filter((write) => !write.includes("uevent"))).toEqual([]);
	});

	test("an Allow entry locks when the posture blocks, not when it audits", async () => {
		await rig.run(entry("Allow", hid));
		expect(rig.enforcer.state).toMatchObject({ locked: true, allowlistMode: true, posture: "block" });
		rig.config = { ...rig.config, hostDefaultDevicePosture: "audit" };
		await rig.enforcer.enforce([entry("Allow", hid)]);
		expect(rig.enforcer.state.locked).toBe(false);
		expect(defaultsOf("usb1")).toEqual(["1", "1"]);
	});

	test("a controller that comes later is locked, its interfaces before a child is authorized (D9)", async () => {
		await rig.run(entry("Block", massStorage));
		rig.kernel.addBus(2);
		rig.kernel.plug("2-1", badUsb);
		await rig.until(() => rig.kernel.bound("2-1").length === 1, "its keyboard");
		expect(defaultsOf("usb2")).toEqual(["0", "0"]);
		expect(rig.kernel.binds.filter((bind) => bind.startsWith("2-1"))).toEqual(["2-1:1.1 usbhid"]);
	});

	test("goes with the last policy that needs it, and every default is what it was", async () => {
		rig.kernel.meddle("bus/usb/devices/usb1/authorized_default", "2");
		await rig.run(entry("Block", massStorage));
		rig.kernel.addBus(2);
		await rig.settled("usb2");
		await rig.enforcer.enforce([]);
		expect(rig.kernel.readText("module/usbcore/parameters/authorized_default")).toBe("-1");
		expect(defaultsOf("usb1")).toEqual(["2", "1"]);
		expect(defaultsOf("usb2")).toEqual(["1", "1"]);
	});

	test("is closed again when somebody opens it", async () => {
		await rig.run(entry("Block", massStorage));
		rig.kernel.meddle("bus/usb/devices/usb1/authorized_default", "1");
		rig.kernel.overflow();
		await rig.until(() => rig.log.includes("reopened usb1"), "the report");
		expect(defaultsOf("usb1")).toEqual(["0", "0"]);
	});

	test("that cannot be taken makes the enforcer unavailable, with the reason", async () => {
		rig.kernel.readOnly.add("interface_authorized_default");
		await rig.run(entry("Block", massStorage));
		expect(rig.enforcer.state).toMatchObject({ state: "unavailable", locked: false });
		expect(rig.enforcer.state.reason).toContain("EROFS");
	});
});

describe("devices", () => {
	test("of several functions keep the permitted ones (V9)", async () => {
		await rig.run(entry("Allow", massStorage));
		rig.kernel.plug("1-3", badUsb);
		await rig.until(() => rig.kernel.bound("1-3").length > 0, "the disk");
		expect(rig.kernel.bound("1-3")).toEqual(["1-3:1.0"]);
		expect(rig.state("1-3")).toBe("partial");
		expect(rig.kernel.binds.filter((bind) => bind.startsWith("1-3"))).toEqual(["1-3:1.0 usb-storage"]);
	});

	test("behind a hub are judged themselves, and the hub passes (V16)", async () => {
		await rig.run(entry("Allow", hid));
		rig.kernel.plug("1-4", hub);
		await rig.until(() => rig.kernel.bound("1-4").length === 1, "the hub");
		rig.kernel.plug("1-4.1", keyboard);
		rig.kernel.plug("1-4.2", stick);
		await rig.until(() => rig.kernel.bound("1-4.1").length === 1, "the keyboard");
		await rig.settled("1-4.2");
		expect(rig.kernel.authorized("1-4.2")).toBe(false);
	});

	test("that are let in are not looked at again for the events which that caused, but for later ones", async () => {
		await rig.run(entry("Block", massStorage));
		const looks = (name: string) => rig.log.filter((line) => line === `settled ${name}`).length;
		rig.kernel.plug("1-1", keyboard);
		await rig.settled("1-1");
		rig.kernel.plug("1-2", keyboard);
		await rig.settled("1-2");
		expect([rig.kernel.bound("1-1"), looks("1-1")]).toEqual([["1-1:1.0"], 1]);
		rig.kernel.meddle("bus/usb/devices/1-1/uevent", "change");
		await rig.until(() => looks("1-1") === 2, "another look");
	});

	test("that were there at the start are judged too (D11)", async () => {
		rig.kernel.plug("1-1", stick);
		rig.kernel.plug("1-2", badUsb);
		await rig.run(entry("Block", massStorage));
		expect(rig.kernel.authorized("1-1")).toBe(false);
		expect(rig.kernel.bound("1-2")).toEqual(["1-2:1.1"]);
	});

	test("that were there are only reported where presentDevices is audit; a restart opens nothing", async () => {
		rig.config = { ...rig.config, presentDevices: "audit" };
		rig.kernel.plug("1-1", stick);
		await rig.run(entry("Block", massStorage));
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
		rig.kernel.plug("1-2", stick);
		await rig.settled("1-2");
		await rig.restart();
		await rig.run(entry("Block", massStorage));
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
		expect(rig.kernel.authorized("1-2")).toBe(false);
		rig.kernel.unplug("1-1");
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.state("1-1") === "refused", "the stick that was plugged in again");
		expect(rig.kernel.authorized("1-1")).toBe(false);
	});

	test("refused by a policy are authorized again when it goes, every one (D4, D5), also after a restart", async () => {
		await rig.run(entry("Block", massStorage));
		rig.kernel.plug("1-1", stick);
		rig.kernel.plug("1-2", stick);
		rig.kernel.plug("1-3", badUsb);
		for (const name of ["1-1", "1-2", "1-3"]) await rig.settled(name);
		await rig.restart();
		await rig.run(entry("Block", { class: 14 }));
		for (const name of ["1-1", "1-2"]) expect(rig.kernel.bound(name)).toHaveLength(1);
		expect(rig.kernel.bound("1-3")).toHaveLength(2);
		await rig.enforcer.enforce([entry("Block", massStorage)]);
		expect(rig.kernel.authorized("1-1")).toBe(false);
		await rig.restart();
		await rig.run();
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
		expect(rig.enforcer.state.locked).toBe(false);
	});

	test("stay refused when policies are broken and nothing stands in for them, and so do new ones", async () => {
		await rig.run(entry("Block", massStorage));
		rig.kernel.plug("1-1", stick);
		await rig.settled("1-1");
		await rig.restart();
		await rig.enforcer.start();
		await rig.enforcer.enforce([], false);
		rig.kernel.plug("1-2", keyboard);
		await rig.until(() => rig.log.filter((line) => line === "settled 1-2").length > 0, "the keyboard");
		expect([rig.kernel.authorized("1-1"), rig.kernel.authorized("1-2")]).toEqual([false, false]);
		expect(rig.enforcer.state.locked).toBe(true);
		await rig.enforcer.enforce([]);
		expect([rig.kernel.authorized("1-1"), rig.kernel.authorized("1-2")]).toEqual([true, true]);
	});

	test("stay refused when the daemon stops or dies, and so do new ones (D10)", async () => {
		await rig.run(entry("Block", massStorage));
		rig.kernel.plug("1-1", stick);
		await rig.settled("1-1");
		await rig.enforcer.stop();
		rig.kernel.plug("1-2", keyboard);
		expect(rig.kernel.authorized("1-1")).toBe(false);
		expect(rig.kernel.authorized("1-2")).toBe(false);
	});

	test("that somebody else authorizes are refused again (D2), configuration changes included (D3)", async () => {
		await rig.run(entry("Block", hid));
		rig.kernel.plug("1-1", keyboard);
		await rig.settled("1-1");
		rig.kernel.meddle("bus/usb/devices/1-1/authorized", "1");
		await rig.until(() => rig.log.includes("undone 1-1") && !rig.kernel.authorized("1-1"), "the refusal");
		const two: FakeDevice = {
			configurations: [
				[{ triple: [8, 6, 0x50] }],
				[{ triple: [3, 1, 1] }, { number: 1, triple: [8, 6, 0x50] }],
			],
		};
		rig.kernel.plug("1-2", two);
		await rig.settled("1-2");
		rig.kernel.meddle("bus/usb/devices/1-2/bConfigurationValue", "2");
		await rig.until(
			() => rig.kernel.bound("1-2").includes("1-2:2.1") || rig.state("1-2") === "refused",
			"it to be judged",
		);
		expect(rig.kernel.binds.filter((bind) => bind.includes("usbhid"))).toEqual([]);
	});

	test("are found after events were lost (D6), and missed when they are gone", async () => {
		await rig.run(entry("Block", massStorage));
		rig.kernel.delivers = false;
		rig.kernel.plug("1-1", keyboard);
		rig.kernel.plug("1-2", stick);
		rig.kernel.delivers = true;
		rig.kernel.overflow();
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the keyboard");
		await rig.settled("1-2");
		rig.kernel.delivers = false;
		rig.kernel.unplug("1-2");
		rig.kernel.delivers = true;
		rig.kernel.overflow();
		await rig.until(() => rig.log.includes("removed 1-2"), "the removal");
		expect(rig.log.filter((line) => line === "overflow")).toHaveLength(2);
	});

	test("exchanged at one port are never mistaken for each other (D8)", async () => {
		await rig.run(entry("Block", massStorage));
		for (let round = 0; round < 30; round++) {
			rig.kernel.plug("1-1", round % 2 === 0 ? keyboard : stick);
			for (let turns = 0; turns < round % 7; turns++) await Promise.resolve();
			rig.kernel.unplug("1-1");
		}
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.state("1-1") === "refused", "the stick");
		expect(rig.kernel.binds.filter((bind) => bind.includes("usb-storage"))).toEqual([]);
		expect(rig.kernel.authorized("1-1")).toBe(false);
	});
});

describe("devices that hang", () => {
	test("do not delay others, are pending, and do not hold their port (D7)", async () => {
		for (let port = 1; port <= 8; port++) rig.kernel.plug(`1-${port}`, stick);
		const release = Promise.withResolvers<void>();
		for (let port = 1; port <= 8; port++) rig.kernel.hanging.set(`1-${port}`, release.promise);
		await rig.run(entry("Block", massStorage));
		for (let port = 1; port <= 8; port++) expect(rig.log).toContain(`pending 1-${port}`);
		// The eight hang until they are let go below: nothing waits for them.
		rig.kernel.plug("1-9", keyboard);
		await rig.until(() => rig.kernel.bound("1-9").length === 1, "the keyboard");
		rig.kernel.unplug("1-1");
		rig.kernel.plug("1-1", keyboard);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the next device on that port");
		release.resolve();
		await rig.until(() => !rig.kernel.authorized("1-2"), "the write to end");
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
	});
});

describe("the console's keyboard", () => {
	test("is spared while no entry names HID; once plugged in again it is judged", async () => {
		rig.kernel.plug("1-1", keyboard);
		await rig.run(entry("Block", {}));
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
		await rig.restart();
		await rig.run(entry("Block", {}));
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
		await rig.enforcer.enforce([entry("Block", hid)]);
		expect(rig.kernel.authorized("1-1")).toBe(false);
		await rig.enforcer.enforce([entry("Block", {})]);
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
		rig.kernel.unplug("1-1");
		rig.kernel.plug("1-1", keyboard);
		await rig.until(() => rig.state("1-1") === "refused", "it to be judged");
		expect(rig.kernel.authorized("1-1")).toBe(false);
	});

	test("is refused like any other without protectConsoleKeyboard", async () => {
		rig.config = { ...rig.config, protectConsoleKeyboard: false };
		rig.kernel.plug("1-1", keyboard);
		await rig.run(entry("Block", {}));
		expect(rig.kernel.authorized("1-1")).toBe(false);
	});
});

describe("a temporary permission", () => {
	test("lets a refused device through until its time is up, and no other device on its port", async () => {
		await rig.run(entry("Block", massStorage));
		rig.kernel.plug("1-1", stick);
		await rig.settled("1-1");
		expect(rig.enforcer.hand.allow("1-2", 1000)).toMatchObject({ ok: false });
		expect(rig.enforcer.hand.allow("1-1", 200)).toMatchObject({ ok: true });
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		await rig.until(() => !rig.kernel.authorized("1-1"), "the end of the permission");
		expect(rig.enforcer.hand.allow("1-1", 60_000)).toMatchObject({ ok: true });
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		rig.kernel.unplug("1-1");
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.state("1-1") === "refused", "the next stick");
		expect(rig.kernel.authorized("1-1")).toBe(false);
	});
});

describe("without USB", () => {
	test("the enforcer says why, and begins when usbcore comes", async () => {
		await rig.stop();
		rig = new UsbRig({ usb: false });
		await rig.run(entry("Block", massStorage));
		expect(rig.enforcer.state).toMatchObject({
			state: "unavailable",
			reason: expect.stringContaining("/sys/bus/usb"),
		});
		rig.kernel.loadUsbcore();
		await rig.until(() => rig.enforcer.state.state === "active", "the enforcer");
		expect(defaultsOf("usb1")).toEqual(["0", "0"]);
	});

	test("or without events the enforcer is unavailable and writes nothing", async () => {
		rig.kernel.sourceState = { state: "down", reason: "no netlink" };
		await rig.run(entry("Block", massStorage));
		expect(rig.enforcer.state).toMatchObject({
			state: "unavailable",
			reason: expect.stringContaining("no netlink"),
		});
		expect(rig.kernel.writes).toEqual([]);
	});

	test("and events that arrive only later are enough", async () => {
		rig.verifyEvery = 20;
		await rig.restart();
		rig.kernel.sourceState = { state: "down", reason: "no netlink" };
		await rig.run(entry("Block", massStorage));
		expect(rig.enforcer.state.state).toBe("unavailable");
		rig.kernel.sourceState = { state: "listening" };
		await rig.until(() => rig.enforcer.state.state === "active", "the enforcer");
		expect(defaultsOf("usb1")).toEqual(["0", "0"]);
	});

	test("switched off by the settings it is disabled", async () => {
		rig.config = { ...rig.config, enableUSBDeviceHandler: false };
		await rig.run(entry("Block", massStorage));
		expect(rig.enforcer.state.state).toBe("disabled");
		expect(rig.kernel.writes).toEqual([]);
	});
});
