/** Devices as people really have them: several configurations, descriptors that are cut off, many functions in one. */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import field from "../fixtures/usb-devices.json";
import {
	configuration,
	deviceDescriptor,
	diskInterface,
	join,
	keyboardInterface,
} from "./lab/descriptors.ts";
import type { HostileDevice, HostilePlugged } from "./lab/hostile.ts";
import { devicePolicy } from "./lab/portward.ts";
import { Trace } from "./lab/trace.ts";
import { bindsSince, driversOf, nodesOf, type UsbTruth, usbTruth } from "./lab/truth.ts";
import * as zoo from "./lab/zoo.ts";
import { boundUnpermitted, Product } from "./support/product.ts";
import { manyDevices, refusedIn, type Shape } from "./support/usb-shapes.ts";

setDefaultTimeout(240_000);

const block = "hostDefaultDevicePosture: block\n";
const noSticks = { sticks: devicePolicy("no-sticks", "Block", "class: MASS-STORAGE") };

/** A device that sends the bytes of the file, each configuration padded with zeros to what it says that it has. */
function fieldDevice(name: string): HostileDevice {
	const bytes = Buffer.from(field.find((item) => item.name === name)?.descriptors ?? "", "hex");
	const configurations: Uint8Array[] = [];
	for (let at = 18; at < bytes.length; at += 0) {
		let end = at + (bytes[at] ?? 1);
		while (end < bytes.length && bytes[end + 1] !== 2) end += bytes[end] || bytes.length;
		configurations.push(bytes.subarray(at, Math.min(end, bytes.length)));
		at = end;
	}
	return { device: bytes.subarray(0, 18), configurations };
}

/** The configuration says that it is so many bytes longer than what comes. */
function cutOff(one: Uint8Array, missing: number): Uint8Array {
	const copy = Uint8Array.from(one);
	const total = copy.length + missing;
	copy[2] = total & 255;
	copy[3] = total >> 8;
	return copy;
}

interface Wanted {
	readonly name: string;
	readonly told: string;
	readonly whole: boolean;
	/** Interface names. */
	readonly refused: readonly string[];
}

function wantedOf({ name }: HostilePlugged, shape: Shape | undefined, code: number): Wanted {
	if (shape === undefined) throw new Error("a device without a shape");
	const { whole, refused } = refusedIn(shape, code);
	const told = `${name} ${JSON.stringify(shape.configurations)}`;
	return { name, told, whole, refused: [...refused].map((one) => `${name}:${one}`) };
}

function isAsWanted(now: UsbTruth, { name, whole, refused }: Wanted): boolean {
	const device = now.devices.get(name);
	if (device?.authorized !== !whole) return false;
	const there = [...now.interfaces.values()].filter((item) => item.name.startsWith(`${name}:`));
	return (
		whole || (there.length > 0 && there.every((item) => item.authorized !== refused.includes(item.name)))
	);
}

