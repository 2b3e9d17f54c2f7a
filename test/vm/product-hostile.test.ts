/** The shipped file against devices that lie, hide, hang and come by the hundred. The verdict is the kernel's. */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { configuration, deviceDescriptor, diskInterface, keyboardInterface } from "./lab/descriptors.ts";
import { devicePolicy, GuestDaemon } from "./lab/portward.ts";
import { bindsSince, nodesOf, type UsbTruth, usbTruth } from "./lab/truth.ts";
import { until } from "./lab/wait.ts";
import * as zoo from "./lab/zoo.ts";
import { type Named, Product, patience } from "./support/product.ts";
import { shrinkBuffer, shrinkBufferFile } from "./support/shrink-buffer.ts";

setDefaultTimeout(240_000);

const noSticks = { sticks: devicePolicy("no-sticks", "Block", "class: MASS-STORAGE") };
const noHid = { hid: devicePolicy("no-hid", "Block", "class: HID") };
const onlySticks = { sticks: devicePolicy("only-sticks", "Allow", "class: MASS-STORAGE") };
const block = "hostDefaultDevicePosture: block\n";

describe("portward and hostile devices", () => {
	let product: Product;
	beforeAll(async () => {
		product = await Product.boot(shrinkBufferFile());
	});
	afterAll(async () => await product?.stop());
	let leaveHanging = false;
	afterEach(async () => {
		if (!leaveHanging) await product.clear();
	});

	/** The drivers that the device's interfaces have met since it was plugged, by interface. */
	const met = async (device: Named) =>
		Object.fromEntries(await bindsSince(product.vm, device.name, device.mark));

	test("controllers that come after the lock are locked before they have a device (D9)", async () => {
		await product.enforce(noSticks);
		// Sixteen root hubs, and on them at once what is refused.
		const devices = await product.plugHostile(zoo.disk(), zoo.disk(), zoo.keyboard());
		await product.node(devices[2] ?? { name: "", mark: 0 }, "input");
		for (const device of devices.slice(0, 2)) await product.expectRefused(device);
		await product.expectLocked();
		expect((await usbTruth(product.vm)).hubs.size).toBeGreaterThanOrEqual(16);
	});

	test("BadUSB: its disk works, its keyboard never meets a driver and nobody hears it type (V9)", async () => {
		await product.enforce(onlySticks, block);
		const device = await product.plugOne(zoo.badUsb());
		const truth = await product.node(device, "block");
		await product.daemon.state(device.name, "partial");
		expect(truth.interfaces.get(`${device.name}:1.1`)).toMatchObject({
			authorized: false,
			driver: undefined,
		});
		expect(await met(device)).toEqual({ [`${device.name}:1.0`]: ["usb-storage"] });
		expect(nodesOf(await usbTruth(product.vm), device.name, "input")).toEqual([]);
		const keys = Uint8Array.of(0, 0, 4, 0, 0, 0, 0, 0);
		expect(await (await product.devices()).send(device, 0x82, keys)).toBe(false);
		const alert = await product.alert(device, ({ Result }) => Result === "Permission denied");
		expect(alert).toMatchObject({ Resource: "USB HID", PolicyName: "DefaultPosture", Action: "Block" });
		expect(alert.EventData).toMatchObject({ Class: "3", SubClass: "1", Protocol: "1", Interface: "1" });
		// Binding it by hand fails as well.
		const bind = await product.vm.run(`echo ${device.name}:1.1 > /sys/bus/usb/drivers/usbhid/bind`);
		expect(bind.code).not.toBe(0);
	});

	test("BadUSB the other way round: its keyboard works, its disk does not exist", async () => {
		await product.enforce(noSticks);
		const device = await product.plugOne(zoo.badUsb());
		await product.node(device, "input");
		await product.daemon.state(device.name, "partial");
		expect(await met(device)).toEqual({ [`${device.name}:1.1`]: ["usbhid"] });
		expect(nodesOf(await usbTruth(product.vm), device.name, "block")).toEqual([]);
	});

	test.each([
		["an altsetting", zoo.hiddenKeyboard],
		["a device that calls itself vendor specific", zoo.vendorKeyboard],
	])("a keyboard that hides in %s is refused (V13, V19)", async (_, make) => {
		await product.enforce(noHid);
		const device = await product.plugOne(make());
		await product.expectRefused(device);
		const alert = await product.alert(device, ({ PolicyName }) => PolicyName === "no-hid");
		expect(alert).toMatchObject({ Resource: "USB HID", Result: "Permission denied" });
	});

	test("an allow-list of what a device shows first does not let through what it hides", async () => {
		const shown = ["class: VENDOR-SPECIFIC", "class: MASS-STORAGE"];
		await product.enforce({ shown: devicePolicy("shown", "Allow", ...shown) }, block);
		await product.expectRefused(await product.plugOne(zoo.hiddenKeyboard()));
	});

	test("another configuration does not bring a refused interface to life (D3)", async () => {
		await product.enforce(noHid);
		const both = [diskInterface(0), keyboardInterface(1, 0, 0x82)];
		const device = await product.plugOne(
			zoo.badUsb({
				device: deviceDescriptor({ vendor: 0x0781, product: 0x5567, configurations: 2 }),
				configurations: [configuration([diskInterface(0)]), configuration(both, { value: 2 })],
			}),
		);
		await product.node(device, "block");
		await product.vm.sh(`echo 2 > /sys/bus/usb/devices/${device.name}/bConfigurationValue`);
		const again = (now: UsbTruth) =>
			now.interfaces.get(`${device.name}:2.0`)?.driver === "usb-storage" &&
			nodesOf(now, device.name, "block").length > 0;
		const truth = await product.settled(again, "the disk in the second configuration");
		expect(truth.interfaces.get(`${device.name}:2.1`)).toMatchObject({
			authorized: false,
			driver: undefined,
		});
		expect(Object.keys(await met(device)).sort()).toEqual([`${device.name}:1.0`, `${device.name}:2.0`]);
	});

	test("a webcam works with the classes that it is made of allowed (V15)", async () => {
		const classes = ["class: VIDEO", "class: AUDIO"];
		await product.enforce({ cam: devicePolicy("cam", "Allow", ...classes) }, block);
		const webcam = await product.plugOne(zoo.webcam());
		const parts = [0, 1, 2].map((number) => `${webcam.name}:1.${number}`);
		await product.settled(
			({ interfaces }) => parts.every((name) => interfaces.get(name)?.authorized),
			"all three interfaces to be authorized",
		);
		await product.daemon.state(webcam.name, "authorized");
	});

	test("descriptors that lie gain nothing: no keyboard of theirs meets a driver, and the next device is judged (V24)", async () => {
		await product.enforce(noHid);
		const entries = Object.entries(zoo.lies);
		const devices = await product.plugHostile(
			...entries.map(([, one]) => zoo.keyboard({ configurations: [one] })),
		);
		for (const [index, device] of devices.entries()) {
			const name = entries[index]?.[0];
			// What the kernel does not see is no function of the device.
			const unseen = name === "hides the keyboard behind a descriptor without length";
			const { state } = await product.daemon.state(device.name, unseen ? "authorized" : "refused");
			expect([name, state, await met(device)]).toEqual([name, unseen ? "authorized" : "refused", {}]);
		}
		await product.node(await product.plugOne(zoo.disk()), "block");
	});

	test("control characters in strings reach no log, alert, list or page (D12)", async () => {
		await product.enforce(noHid);
		const device = await product.plugOne(zoo.loudKeyboard());
		await product.expectRefused(device);
		await product.alert(device);
		const harmless = /^[\n\x20-\x7e]*$/;
		expect(product.daemon.log()).toMatch(harmless);
		expect(product.daemon.stdout()).toMatch(harmless);
		expect(product.daemon.stdout()).toContain("Keyboard\\\\nAction=Allow\\\\x1b[31m");
		for (const options of ["", "--json"])
			expect(await product.vm.sh(`/run/portward usb list ${options}`)).toMatch(harmless);
		// The log has a line for each record, and none that the device wrote.
		for (const line of product.daemon.log().trimEnd().split("\n")) expect(line).toMatch(/^(\{|\d|\[|time=)/);
		for (const path of ["/", "/metrics", "/v1/usb/devices", "/v1/alerts", "/v1/status"]) {
			const page = await product.daemon.get(path);
			expect(page).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
			expect(page).not.toMatch(/<script>'/);
		}
	});

	test("a device whose enumeration began before the lock comes up authorized, and is refused all the same", async () => {
		await product.end();
		const devices = await product.devices();
		const mute = await devices.plug(zoo.mute({ trace: true }));
		await until(patience, "the kernel to ask", () => devices.requests(mute).length > 0);
		await product.enforce(noHid);
		await devices.unplug(mute);
		// While the kernel still waits for the answer of the one that has gone.
		const late = await product.plugOne(zoo.keyboard({ port: mute.port }));
		const isLate = (event: { name: string }) => event.name === `${late.name}:1.0`;
		await product.vm.events.uevent(isLate, "its interface, as it is authorized", {
			mark: late.mark,
			ms: patience,
		});
		await product.settled(
			(now) => now.devices.get(late.name)?.authorized === false,
			"the device to be refused",
		);
		await product.expectRefused(late);
		await product.alert(late, ({ PolicyName }) => PolicyName === "no-hid");
	});

	test("events that the kernel drops are made up for by looking at every device (D6)", async () => {
		await product.enforce(noSticks);
		const pid = await product.vm.sh("pidof portward");
		await shrinkBuffer(product.vm, pid, 1);
		await product.vm.sh(`kill -STOP ${pid}`);
		const devices = await product.plugHostile(
			...Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? zoo.disk() : zoo.keyboard())),
		);
		await product.settled((now) => devices.every(({ name }) => now.devices.has(name)), "all twelve");
		await product.vm.barrier();
		await product.vm.sh(`kill -CONT ${pid}`);
		for (const [index, device] of devices.entries()) {
			if (index % 2 === 0) await product.expectRefused(device);
			else await product.node(device, "input");
		}
		expect(await product.daemon.get("/metrics")).toMatch(/^portward_usb_overflows_total [1-9]/m);
		// With its next life it gets a large buffer again.
		await product.end();
	});

	test("a device that takes another's place while it is judged is not taken for it (D8)", async () => {
		await product.enforce(noSticks);
		const pid = await product.vm.sh("pidof portward");
		const devices = await product.devices();
		let port: number | undefined;
		for (let round = 0; round < 6; round++) {
			const at = port === undefined ? {} : { port };
			const [keyboard, disk] = [zoo.keyboard(at), zoo.disk(1_000_000_000, at)];
			const [first, second] = round % 2 === 0 ? [keyboard, disk] : [disk, keyboard];
			const before = await devices.plug(first);
			port = before.port;
			await product.settled((now) => now.devices.has(before.name), "the first device");
			// From somewhere in its work on the first device it wakes up with the second one there.
			await product.vm.sh(`kill -STOP ${pid}`);
			await devices.unplug(before);
			await product.settled((now) => !now.devices.has(before.name), "the first device to go");
			const after = await devices.plug({ ...second, port });
			expect(after.name).toBe(before.name);
			await product.settled((now) => now.devices.has(after.name), "the second device");
			await product.vm.sh(`kill -CONT ${pid}`);
			if (second === disk) await product.expectRefused(after);
			else await product.node(after, "input");
			const drivers = Object.values(await met(before)).flat();
			expect(drivers.filter((driver) => driver !== "usbhid")).toEqual([]);
			await devices.unplug(after);
			await product.settled((now) => !now.devices.has(after.name), "the second device to go");
		}
	});

	test("a flood of plugging and unplugging ends in what is plugged in, and no refused device ever works", async () => {
		await product.enforce(noSticks);
		const devices = await product.devices();
		const mark = product.vm.events.mark();
		const kinds = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? zoo.disk() : zoo.keyboard()));
		for (let round = 0; round < 3; round++) await devices.unplugAll(await devices.plugAll(kinds));
		const last = await product.plugHostile(...kinds.slice(0, 10));
		for (const [index, device] of last.entries()) {
			if (index % 2 === 0) await product.expectRefused(device);
			else await product.node(device, "input");
		}
		const states = await product.agreed();
		expect([...states.values()].filter((state) => state === "refused")).toHaveLength(5);
		await product.vm.barrier();
		const binds = product.vm.events.uevents(
			({ action, properties }) => action === "bind" && properties.get("DEVTYPE") === "usb_interface",
			mark,
		);
		expect(binds.filter(({ properties }) => properties.get("DRIVER") === "usb-storage")).toEqual([]);
		expect(product.vm.events.since(mark).filter(({ kind }) => kind === "lost")).toEqual([]);
	});

	test("eight disks that hang delay neither the next decision nor the next daemon (D7)", async () => {
		// The VM ends before they do.
		leaveHanging = true;
		// How long a first command may go unanswered: time enough to look at what happens meanwhile.
		await product.vm.sh("echo 120 > /sys/module/scsi_mod/parameters/inq_timeout");
		await product.enforce({ cameras: devicePolicy("no-cameras", "Block", "class: VIDEO") });
		const hung = await product.plugHostile(...Array.from({ length: 8 }, () => zoo.disk(0)));
		const devices = await product.devices();
		for (const device of hung) await devices.hung(device);
		await product.enforce(noSticks);
		for (const device of hung) await product.daemon.state(device.name, "pending");
		await until(patience, "eight writes to be overdue", async () =>
			(await product.daemon.get("/metrics")).includes("portward_usb_pending_writes 8\n"),
		);
		for (const device of hung) await product.alert(device, ({ Message }) => /pending/.test(Message));
		// Each write ends with the interface's removal.
		const held = async () => {
			await product.vm.barrier();
			const removed = ({ name, mark }: Named) =>
				product.vm.events.uevents((event) => event.action === "remove" && event.name === `${name}:1.0`, mark);
			return hung.filter((device) => removed(device).length === 0).length;
		};
		const keyboard = await product.plugOne(zoo.keyboard());
		const bound = await product.vm.events.uevent(
			({ action, name }) => action === "bind" && name === `${keyboard.name}:1.0`,
			"the keyboard to be bound",
			{ mark: keyboard.mark, ms: patience },
		);
		const [added] = product.vm.events.uevents(
			({ action, name }) => action === "add" && name === keyboard.name,
			keyboard.mark,
		);
		expect(bound.at - (added?.at ?? Number.NaN)).toBeLessThan(1_000_000);
		await product.expectRefused(await product.plugOne(zoo.disk()));
		expect(await held()).toBe(8);

		// The process cannot vanish before the kernel lets go of its threads, but all that it holds is free at once.
		product.daemon.signal(15);
		await product.vm.waitFor("! grep -q @portward/ /proc/net/unix");
		const next = new GuestDaemon(product.vm);
		const started = next.start(noSticks);
		product.daemon = next;
		await product.vm.waitFor("wget -qO- http://127.0.0.1:9755/v1/status");
		await product.expectRefused(await product.plugOne(zoo.disk()));
		await product.node(await product.plugOne(zoo.keyboard()), "input");
		expect(await held()).toBe(8);
		await started;
	});

	test("the kernel has reported no bug", () => {
		const bugs = /BUG|Oops|WARNING|Call Trace/;
		expect(product.vm.events.kernelLog().filter((line) => bugs.test(line))).toEqual([]);
	});
});
