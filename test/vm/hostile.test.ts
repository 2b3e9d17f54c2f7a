import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { configuration, interfaceDescriptor, keyboardInterface } from "./lab/descriptors.ts";
import { Hostile } from "./lab/hostile.ts";
import { Trace } from "./lab/trace.ts";
import {
	below,
	bindsSince,
	driversOf,
	nodesOf,
	setDefaults,
	type UsbTruth,
	untilGone,
	untilTruth,
	usbTruth,
} from "./lab/truth.ts";
import { Vm } from "./lab/vm.ts";
import { until } from "./lab/wait.ts";
import * as zoo from "./lab/zoo.ts";

setDefaultTimeout(180_000);

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("hostile devices in the guest", () => {
	let vm: Vm;
	let hostile: Hostile;
	beforeAll(async () => {
		vm = await Vm.boot({ flavour: "fast" });
		hostile = await Hostile.start(vm);
	});
	afterAll(async () => await vm?.stop());

	const hasInterface = (name: string, number = 0) =>
		untilTruth(
			vm,
			({ interfaces }) => interfaces.has(`${name}:1.${number}`),
			`interface ${number} of ${name}`,
		);
	const hasNode = (name: string, nodes: string) =>
		untilTruth(vm, (now) => nodesOf(now, name, nodes).length > 0, `a ${nodes} node of ${name}`);

	test("a keyboard types", async () => {
		const device = await hostile.plug(zoo.keyboard());
		const ready = (now: UsbTruth) =>
			driversOf(now, device.name).get(0) === "usbhid" &&
			nodesOf(now, device.name, "input").some(({ name }) => name.startsWith("event"));
		const truth = await untilTruth(vm, ready, "an input node");
		const event = nodesOf(truth, device.name, "input").find((node) => node.name.startsWith("event"))?.name;
		// A press and its release, three input events each.
		const reader = vm.spawn(`dd if=/dev/input/${event ?? "none"} bs=24 count=6 | od -v -An -tx1 -w24`);
		await until(60_000, "six input events", async () => {
			for (const key of [4, 0]) await hostile.send(device, 0x81, Uint8Array.of(0, 0, key, 0, 0, 0, 0, 0));
			return reader.lines.items.length >= 6;
		});
		// struct input_event after its time: EV_KEY (1), KEY_A (30), pressed (1).
		expect(reader.lines.items.some((line) => line.endsWith(" 01 00 1e 00 01 00 00 00"))).toBe(true);
		await reader.exited;
		await hostile.unplug(device);
		await untilGone(vm, device.name);
	});

	test("a stick that is a keyboard gets a disk and an input node", async () => {
		const device = await hostile.plug(zoo.badUsb());
		await hasNode(device.name, "block");
		const truth = await hasNode(device.name, "input");
		expect([...driversOf(truth, device.name)]).toEqual([
			[0, "usb-storage"],
			[1, "usbhid"],
		]);
		await hostile.unplug(device);
		await untilGone(vm, device.name);
	});

	test("an interface hides its class in an altsetting", async () => {
		const device = await hostile.plug(zoo.hiddenKeyboard());
		const truth = await hasInterface(device.name);
		expect(truth.interfaces.get(`${device.name}:1.0`)?.triple).toBe("ff:01:01");
		expect(truth.devices.get(device.name)?.descriptors).toContain(hex(keyboardInterface(0, 1)));
		await hostile.unplug(device);
		await untilGone(vm, device.name);
	});

	test("a second configuration makes the disk a keyboard", async () => {
		const device = await hostile.plug(zoo.twoConfigurations());
		await untilTruth(vm, (now) => driversOf(now, device.name).get(0) === "usb-storage", "a disk");
		await vm.sh(`echo 2 > /sys/bus/usb/devices/${device.name}/bConfigurationValue`);
		await hasNode(device.name, "input");
		await hostile.unplug(device);
		await untilGone(vm, device.name);
	});

	test("control characters and line ends in strings reach sysfs", async () => {
		const device = await hostile.plug(zoo.loudKeyboard());
		await hasInterface(device.name);
		expect(await vm.sh(`cat /sys/bus/usb/devices/${device.name}/product`)).toBe(
			"Keyboard\nAction=Allow\x1b[31m",
		);
		await hostile.unplug(device);
		await untilGone(vm, device.name);
	});

	test("devices of plain kinds enumerate with the triples that they announce", async () => {
		const devices = await hostile.plugAll([zoo.mouse(), zoo.webcam(), zoo.vendorKeyboard()]);
		const triples = [["03:01:02"], ["0e:01:00", "0e:02:00", "01:01:00"], ["03:01:01"]];
		for (const [index, device] of devices.entries()) {
			const expected = triples[index] ?? [];
			const truth = await hasInterface(device.name, expected.length - 1);
			const seen = expected.map((_, number) => truth.interfaces.get(`${device.name}:1.${number}`)?.triple);
			expect(seen).toEqual(expected);
		}
		await hostile.unplugAll(devices);
		for (const device of devices) await untilGone(vm, device.name);
	});

	test("descriptors lie: the kernel takes each for what it can, and shows the part that it has parsed", async () => {
		const entries = Object.entries(zoo.lies);
		const mark = vm.events.mark();
		const devices = await hostile.plugAll(entries.map(([, one]) => zoo.keyboard({ configurations: [one] })));
		for (const { name } of devices)
			await vm.events.uevent((event) => event.action === "bind" && event.name === name, `${name}`, { mark });
		const { devices: seen } = await usbTruth(vm);
		const shown = (what: string) => {
			const index = entries.findIndex(([name]) => name === what);
			return seen.get(devices[index]?.name ?? "")?.descriptors.slice(36);
		};
		const whole = zoo.lies["counts nine interfaces"] ?? new Uint8Array();
		expect(shown("counts nine interfaces")).toBe(hex(whole));
		const endless = zoo.lies["ends in a descriptor without length"] ?? new Uint8Array();
		expect(shown("ends in a descriptor without length")).toBe(hex(endless.subarray(0, -4)));
		await hostile.unplugAll(devices);
		for (const { name } of devices) await untilGone(vm, name);
	});

	test("a device that answers differently later: the kernel keeps what it read first", async () => {
		const innocent = configuration([
			interfaceDescriptor({ number: 0, class: 0xff, subClass: 0, protocol: 0 }),
		]);
		// The head and the whole are read once each.
		const rules = [
			{ setup: "8006000200000900", reply: innocent, once: true },
			{ setup: "80060002........", reply: innocent, once: true },
		];
		const device = await hostile.plug(zoo.keyboard({ rules, trace: true }));
		await hasInterface(device.name);
		await vm.sh(`cd /sys/bus/usb/devices/${device.name}; echo 0 > authorized; echo 1 > authorized`);
		const truth = await hasInterface(device.name);
		expect(truth.interfaces.get(`${device.name}:1.0`)?.triple).toBe("ff:00:00");
		const reads = hostile.requests(device).filter((setup) => setup.startsWith("80060002"));
		expect(reads).toHaveLength(2);
		await hostile.unplug(device);
		await untilGone(vm, device.name);
	});

	test("the order of writes and drivers is traced in the kernel", async () => {
		await setDefaults(vm, 0, 0);
		const trace = await Trace.start(vm);
		const device = await hostile.plug(zoo.badUsb());
		await untilTruth(vm, ({ devices }) => devices.has(device.name), "the device");
		const [disk, keys] = [`${device.name}:1.0`, `${device.name}:1.1`];
		await vm.sh(`cd /sys/bus/usb/devices
			echo 1 > ${device.name}/authorized; echo 1 > ${disk}/authorized; echo ${disk} > ../drivers_probe`);
		await untilTruth(vm, (now) => driversOf(now, device.name).get(0) === "usb-storage", "the disk's driver");
		const events = await trace.events();
		const writes = events.filter(({ what }) => ["authorized", "interface", "drivers_probe"].includes(what));
		expect(writes.map(({ what, name, value }) => [what, name, value])).toEqual([
			["authorized", device.name, "1"],
			["interface", disk, "1"],
			["drivers_probe", "usb", disk],
		]);
		const last = events.findLastIndex(({ what }) => what === "drivers_probe");
		const after = events.slice(last + 1).filter(({ name }) => name === disk);
		expect(after.map(({ what }) => what)).toEqual(["probe", "bound"]);
		const [added] = vm.events.uevents(
			({ action, name }) => action === "add" && name === device.name,
			device.mark,
		);
		expect(added?.at).toBeLessThan(writes[0]?.at ?? 0);
		expect(events.findIndex(({ what, name }) => what === "add" && name === device.name)).toBe(0);
		expect((await bindsSince(vm, device.name, device.mark)).has(keys)).toBe(false);
		await trace.stop();
		await hostile.unplug(device);
		await untilGone(vm, device.name);
		await setDefaults(vm, 1, 1);
	});

	test("a disk that stops answering holds a sysfs write", async () => {
		// A first command that is not answered is given up after 20 s; here sooner.
		await vm.sh("echo 3 > /sys/module/scsi_mod/parameters/inq_timeout");
		const hung = await hostile.plug(zoo.disk(0));
		await hostile.hung(hung);
		const other = await hostile.plug(zoo.keyboard());
		const writer = vm.spawn(`echo 0 > /sys/bus/usb/devices/${hung.name}/authorized; echo written`);
		// What is read to tell the truth does not wait for the device, and neither does another device.
		const truth = await hasNode(other.name, "input");
		expect(truth.devices.has(hung.name)).toBe(true);
		expect(writer.output().stdout).toBe("");
		// Pulling it out does not end the wait; the disk driver's time limit does.
		await hostile.unplugAll([hung, other]);
		expect((await writer.exited).stdout).toBe("written\n");
		await untilGone(vm, hung.name);
		await untilGone(vm, other.name);
	});

	test("a hundred devices come at once and go at once, none of them lost", async () => {
		await setDefaults(vm, 0, 1);
		const devices = await hostile.plugAll(Array.from({ length: 100 }, () => zoo.keyboard()));
		expect(new Set(devices.map(({ name }) => name)).size).toBe(100);
		const all = (now: UsbTruth) => devices.every(({ name }) => now.devices.has(name));
		const truth = await untilTruth(vm, all, "all hundred", 120_000);
		for (const { name } of devices) expect(below(truth, name)).toEqual([]);
		const mark = devices[0]?.mark ?? 0;
		await hostile.unplugAll(devices);
		const none = (now: UsbTruth) => !devices.some(({ name }) => now.devices.has(name));
		await untilTruth(vm, none, "all of them to go", 120_000);
		await vm.barrier();
		const names = new Set(devices.map(({ name }) => name));
		for (const action of ["add", "remove"])
			expect(
				vm.events.uevents((event) => event.action === action && names.has(event.name), mark),
			).toHaveLength(100);
		expect(vm.events.since(0).filter((event) => event.kind === "lost")).toEqual([]);
		await setDefaults(vm, 1, 1);
	});

	test("a device that does not answer at all is not there; devices on other controllers are", async () => {
		const mute = await hostile.plug(zoo.mute({ trace: true }));
		await until(60_000, "the kernel to ask", () => hostile.requests(mute).length > 0);
		// The kernel enumerates one device at a time on a controller: port 30 is the first of the second one.
		const other = await hostile.plug(zoo.keyboard({ port: 30 }));
		await hasNode(other.name, "input");
		expect((await usbTruth(vm)).devices.has(mute.name)).toBe(false);
		await hostile.unplug(other);
		await untilGone(vm, other.name);

		// Whether a device is authorized is decided when the kernel begins to enumerate what is at a port: one that
		// stalls until the bus is locked, and then goes on, comes up authorized. The lock on interfaces still holds.
		await setDefaults(vm, 0, 0);
		await hostile.unplug(mute);
		// While the kernel still waits for the answer of the one that has gone.
		const late = await hostile.plug(zoo.keyboard({ port: mute.port }));
		const truth = await hasInterface(late.name);
		expect(truth.devices.get(late.name)?.authorized).toBe(true);
		expect(truth.interfaces.get(`${late.name}:1.0`)).toMatchObject({ authorized: false, driver: undefined });
		await hostile.unplug(late);
		await untilGone(vm, late.name);
		await setDefaults(vm, 1, 1);
	});

	test("the kernel has reported no bug", () => {
		expect(vm.events.kernelLog().filter((line) => /BUG|Oops|WARNING|Call Trace/.test(line))).toEqual([]);
	});
});