describe("portward and the devices that people have", () => {
	let product: Product;
	beforeAll(async () => {
		product = await Product.boot();
	});
	afterAll(async () => await product?.stop());
	afterEach(async () => await product.clear());

	const configure = (device: HostilePlugged, value: number) =>
		product.vm.sh(`echo ${value} > /sys/bus/usb/devices/${device.name}/bConfigurationValue`);
	const open = ({ interfaces }: UsbTruth, device: HostilePlugged) =>
		[...interfaces.values()]
			.filter(({ name, authorized }) => authorized && name.startsWith(`${device.name}:`))
			.map(({ name }) => name.slice(device.name.length + 1))
			.sort();
	/** Waits until exactly these interfaces of the configuration in force may be used: "1.0". */
	const works = (device: HostilePlugged, configured: number, ...wanted: string[]) =>
		product.settled(
			(now) => {
				const there = [...now.interfaces.keys()].filter((name) => name.startsWith(`${device.name}:`));
				const inForce =
					there.length > 0 && there.every((name) => name.startsWith(`${device.name}:${configured}.`));
				return inForce && open(now, device).join() === wanted.join();
			},
			`${device.name} to have ${wanted.join(" ")} of configuration ${configured}`,
		);

	test("consoles: a cut-off keyboard and a KVM keep their keys, and the KVM's disk is refused", async () => {
		// Before the first start, so that they are the console's.
		const [cut, padded, kvm, plain] = await product.plugHostile(
			zoo.keyboard({ configurations: [cutOff(configuration([keyboardInterface(0)]), 281)] }),
			zoo.keyboard({
				configurations: [join(cutOff(configuration([keyboardInterface(0)]), 18), new Uint8Array(18))],
			}),
			zoo.badUsb(),
			fieldDevice("KVM: keyboard, mouse and disk in one"),
		);
		if (!cut || !padded || !kvm || !plain) throw new Error("unreachable");
		for (const device of [cut, padded, kvm]) await product.node(device, "input");
		await product.enforce({ audio: devicePolicy("audio", "Allow", "class: AUDIO") }, block);
		const truth = await product.settled(
			(now) => nodesOf(now, kvm.name, "block").length === 0,
			"the KVM's disk to go",
		);
		for (const device of [cut, padded, kvm])
			expect(nodesOf(truth, device.name, "input").length).toBeGreaterThan(0);
		await works(plain, 1, "1.0", "1.1");
		expect((await product.daemon.state(kvm.name, "partial")).reason).toMatch(/console's keyboard/);
		const { odd } = await product.daemon.state(cut.name, "authorized");
		expect(odd).toEqual(["configuration 1 says that it is 281 bytes longer than it is"]);
	});

	test("phones, adapters and odd descriptors work as far as they may, in every configuration", async () => {
		await product.enforce({ image: devicePolicy("image", "Allow", "class: IMAGE") }, block);
		const phone = await product.plugOne(fieldDevice("phone with four configurations"));
		await works(phone, 1, "1.0");
		for (const value of [3, 4]) {
			await configure(phone, value);
			await works(phone, value, `${value}.0`);
		}
		await configure(phone, 2);
		await works(phone, 2);
		await configure(phone, 1);
		await works(phone, 1, "1.0");

		const cdc = devicePolicy("cdc", "Allow", "class: COMMUNICATION-CDC", "class: CDC-DATA");
		await product.enforce({ cdc }, block);
		const adapter = await product.plugOne(fieldDevice("gigabit network adapter"));
		await works(adapter, 2, "2.0", "2.1");
		await configure(adapter, 1);
		await works(adapter, 1);
		expect((await usbTruth(product.vm)).devices.get(adapter.name)?.authorized).toBe(true);

		await product.enforce({ hid: devicePolicy("hid", "Allow", "class: HID") }, block);
		const mouse = await product.plugOne(fieldDevice("mouse with a rest of zero length"));
		await works(mouse, 1, "1.0", "1.1");

		await product.enforce({ vendor: devicePolicy("vendor", "Block", "class: VENDOR-SPECIFIC") });
		await product.expectRefused(
			await product.plugOne(fieldDevice("card reader that hides behind the vendor class")),
		);
		await product.enforce(noSticks);
		const reader = await product.plugOne(fieldDevice("card reader that hides behind the vendor class"));
		await works(reader, 1, "1.0");
	});

	test("a keyboard in one configuration and a disk in the other: 1, 2, 1, 2, and no disk is ever met", async () => {
		await product.enforce(noSticks);
		const trace = await Trace.start(product.vm);
		const device = await product.plugOne(
			zoo.keyboard({
				device: deviceDescriptor({ configurations: 2 }),
				configurations: [
					configuration([keyboardInterface(0)]),
					configuration([diskInterface(0)], { value: 2 }),
				],
			}),
		);
		await works(device, 1, "1.0");
		for (const value of [1, 2, 1, 2, 1]) {
			await configure(device, value);
			await works(device, value, ...(value === 1 ? ["1.0"] : []));
			if (value === 1) await product.node(device, "input");
			else expect([...driversOf(await usbTruth(product.vm), device.name)]).toEqual([]);
		}
		expect(Object.keys(Object.fromEntries(await bindsSince(product.vm, device.name, device.mark)))).toEqual([
			`${device.name}:1.0`,
		]);
		expect(boundUnpermitted(await trace.events(), device.name)).toEqual([]);
		await trace.stop();
		const list = await product.vm.sh(`/run/portward usb list --blocked`);
		expect(list).toContain(device.name);
		expect(list).toContain(
			"configuration 2, interface 0: MASS-STORAGE 6/80, Block by no-sticks, refused by the policy",
		);
	});

	test("random devices, policies and switches: no refused function meets a driver, and what is permitted may", async () => {
		await product.enforce({ one: devicePolicy("one", "Block", "class: MASS-STORAGE") });
		const shapes = manyDevices(8);
		const trace = await Trace.start(product.vm);
		const plugged = await product.plugHostile(...shapes.map((shape) => shape.device));
		await product.agreed();
		for (const [round, code] of [8, 3, 8].entries()) {
			const name = code === 3 ? "HID" : "MASS-STORAGE";
			await product.enforce({ one: devicePolicy("one", "Block", `class: ${name}`) });
			const wanted = plugged.map((device, index) => wantedOf(device, shapes[index], code));
			const wrong = (now: UsbTruth) =>
				wanted.filter((item) => !isAsWanted(now, item)).map(({ told }) => told);
			await product.settled((now) => wrong(now).length === 0, `everything without ${name}`);
			await product.vm.barrier();
			const mark = product.vm.events.mark();
			// Every device that may be used comes up in another configuration.
			const script = plugged.map((device, index) => {
				const value = 1 + (round % (shapes[index]?.configurations.length ?? 1));
				return `echo ${value} > /sys/bus/usb/devices/${device.name}/bConfigurationValue`;
			});
			await product.vm.sh(`{ ${script.join("; ")}; } 2>/dev/null || true`);
			await product.settled((now) => wrong(now).length === 0, `everything without ${name} after the switch`);
			await product.vm.barrier();
			const binds = product.vm.events.uevents(
				({ action, properties }) => action === "bind" && properties.get("DEVTYPE") === "usb_interface",
				mark,
			);
			const refused = wanted.flatMap((item) => (item.whole ? [`${item.name}:`] : item.refused));
			expect(binds.filter((bind) => refused.some((one) => bind.name.startsWith(one)))).toEqual([]);
		}
		const events = await trace.events();
		for (const device of plugged) expect(boundUnpermitted(events, device.name)).toEqual([]);
		await trace.stop();
	});

	test("the kernel has reported no bug", () => {
		const bugs = /BUG|Oops|WARNING|Call Trace/;
		expect(product.vm.events.kernelLog().filter((line) => bugs.test(line))).toEqual([]);
	});
});
