import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
	configuration,
	deviceDescriptor,
	diskInterface,
	interfaceDescriptor,
	keyboardInterface,
	keyboardReport,
} from "./lab/descriptors.ts";
import { Hostile, type HostileDevice } from "./lab/hostile.ts";
import { below, bindsSince, driversOf, nodesOf, type UsbTruth, usbTruth } from "./lab/truth.ts";
import { Vm } from "./lab/vm.ts";
import { until } from "./lab/wait.ts";

setDefaultTimeout(180_000);

/** GET_DESCRIPTOR for the report descriptor of interface 0. */
const reportRule = { setup: "81060022........", reply: keyboardReport };

function keyboard(options: Partial<HostileDevice> = {}): HostileDevice {
	return {
		device: deviceDescriptor({ strings: { product: 2 } }),
		configurations: [configuration([keyboardInterface(0)])],
		strings: { 2: "Plain keyboard" },
		rules: [reportRule],
		...options,
	};
}

const muteDevice = keyboard({ rules: [{ setup: "................", reply: "hang" }], trace: true });

describe("hostile devices in the guest", () => {
	let vm: Vm;
	let hostile: Hostile;
	beforeAll(async () => {
		vm = await Vm.boot({ flavour: "fast" });
		hostile = await Hostile.start(vm);
	}, 400_000);
	afterAll(async () => await vm?.stop());

	function settled(condition: (truth: UsbTruth) => boolean, what: string, ms = 60_000): Promise<UsbTruth> {
		return until(ms, what, async () => {
			const truth = await usbTruth(vm);
			return condition(truth) ? truth : undefined;
		});
	}
	const lock = (value: 0 | 1) =>
		vm.sh(`for hub in /sys/bus/usb/devices/usb*; do
			echo ${value} | tee $hub/authorized_default $hub/interface_authorized_default
		done`);
	const gone = (name: string) => settled(({ devices }) => !devices.has(name), `${name} to go`);

	test("a keyboard types", async () => {
		const device = await hostile.plug(keyboard());
		const ready = (now: UsbTruth) =>
			driversOf(now, device.name).get(0) === "usbhid" &&
			nodesOf(now, device.name, "input").some(({ name }) => name.startsWith("event"));
		const truth = await settled(ready, "an input node");
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
		await gone(device.name);
	});

	test("an interface hides its class in an altsetting", async () => {
		const hidden = interfaceDescriptor({ number: 0, class: 0xff, subClass: 1, protocol: 1 });
		const device = await hostile.plug(
			keyboard({ configurations: [configuration([hidden, keyboardInterface(0, 1)])] }),
		);
		const truth = await settled(({ interfaces }) => interfaces.has(`${device.name}:1.0`), "its interface");
		expect(truth.interfaces.get(`${device.name}:1.0`)?.triple).toBe("ff:01:01");
		expect(truth.devices.get(device.name)?.descriptors).toContain(
			Buffer.from(keyboardInterface(0, 1)).toString("hex"),
		);
		await hostile.unplug(device);
		await gone(device.name);
	});

	test("control characters and line ends in strings reach sysfs", async () => {
		const text = "\x1b[31mred\x1b[0m\nLevel=0 \u202e";
		const device = await hostile.plug(keyboard({ strings: { 2: text } }));
		await settled(({ interfaces }) => interfaces.has(`${device.name}:1.0`), "its interface");
		expect(await vm.sh(`cat /sys/bus/usb/devices/${device.name}/product`)).toBe(text);
		await hostile.unplug(device);
		await gone(device.name);
	});

	test("descriptors lie: the kernel shows what was sent, as far as it believes it", async () => {
		const lie = configuration([keyboardInterface(0)], { interfaces: 9 });
		const endless = configuration([keyboardInterface(0), Uint8Array.of(0, 4, 0, 0)]);
		// The kernel shows the part that it has parsed: it stops at the descriptor without a length.
		const shown = [lie, endless.subarray(0, -4)];
		const devices = await hostile.plugAll([lie, endless].map((one) => keyboard({ configurations: [one] })));
		for (const [index, device] of devices.entries()) {
			const truth = await settled(({ interfaces }) => interfaces.has(`${device.name}:1.0`), "its interface");
			const sent = Buffer.from(shown[index] ?? []).toString("hex");
			expect(truth.devices.get(device.name)?.descriptors).toEndWith(sent);
		}
		await hostile.unplugAll(devices);
		for (const device of devices) await gone(device.name);
	});

	test("a device that answers differently later: the kernel keeps what it read first", async () => {
		const innocent = configuration([
			interfaceDescriptor({ number: 0, class: 0xff, subClass: 0, protocol: 0 }),
		]);
		// The head and the whole are read once each.
		const rules = [
			{ setup: "8006000200000900", reply: innocent, once: true },
			{ setup: "80060002........", reply: innocent, once: true },
			reportRule,
		];
		const device = await hostile.plug(keyboard({ rules, trace: true }));
		await settled(({ interfaces }) => interfaces.has(`${device.name}:1.0`), "its interface");
		await vm.sh(`cd /sys/bus/usb/devices/${device.name}; echo 0 > authorized; echo 1 > authorized`);
		const truth = await settled(({ interfaces }) => interfaces.has(`${device.name}:1.0`), "its interface");
		expect(truth.interfaces.get(`${device.name}:1.0`)?.triple).toBe("ff:00:00");
		expect(hostile.requests(device).filter((setup) => setup.startsWith("80060002"))).toHaveLength(2);
		await hostile.unplug(device);
		await gone(device.name);
	});

	test("a disk works, and one that stops answering holds a sysfs write", async () => {
		const disk = (commands: number): HostileDevice => ({
			device: deviceDescriptor({ product: 0x5567 }),
			configurations: [configuration([diskInterface(0)])],
			disk: { commands, in: 0x81, out: 0x01 },
		});
		const good = await hostile.plug(disk(1_000_000));
		await settled((now) => nodesOf(now, good.name, "block").length > 0, "a disk");
		await hostile.unplug(good);
		await gone(good.name);

		// A first command that is not answered is given up after 20 s; here sooner.
		await vm.sh("echo 3 > /sys/module/scsi_mod/parameters/inq_timeout");
		const hung = await hostile.plug(disk(0));
		await hostile.hung(hung);
		const other = await hostile.plug(keyboard());
		const writer = vm.spawn(`echo 0 > /sys/bus/usb/devices/${hung.name}/authorized; echo written`);
		// What is read to tell the truth does not wait for the device, and neither does another device.
		const truth = await settled((now) => nodesOf(now, other.name, "input").length > 0, "the other device");
		expect(truth.devices.has(hung.name)).toBe(true);
		expect(writer.output().stdout).toBe("");
		// Pulling it out does not end the wait; the disk driver's time limit does.
		await hostile.unplugAll([hung, other]);
		expect((await writer.exited).stdout).toBe("written\n");
		await gone(hung.name);
		await gone(other.name);
	});

	test("a hundred devices come at once and go at once, none of them lost", async () => {
		await lock(0);
		const devices = await hostile.plugAll(Array.from({ length: 100 }, () => keyboard()));
		expect(new Set(devices.map(({ name }) => name)).size).toBe(100);
		const all = (now: UsbTruth) => devices.every(({ name }) => now.devices.has(name));
		const truth = await settled(all, "all hundred", 120_000);
		for (const { name } of devices) expect(below(truth, name)).toEqual([]);
		const [first] = devices;
		expect(first && (await bindsSince(vm, first.name, first.mark)).size).toBe(0);
		await hostile.unplugAll(devices);
		await settled((now) => !devices.some(({ name }) => now.devices.has(name)), "all of them to go", 120_000);
		expect(vm.events.since(0).filter((event) => event.kind === "lost")).toEqual([]);
		await lock(1);
	});

	test("a device that does not answer at all is not there; devices on other controllers are", async () => {
		const mute = await hostile.plug(muteDevice);
		await until(60_000, "the kernel to ask", () => hostile.requests(mute).length > 0);
		// The kernel enumerates one device at a time on a controller: port 30 is the first of the second one.
		const other = await hostile.plug(keyboard({ port: 30 }));
		await settled((now) => nodesOf(now, other.name, "input").length > 0, "the other device");
		expect((await usbTruth(vm)).devices.has(mute.name)).toBe(false);
		await hostile.unplug(other);
		await gone(other.name);

		// Whether a device is authorized is decided when the kernel begins to enumerate what is at a port: one that
		// stalls until the bus is locked, and then goes on, comes up authorized. The lock on interfaces still holds.
		await lock(0);
		await hostile.unplug(mute);
		// While the kernel still waits for the answer of the one that has gone.
		const late = await hostile.plug(keyboard({ port: mute.port }));
		const truth = await settled(({ interfaces }) => interfaces.has(`${late.name}:1.0`), "its interface");
		expect(truth.devices.get(late.name)?.authorized).toBe(true);
		expect(truth.interfaces.get(`${late.name}:1.0`)).toMatchObject({ authorized: false, driver: undefined });
		await hostile.unplug(late);
		await gone(late.name);
		await lock(1);
	});

	test("the kernel has reported no bug", () => {
		expect(vm.events.kernelLog().filter((line) => /BUG|Oops|WARNING|Call Trace/.test(line))).toEqual([]);
	});
});
