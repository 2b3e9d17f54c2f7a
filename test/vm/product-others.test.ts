/** The shipped file beside other guards of the same ports, and people who plug, suspend and meddle. */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { deviceDescriptor } from "./lab/descriptors.ts";
import type { HostilePlugged } from "./lab/hostile.ts";
import { devicePolicy } from "./lab/portward.ts";
import { bindsSince, driversOf, nodesOf, usbTruth } from "./lab/truth.ts";
import * as zoo from "./lab/zoo.ts";
import { type Named, Product } from "./support/product.ts";

setDefaultTimeout(240_000);

const noHid = { hid: devicePolicy("no-hid", "Block", "class: HID") };
const noSticks = { sticks: devicePolicy("no-sticks", "Block", "class: MASS-STORAGE") };
const block = "hostDefaultDevicePosture: block\n";

/** A stick with a serial number. */
const stick = (serial: string, vendor = 0x0781, more: { port?: number } = {}) =>
	zoo.disk(1_000_000_000, {
		device: deviceDescriptor({ vendor, product: 0x5567, strings: { serial: 3 } }),
		strings: { 3: serial },
		...more,
	});

/** As people's factories write them. */
const oddSerials = [
	"0",
	"123456789",
	"  padded  ",
	"tab\there",
	'quote"quote',
	"back\\slash",
	"#comment",
	"- dash",
	"key: value",
	"null",
	"true",
	"0x10",
	"1e5",
	"übung",
	"\u65e5\u672c",
	"a\nb",
	"x".repeat(120),
];

