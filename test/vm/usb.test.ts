import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Plugged, plug, type UsbKind, unplugged } from "./lab/devices.ts";
import { plugGadget } from "./lab/gadget.ts";
import {
	below,
	bindsSince,
	driversOf,
	nodesOf,
	setDefaults,
	type UsbTruth,
	untilTruth,
	usbTruth,
} from "./lab/truth.ts";
import { Vm } from "./lab/vm.ts";
import { until } from "./lab/wait.ts";

setDefaultTimeout(180_000);

describe("USB devices in the guest", () => {
	let vm: Vm;
	const plugs: Plugged[] = [];
	beforeAll(async () => {
		vm = await Vm.boot({ flavour: "fast" });
	});
	afterAll(async () => await vm?.stop());
	afterEach(async () => {
		for (const device of plugs.splice(0).reverse()) await device.unplug();
		await settled(
			({ devices }) => ![...devices.keys()].some((name) => /^\d+-/.test(name)),
			"all devices to go",
		);
	});

	async function plugIn(kind: UsbKind, port: string, wait = true): Promise<Plugged> {
		const device = await plug(vm, kind, { port, wait });
		plugs.push(device);
		return device;
	}

	const settled = (condition: (truth: UsbTruth) => boolean, what: string) => untilTruth(vm, condition, what);

	const kinds: readonly [UsbKind, string, string, string][] = [
		["keyboard", "1-1", "usbhid", "input"],
		["mouse", "1-2", "usbhid", "input"],
		["tablet", "1-3", "usbhid", "input"],
		["storage", "2-4", "usb-storage", "block"],
		["uas", "2-5", "uas", "block"],
		["serial", "1-6", "ftdi_sio", "tty"],
		["audio", "1-7", "snd-usb-audio", "sound"],
		["net", "1-8", "cdc_ether|cdc_subset|rndis_host", "net"],
	];
	test.each(kinds)("a %s is %s, bound to %s, with a node in %s", async (kind, name, driver, nodes) => {
		const device = await plugIn(kind, name.slice(2));
		expect(device.name).toBe(name);
		const ready = (now: UsbTruth) =>
			nodesOf(now, name, nodes).length > 0 &&
			[...driversOf(now, name).values()].some((one) => driver.includes(one));
		const truth = await settled(ready, `${driver} and a ${nodes} node`);
		expect(truth.devices.get(name)?.authorized).toBe(true);
		expect(truth.devices.get(name)?.descriptors).toMatch(/^1201/);
		const bound = async () => [...(await bindsSince(vm, name, device.mark)).values()].flat();
		await until(60_000, `a bind to ${driver}`, async () =>
			(await bound()).some((one) => driver.includes(one)),
		);
		plugs.pop();
		await unplugged(vm, device);
		expect((await usbTruth(vm)).devices.has(name)).toBe(false);
	});

	test("a smart card reader has no driver in the kernel, but interfaces", async () => {
		const { name } = await plugIn("ccid", "9");
		const truth = await settled(({ interfaces }) => interfaces.has(`${name}:1.0`), "its interface");
		expect(truth.interfaces.get(`${name}:1.0`)).toMatchObject({
			triple: "0b:00:00",
			driver: undefined,
			authorized: true,
		});
	});

	test("devices behind a hub have names below it and go with it", async () => {
		const hub = await plugIn("hub", "10");
		const keyboard = await plugIn("keyboard", "10.2");
		const mouse = await plugIn("mouse", "10.3");
		expect([hub.name, keyboard.name, mouse.name]).toEqual(["1-10", "1-10.2", "1-10.3"]);
		await settled((now) => nodesOf(now, hub.name, "input").length >= 2, "both input devices");
		await vm.sh("echo 0 > /sys/bus/usb/devices/1-10/authorized");
		const truth = await settled((now) => below(now, hub.name).length === 0, "what is below the hub to go");
		expect(truth.devices.get("1-10")?.authorized).toBe(false);
	});

	test("a locked bus leaves a device without interfaces, nodes and binds, its descriptors readable", async () => {
		await setDefaults(vm, 0, 1);
		const { name, mark } = await plugIn("keyboard", "11");
		await vm.events.uevent(
			(event) => event.action === "bind" && event.name === name,
			"the device's generic driver",
			{ mark },
		);
		const truth = await usbTruth(vm);
		expect(truth.hubs.get("usb1")).toEqual({ devices: "0", interfaces: "1" });
		expect(truth.devices.get(name)).toMatchObject({ authorized: false, driver: "usb" });
		expect(truth.devices.get(name)?.descriptors.length).toBe(2 * (18 + 34));
		expect(below(truth, name)).toEqual([]);
		expect(nodesOf(truth, name)).toEqual([]);
		expect((await bindsSince(vm, name, mark)).size).toBe(0);
		await vm.sh(`echo 1 > /sys/bus/usb/devices/${name}/authorized`);
		await settled((now) => nodesOf(now, name, "input").length > 0, "the keyboard");
		await vm.events.uevent((event) => event.action === "bind" && event.name === `${name}:1.0`, "the bind", {
			mark,
		});
		expect((await bindsSince(vm, name, mark)).get(`${name}:1.0`)).toEqual(["usbhid"]);
		await setDefaults(vm, 1, 1);
	});

	test("a composite gadget is a stick and a keyboard at once, each of them refusable alone", async () => {
		const functions = ["disk", "keyboard", "mouse"];
		const both = await plugGadget(vm, { functions, title: "Nice stick" });
		await settled(
			(now) => nodesOf(now, both.name, "block").length > 0 && nodesOf(now, both.name, "input").length > 1,
			"its disk, keyboard and mouse",
		);
		expect(await vm.sh(`cat /sys/bus/usb/devices/${both.name}/product`)).toBe("Nice stick");
		await both.unplug();
		await settled(({ devices }) => !devices.has(both.name), "it to go");

		await setDefaults(vm, 1, 0);
		const part = await plugGadget(vm, { functions });
		const disk = `${part.name}:1.0`;
		await settled(({ interfaces }) => interfaces.has(disk), "its interfaces");
		await vm.sh(
			`echo 1 > /sys/bus/usb/devices/${disk}/authorized; echo ${disk} > /sys/bus/usb/drivers_probe`,
		);
		const truth = await settled((now) => nodesOf(now, part.name, "block").length > 0, "its disk");
		expect([...driversOf(truth, part.name)]).toEqual([[0, "usb-storage"]]);
		expect(nodesOf(truth, part.name, "input")).toEqual([]);
		await vm.events.uevent((event) => event.action === "bind" && event.name === disk, "the bind", {
			mark: part.mark,
		});
		expect([...(await bindsSince(vm, part.name, part.mark)).keys()]).toEqual([disk]);
		await part.unplug();
		await setDefaults(vm, 1, 1);
	});

	test("with udev in place of loaded drivers, plugging loads them", async () => {
		await vm.stop();
		vm = await Vm.boot({ flavour: "fast", udev: true, append: "usbcore.authorized_default=0" });
		const { name } = await plugIn("keyboard", "1");
		expect((await usbTruth(vm)).devices.get(name)?.authorized).toBe(false);
		expect((await vm.run("[ -d /sys/module/usbhid ]")).code).toBe(1);
		await vm.sh(`echo 1 > /sys/bus/usb/devices/${name}/authorized`);
		await settled((now) => nodesOf(now, name, "input").length > 0, "the keyboard");
	});
});
