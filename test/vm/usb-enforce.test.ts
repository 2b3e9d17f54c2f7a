/** The shipped file against a real kernel and emulated devices. The verdict is the kernel's. */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Plugged, plug, type UsbKind } from "./lab/devices.ts";
import { type Gadget, loadGadgetHosts, plugGadget } from "./lab/gadget.ts";
import { devicePolicy, GuestDaemon, portwardFiles } from "./lab/portward.ts";
import { below, bindsSince, nodesOf, type UsbTruth, usbTruth } from "./lab/truth.ts";
import { Vm } from "./lab/vm.ts";
import { until } from "./lab/wait.ts";

setDefaultTimeout(180_000);

const noSticks = { sticks: devicePolicy("no-sticks", "Block", "class: MASS-STORAGE") };
const portward = "/run/portward";

describe("portward in a guest with USB", () => {
	let vm: Vm;
	let daemon: GuestDaemon;
	const plugged: (Plugged | Gadget)[] = [];
	beforeAll(async () => {
		vm = await Vm.boot({ flavour: "fast", files: portwardFiles(), memory: 1536 });
		// Before the first start, so that it is the console's.
		await plug(vm, "keyboard", { port: "15" });
	});
	afterAll(async () => await vm?.stop());
	afterEach(async () => {
		await daemon.setPolicies({});
		await daemon.stop();
		for (const device of plugged.splice(0).reverse()) await device.unplug();
		await settled(
			({ devices }) => ![...devices.keys()].some((name) => /^\d+-/.test(name) && name !== "1-15"),
			"all devices to go",
		);
	});

	async function start(policies: Readonly<Record<string, string>>, settings = ""): Promise<void> {
		daemon = new GuestDaemon(vm, settings);
		await daemon.start(policies);
	}

	function settled(condition: (truth: UsbTruth) => boolean, what: string): Promise<UsbTruth> {
		let last: UsbTruth | undefined;
		return until(
			60_000,
			() => `${what}; last: ${JSON.stringify([...(last?.interfaces.values() ?? [])])}\n${daemon.log()}`,
			async () => {
				last = await usbTruth(vm);
				return condition(last) ? last : undefined;
			},
		);
	}

	async function plugIn(kind: UsbKind, port: string, wait = true): Promise<Plugged> {
		const device = await plug(vm, kind, { port, wait });
		plugged.push(device);
		return device;
	}

	async function gadget(...functions: string[]): Promise<Gadget> {
		const device = await plugGadget(vm, { functions });
		plugged.push(device);
		return device;
	}

	/** The kernel shows a refused device, nothing below it, and no driver ever had one of its interfaces. */
	async function expectRefused(device: { name: string; mark: number }): Promise<void> {
		await daemon.state(device.name, "refused");
		const truth = await usbTruth(vm);
		expect(truth.devices.get(device.name)?.authorized).toBe(false);
		expect(below(truth, device.name)).toEqual([]);
		expect(nodesOf(truth, device.name)).toEqual([]);
		expect([...(await bindsSince(vm, device.name, device.mark))]).toEqual([]);
	}

	test("of a composite device only the permitted functions meet drivers, however it is plugged (D2, D9)", async () => {
		await start(noSticks);
		await loadGadgetHosts(vm);
		const both = await gadget("disk", "keyboard");
		await settled((now) => nodesOf(now, both.name, "input").length > 0, "its keyboard");
		const binds = async () => [...(await bindsSince(vm, both.name, both.mark))];
		await until(60_000, "the bind", async () => (await binds()).length > 0);
		expect(await binds()).toEqual([[`${both.name}:1.1`, ["usbhid"]]]);
		expect(nodesOf(await usbTruth(vm), both.name, "block")).toEqual([]);
		for (const hub of (await usbTruth(vm)).hubs.values())
			expect(hub).toEqual({ devices: "0", interfaces: "0" });
	});

	test("somebody who authorizes a refused device, or changes its configuration, gains nothing (D2, D3)", async () => {
		await start(noSticks);
		const stick = await plugIn("storage", "6");
		await expectRefused(stick);
		await vm.sh(`echo 1 > /sys/bus/usb/devices/${stick.name}/authorized`);
		await until(
			60_000,
			() => daemon.log(),
			() => /refused again/.test(daemon.log()),
		);
		await settled(({ devices }) => devices.get(stick.name)?.authorized === false, "the stick to be refused");
		await expectRefused(stick);
		const both = await gadget("disk", "keyboard");
		await settled((now) => nodesOf(now, both.name, "input").length > 0, "its keyboard");
		const mark = vm.events.mark();
		await vm.sh(`echo 1 > /sys/bus/usb/devices/${both.name}/bConfigurationValue`);
		await until(60_000, "the keyboard to be bound again", async () =>
			(await bindsSince(vm, both.name, mark)).has(`${both.name}:1.1`),
		);
		expect((await bindsSince(vm, both.name, both.mark)).has(`${both.name}:1.0`)).toBe(false);
	});

	test("policies come and go: present devices are judged, and all that was refused returns (D4, D5, D11)", async () => {
		daemon = new GuestDaemon(vm);
		const first = await plugIn("storage", "7");
		const second = await plugIn("storage", "8");
		const blocks = (now: UsbTruth) =>
			[first, second].map(({ name }) => nodesOf(now, name, "block").length > 0);
		await settled((now) => blocks(now).every(Boolean), "both disks");
		await daemon.start(noSticks);
		for (const { name } of [first, second]) await daemon.state(name, "refused");
		expect(blocks(await usbTruth(vm))).toEqual([false, false]);
		await daemon.setPolicies({ sticks: devicePolicy("sticks", "Block", "class: AUDIO") });
		await settled((now) => blocks(now).every(Boolean), "both disks again");
		await daemon.setPolicies(noSticks);
		await settled((now) => !blocks(now).some(Boolean), "both disks to go");
		await daemon.setPolicies({});
		const truth = await settled((now) => blocks(now).every(Boolean), "both disks again");
		for (const hub of truth.hubs.values()) expect(hub).toEqual({ devices: "1", interfaces: "1" });
		await until(
			60_000,
			() => daemon.log(),
			async () => (await vm.sh("cat /var/lib/portward/usb.json")).includes('"prior":null'),
		);
	});

	test("killed, it leaves the ports locked; started again, it knows what to do (D10)", async () => {
		await start(noSticks);
		const stick = await plugIn("storage", "9");
		await expectRefused(stick);
		await daemon.stop(9);
		const late = await plugIn("mouse", "10");
		expect((await usbTruth(vm)).devices.get(late.name)?.authorized).toBe(false);
		await start(noSticks);
		await settled((now) => nodesOf(now, late.name, "input").length > 0, "the mouse");
		await expectRefused(stick);
	});

	test("a temporary permission is asked of root's socket, and ends; explain and list say what is (usb allow)", async () => {
		await start(noSticks);
		const stick = await plugIn("storage", "11");
		await expectRefused(stick);
		expect(await vm.sh(`${portward} usb list`)).toContain(`${stick.name}  46f4:0001`);
		expect(await vm.sh(`${portward} usb explain ${stick.name}`)).toContain(
			"refused: no-sticks matchDevice[0]",
		);
		const asNobody = await vm.run(
			`chroot --userspec=65534:65534 / ${portward} usb allow ${stick.name} --for 1h`,
		);
		expect(asNobody.code).not.toBe(0);
		expect(nodesOf(await usbTruth(vm), stick.name)).toEqual([]);
		await vm.sh(`${portward} usb allow ${stick.name} --for 8s`);
		await settled((now) => nodesOf(now, stick.name, "block").length > 0, "the disk");
		await settled((now) => now.devices.get(stick.name)?.authorized === false, "the end of the permission");
		await daemon.alert(stick.name, ({ Message }) => /temporary|allowed for a time/i.test(Message));
	});

	test("generate-policy allows what is plugged in, and nothing else", async () => {
		await start({});
		const mouse = await plugIn("mouse", "12");
		await settled((now) => nodesOf(now, mouse.name, "input").length > 0, "the mouse");
		const policy = await vm.sh(`${portward} usb generate-policy`);
		await daemon.setPolicies({});
		await daemon.stop();
		await start({ generated: policy }, "hostDefaultDevicePosture: block\nprotectConsoleKeyboard: false\n");
		const stick = await plugIn("storage", "13");
		await expectRefused(stick);
		const truth = await usbTruth(vm);
		expect(nodesOf(truth, mouse.name, "input").length).toBeGreaterThan(0);
		expect(nodesOf(truth, "1-15", "input").length).toBeGreaterThan(0);
	});

	test("release usb gives back what a stopped daemon refused, and refuses while one runs", async () => {
		await start(noSticks);
		const stick = await plugIn("storage", "14");
		await expectRefused(stick);
		const early = await vm.run(`${portward} release usb`);
		expect([early.code, early.stderr]).toEqual([1, expect.stringContaining("stop it first")]);
		await daemon.stop();
		expect(await vm.sh(`${portward} release usb`)).toContain("1 refused device authorized again");
		const truth = await settled((now) => nodesOf(now, stick.name, "block").length > 0, "the disk");
		for (const hub of truth.hubs.values()) expect(hub).toEqual({ devices: "1", interfaces: "1" });
		await start({});
	});

	test("without libudev the kernel is listened to directly, and status says so", async () => {
		const library = "/usr/lib/x86_64-linux-gnu/libudev.so.1";
		await vm.sh(`mv ${library} ${library}.away`);
		try {
			await start(noSticks);
		} finally {
			await vm.sh(`mv ${library}.away ${library}`);
		}
		expect(JSON.parse(await daemon.get("/v1/status")).enforcers.usb).toMatchObject({
			state: "active",
			backend: "netlink",
			locked: true,
		});
		const stick = await plugIn("storage", "1");
		const mouse = await plugIn("mouse", "2");
		await settled((now) => nodesOf(now, mouse.name, "input").length > 0, "the mouse");
		await expectRefused(stick);
	});
});