describe("portward beside others", () => {
	let product: Product;
	beforeAll(async () => {
		product = await Product.boot({}, true);
		await product.vm.sh("modprobe -a usb_storage sd_mod usbhid hid_generic evdev");
	});
	afterAll(async () => await product?.stop());
	afterEach(async () => await product.clear());

	const attribute = (device: Named, name = "authorized") => `/sys/bus/usb/devices/${device.name}/${name}`;
	const isRefused = (device: Named) =>
		product.settled(
			({ devices }) => devices.get(device.name)?.authorized === false,
			`${device.name} to be refused`,
		);
	const met = async (device: Named) =>
		[...(await bindsSince(product.vm, device.name, device.mark)).values()].flat().sort();

	test("what an administrator refuses by hand stays, is told, and ends with usb allow; usb block refuses", async () => {
		await product.enforce(noHid);
		const device = await product.plugOne(stick("S1"));
		await product.node(device, "block");
		await product.vm.sh(`echo 0 > ${attribute(device)}`);
		await product.alert(device, ({ Message }) => /Somebody else refused/.test(Message));
		await product.enforce({ ...noHid, more: devicePolicy("no-video", "Block", "class: VIDEO") });
		const { reason, functions } = await product.daemon.state(device.name, "refused");
		expect([reason, functions[0]?.reason]).toEqual(["refused by somebody else", "refused by somebody else"]);
		await isRefused(device);
		await product.vm.sh(`/run/portward usb allow ${device.name} --for 1h`);
		await product.node(device, "block");
		expect(await product.vm.sh("/run/portward usb list")).toContain("allowed until");
		await product.vm.sh(`/run/portward usb allow ${device.name} --end`);
		await product.daemon.state(device.name, "authorized");
		await product.vm.sh(`/run/portward usb block ${device.name}`);
		await isRefused(device);
		expect((await product.daemon.state(device.name, "refused")).reason).toContain("refused by hand");
	});

	test("a udev rule that refuses a vendor's devices is not overruled, and meets configured devices", async () => {
		const rules = `ACTION=="add", ENV{DEVTYPE}=="usb_device", ATTR{idVendor}=="1234", ATTR{authorized}="0"
ACTION=="add", ENV{DEVTYPE}=="usb_device", RUN+="/bin/sh -c 'echo seen %k $attr{bNumInterfaces} >> /run/seen'"
`;
		await product.vm.sh("mkdir -p /etc/udev/rules.d");
		await product.vm.put("/etc/udev/rules.d/99-admin.rules", rules);
		await product.vm.sh("udevadm control --reload");
		await product.enforce(noHid);
		const [theirs, ours] = await product.plugHostile(stick("S1", 0x1234), stick("S2"));
		if (!theirs || !ours) throw new Error("unreachable");
		await product.node(ours, "block");
		await product.alert(theirs, ({ Message }) => /Somebody else refused/.test(Message));
		await isRefused(theirs);
		await product.vm.waitFor(`grep -q "seen ${ours.name}  *1" /run/seen`);
		await product.vm.sh("rm /etc/udev/rules.d/99-admin.rules; udevadm control --reload");
	});

	test("USBGuard: neither undoes the other's refusals, and both say what they see", async () => {
		await product.enforce({
			keys: devicePolicy("no-keys", "Block", "{ class: HID, subClass: 1, protocol: 1 }"),
		});
		await product.vm.sh("mkdir -p /etc/usbguard/IPCAccessControl.d /var/log/usbguard /run/usbguard");
		await product.vm.put(
			"/etc/usbguard/usbguard-daemon.conf",
			`RuleFile=/etc/usbguard/rules.conf
ImplicitPolicyTarget=allow
PresentDevicePolicy=apply-policy
PresentControllerPolicy=keep
InsertedDevicePolicy=apply-policy
AuthorizedDefault=keep
RestoreControllerDeviceState=false
DeviceManagerBackend=uevent
IPCAllowedUsers=root
`,
			0o600,
		);
		await product.vm.put("/etc/usbguard/rules.conf", "block with-interface one-of { 08:*:* }\n", 0o600);
		const guard = product.vm.spawn("exec usbguard-daemon -d -k -c /etc/usbguard/usbguard-daemon.conf 2>&1");
		await product.vm.waitFor("usbguard list-devices");
		const [disk, keyboard, mouse] = await product.plugHostile(stick("S1"), zoo.keyboard(), zoo.mouse());
		if (!disk || !keyboard || !mouse) throw new Error("unreachable");
		await product.node(mouse, "input");
		await product.alert(disk, ({ Message }) => /Somebody else refused/.test(Message));
		await product.enforce({
			keys: devicePolicy("no-keys", "Block", "{ class: HID, subClass: 1, protocol: 1 }"),
		});
		await isRefused(disk);
		await isRefused(keyboard);
		expect(await met(keyboard)).toEqual([]);
		expect((await product.daemon.state(disk.name, "refused")).reason).toBe("refused by somebody else");
		expect((await product.daemon.state(keyboard.name, "refused")).reason).toBe("no permitted interface");
		const theirs = (await product.vm.sh("usbguard list-devices")).split("\n");
		expect(theirs.find((line) => line.includes(`via-port "${disk.name}"`))).toContain("block");
		guard.kill();
		await guard.exited;
	});

	test("whoever authorizes what is refused, 38 times in 20 seconds, never gives it a driver", async () => {
		await product.enforce(noSticks);
		const device = await product.plugOne(stick("S1"));
		await product.expectRefused(device);
		await product.vm.sh(`for n in $(seq 38); do echo 1 > ${attribute(device)}; usleep 500000; done`);
		await product.alert(device, ({ Message }) => /refused again/.test(Message));
		await isRefused(device);
		expect(await met(device)).toEqual([]);
	});

	test("thirty swaps of what is on one port, and no stick ever works", async () => {
		await product.enforce(noSticks);
		const devices = await product.devices();
		const mark = product.vm.events.mark();
		let at: HostilePlugged = await devices.plug(zoo.keyboard());
		for (let swap = 0; swap < 30; swap++) {
			await devices.unplug(at);
			const next =
				swap % 2 === 0 ? stick(`S${swap}`, 0x0781, { port: at.port }) : zoo.keyboard({ port: at.port });
			at = await devices.plug(next);
		}
		await product.node(at, "input");
		const binds = await bindsSince(product.vm, at.name, mark);
		expect([...binds.values()].flat().filter((driver) => driver !== "usbhid")).toEqual([]);
		await devices.unplug(at);
	});

	test("suspend and resume change nothing and raise no warning", async () => {
		await product.enforce(noSticks);
		const [disk, keyboard] = await product.plugHostile(stick("S1"), zoo.keyboard());
		if (!disk || !keyboard) throw new Error("unreachable");
		await product.node(keyboard, "input");
		await product.expectRefused(disk);
		const logged = product.daemon.log().length;
		const alerts = product.daemon.alerts().length;
		await product.vm.sh("echo freezer > /sys/power/pm_test; echo mem > /sys/power/state", {
			timeout: 90_000,
		});
		await product.daemon.state(keyboard.name, "authorized");
		await product.expectRefused(disk);
		await product.node(keyboard, "input");
		const said = product.daemon.log().slice(logged);
		expect(said.split("\n").filter((line) => / (warn|error) /.test(line))).toEqual([]);
		expect(product.daemon.alerts().slice(alerts)).toEqual([]);
	});

	test("a stick that is exchanged while the daemon is stopped is judged as what it is", async () => {
		const mine = { mine: devicePolicy("mine", "Allow", "{ class: MASS-STORAGE, serial: MINE }") };
		await product.enforce(mine, block);
		const first = await product.plugOne(stick("MINE"));
		await product.node(first, "block");
		await product.end();
		await product.unplugHostile(first);
		const other = await product.plugOne(stick("OTHER", 0x0781, { port: first.port }));
		await product.enforce(mine, block);
		await product.expectRefused(other);
		await product.unplugHostile(other);
		await product.node(await product.plugOne(stick("MINE", 0x0781, { port: first.port })), "block");
	});

	test("a program cannot claim a refused function through usbfs", async () => {
		await product.enforce(noHid);
		const device = await product.plugOne(zoo.badUsb());
		await product.node(device, "block");
		expect(await product.vm.sh(`/run/lab/claim ${device.name} 1`)).toBe("No such device");
		await product.enforce(noSticks);
		// It was "partial" before as well: only the kernel says when the disk has gone.
		await product.settled(({ interfaces }) => {
			const part = interfaces.get(`${device.name}:1.0`);
			return part?.authorized === false && part.driver === undefined;
		}, "the disk to be refused");
		expect(await product.vm.sh(`/run/lab/claim ${device.name} 0`)).toBe("No such device");
		const refused = await product.plugOne(stick("S1"));
		await product.expectRefused(refused);
		expect(await product.vm.sh(`/run/lab/claim ${refused.name} 0`)).not.toBe("claimed");
	});

	test("policies that are swapped during enumeration end in what the last ones say", async () => {
		await product.enforce(noSticks);
		const plugging = product.plugHostile(
			...Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? stick(`S${index}`) : zoo.keyboard())),
		);
		for (const set of [noHid, noSticks, noHid]) await product.enforce(set);
		const devices = await plugging;
		for (const [index, device] of devices.entries()) {
			if (index % 2 === 0) await product.node(device, "block");
			else await isRefused(device);
		}
		const truth = await usbTruth(product.vm);
		for (const [index, device] of devices.entries())
			if (index % 2 === 1)
				expect([[...driversOf(truth, device.name)], nodesOf(truth, device.name)]).toEqual([[], []]);
	});

	test("seventeen odd serial numbers are readmitted by generate-policy, and another one is not", async () => {
		const sticks = oddSerials.map((serial) =>
			zoo.keyboard({
				device: deviceDescriptor({ product: 0x0300, strings: { serial: 3 } }),
				strings: { 3: serial },
			}),
		);
		await product.enforce({});
		const devices = await product.plugHostile(...sticks);
		await product.nodes(devices, "input");
		const policy = await product.vm.sh("/run/portward usb generate-policy");
		await product.unplugHostile(...devices);
		await product.enforce({ generated: policy }, `${block}protectConsoleKeyboard: false\n`);
		const again = await product.plugHostile(...sticks);
		await product.nodes(again, "input");
		const stranger = zoo.keyboard({
			device: deviceDescriptor({ product: 0x0300, strings: { serial: 3 } }),
			strings: { 3: "stranger" },
		});
		await product.expectRefused(await product.plugOne(stranger));
	});

	test("the kernel has reported no bug", () => {
		const bugs = /BUG|Oops|WARNING|Call Trace/;
		expect(product.vm.events.kernelLog().filter((line) => bugs.test(line))).toEqual([]);
	});
});
