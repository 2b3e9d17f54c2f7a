/** The shipped file against QEMU's devices. The verdict is what the guest's kernel says. */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { UsbKind } from "./lab/devices.ts";
import { devicePolicy } from "./lab/portward.ts";
import { Trace } from "./lab/trace.ts";
import { driversOf, nodesOf, untilTruth, usbTruth } from "./lab/truth.ts";
import { until } from "./lab/wait.ts";
import { boundUnpermitted, Product, patience } from "./support/product.ts";

setDefaultTimeout(180_000);

interface Kind {
	readonly kind: UsbKind;
	readonly port: string;
	/** Entries that name all that it is made of. */
	readonly classes: readonly string[];
	/** A driver of one of its interfaces, and the folder of /sys/class where it shows; none for a card reader. */
	readonly driver: RegExp | null;
	readonly nodes: string;
	/** Resource of its alert. */
	readonly resource: string;
}

const hid = ["class: HID"];
const storage = ["class: MASS-STORAGE"];
// biome-ignore format: a table
const kinds: readonly Kind[] = [
	{ kind: "keyboard", port: "1", classes: hid, driver: /usbhid/, nodes: "input", resource: "USB HID" },
	{ kind: "mouse", port: "2", classes: hid, driver: /usbhid/, nodes: "input", resource: "USB HID" },
	{ kind: "tablet", port: "3", classes: hid, driver: /usbhid/, nodes: "input", resource: "USB HID" },
	{ kind: "storage", port: "4", classes: storage, driver: /usb-storage/, nodes: "block", resource: "USB MASS-STORAGE" },
	{ kind: "uas", port: "5", classes: storage, driver: /uas/, nodes: "block", resource: "USB MASS-STORAGE" },
	{ kind: "serial", port: "6", classes: ["class: VENDOR-SPECIFIC"], driver: /ftdi_sio/, nodes: "tty", resource: "USB VENDOR-SPECIFIC" },
	{ kind: "audio", port: "7", classes: ["class: AUDIO"], driver: /snd-usb-audio/, nodes: "sound", resource: "USB AUDIO" },
	{ kind: "net", port: "8", classes: ["class: COMMUNICATION-CDC", "class: CDC-DATA"], driver: /cdc_|rndis_/, nodes: "net", resource: "USB COMMUNICATION-CDC" },
	{ kind: "ccid", port: "9", classes: ["class: SMART-CARD"], driver: null, nodes: "", resource: "USB SMART-CARD" },
];
const block = "hostDefaultDevicePosture: block\n";
const everyClass = [...new Set(kinds.flatMap(({ classes }) => classes))];
const keyboardOfConsole = { name: "1-15" };
const noSticks = { sticks: devicePolicy("no-sticks", "Block", "class: MASS-STORAGE") };

const noTelnet = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: no-telnet
spec:
  nodeSelector:
    matchLabels:
      kubernetes.io/hostname: "*"
  ingress:
  - action: Block
    ports:
    - protocol: TCP
      port: "23"
`;

type Enforcers = Readonly<Record<"network" | "usb", { readonly state: string; readonly reason: string }>>;

describe("portward and the devices that QEMU emulates", () => {
	let product: Product;
	beforeAll(async () => {
		product = await Product.boot();
		// Before the first start, so that it is the console's.
		await product.vm.monitor("device_add", { driver: "usb-kbd", id: "console", bus: "hc.0", port: "15" });
		await product.node({ name: "1-15", mark: 0 }, "input");
	});
	afterAll(async () => await product?.stop());
	afterEach(async () => await product.clear(["1-15"]));

	const working = (device: { name: string; mark: number }, { kind, driver, nodes }: Kind) =>
		product.settled((now) => {
			if (driver === null) return now.interfaces.get(`${device.name}:1.0`)?.authorized === true;
			const bound = [...driversOf(now, device.name).values()];
			return bound.some((one) => driver.test(one)) && nodesOf(now, device.name, nodes).length > 0;
		}, `${kind} to work`);

	test("each is refused by its class without ever meeting a driver, and returns with an allow-list (D1, D4, D5)", async () => {
		await product.enforce({ none: devicePolicy("none", "Block", ...everyClass) }, block);
		await product.expectLocked();
		const trace = await Trace.start(product.vm);
		const plugged = [];
		for (const kind of kinds) plugged.push({ kind, device: await product.plugIn(kind.kind, kind.port) });
		for (const { kind, device } of plugged) {
			await product.expectRefused(device);
			const alert = await product.alert(device);
			expect(alert).toMatchObject({
				Operation: "Device",
				Type: "MatchedHostPolicy",
				PolicyName: "none",
				Resource: kind.resource,
				Action: "Block",
				Result: "Permission denied",
				Enforcer: "USBDeviceHandler",
			});
			expect(alert.EventData).toMatchObject({ Port: device.name, Level: "1" });
			expect(alert.EventData.SysPath).toEndWith(`/${device.name}`);
		}
		const names = plugged.map(({ device }) => device.name);
		const touched = (await trace.events()).filter(({ name }) =>
			names.some((one) => name === one || name.startsWith(`${one}:`)),
		);
		// The device's own generic driver takes it unauthorized as well.
		const announced = names.flatMap((name) => [`add ${name}`, `bound ${name}`]);
		expect(touched.map(({ what, name }) => `${what} ${name}`).sort()).toEqual(announced.sort());

		await product.enforce({ all: devicePolicy("all", "Allow", ...everyClass) }, block);
		for (const { kind, device } of plugged) {
			const truth = await working(device, kind);
			expect(truth.devices.get(device.name)?.authorized).toBe(true);
			expect(boundUnpermitted(await trace.events(), device.name)).toEqual([]);
		}
		await trace.stop();
	});

	test("each works when an allow-list names it, from the moment it is plugged, and nothing else does (D1)", async () => {
		const [allowed, others] = [kinds.filter((_, n) => n % 2 === 0), kinds.filter((_, n) => n % 2 === 1)];
		for (const [good, bad] of [
			[allowed, others],
			[others, allowed],
		]) {
			const classes = [...new Set(good?.flatMap((one) => one.classes) ?? [])];
			await product.enforce({ list: devicePolicy("list", "Allow", ...classes) }, block);
			const trace = await Trace.start(product.vm);
			const unnamed = bad?.filter((one) => !one.classes.some((name) => classes.includes(name))) ?? [];
			for (const kind of good ?? []) {
				const device = await product.plugIn(kind.kind, kind.port);
				await working(device, kind);
				expect(boundUnpermitted(await trace.events(), device.name)).toEqual([]);
				expect((await product.daemon.state(device.name, "authorized")).functions.length).toBeGreaterThan(0);
			}
			for (const kind of unnamed) {
				const device = await product.plugIn(kind.kind, kind.port);
				await product.expectRefused(device);
				await product.alert(
					device,
					({ PolicyName, Result }) => PolicyName === "DefaultPosture" && Result === "Permission denied",
				);
			}
			await trace.stop();
			await product.clear(["1-15"]);
		}
	});

	test("a hub passes, and what is behind it is judged by its own level (V16)", async () => {
		await product.enforce({ deep: devicePolicy("deep", "Block", "{ class: MASS-STORAGE, level: 2 }") });
		const hub = await product.plugIn("hub", "10");
		const keyboard = await product.plugIn("keyboard", "10.1");
		const deep = await product.plugIn("storage", "10.2");
		const flat = await product.plugIn("storage", "11");
		await product.node(keyboard, "input");
		await product.node(flat, "block");
		await product.expectRefused(deep);
		expect((await product.alert(deep)).EventData.Level).toBe("2");
		await product.enforce({ hubs: devicePolicy("hubs", "Block", "class: HUB") });
		await product.settled(({ devices }) => !devices.has(keyboard.name), "what is behind the hub to go");
		const { devices } = await usbTruth(product.vm);
		expect(devices.get(hub.name)?.authorized).toBe(false);
		// An entry that names HUB names the root hubs as well, and these stay.
		expect([devices.get("usb1")?.authorized, devices.get("usb2")?.authorized]).toEqual([true, true]);
	});

	test("Block ALL spares root hubs, hubs and the console's keyboard, and says so", async () => {
		await product.enforce({ all: devicePolicy("all", "Block", "class: ALL") });
		const hub = await product.plugIn("hub", "12");
		const keyboard = await product.plugIn("keyboard", "12.1");
		await product.expectRefused(keyboard);
		const truth = await usbTruth(product.vm);
		expect([...driversOf(truth, hub.name).values()]).toEqual(["hub"]);
		expect(nodesOf(truth, "1-15", "input").length).toBeGreaterThan(0);
		for (const name of truth.hubs.keys()) expect(truth.devices.get(name)?.authorized).toBe(true);
		await product.alert(
			keyboardOfConsole,
			({ Message, Action, Result }) =>
				/console's keyboard/.test(Message) && Action === "Block" && Result === "Passed",
		);
	});

	test("without protectConsoleKeyboard the console's keyboard goes as well", async () => {
		await product.enforce(
			{ all: devicePolicy("all", "Block", "class: ALL") },
			"protectConsoleKeyboard: false\n",
		);
		await product.daemon.state("1-15", "refused");
		expect(nodesOf(await usbTruth(product.vm), "1-15")).toEqual([]);
	});

	test("presentDevices audit: what was there before portward stays, what comes is judged (D11)", async () => {
		await product.enforce({ hid: devicePolicy("hid", "Block", "class: HID") }, "presentDevices: audit\n");
		// The daemon of before refused it: it returns as soon as this one has looked at it.
		await untilTruth(product.vm, (now) => nodesOf(now, "1-15", "input").length > 0, "the console's keyboard");
		await product.alert(keyboardOfConsole, ({ Action, Result }) => Action === "Block" && Result === "Passed");
		await product.expectRefused(await product.plugIn("keyboard", "1"));
	});

	test("policies that only audit lock nothing and withhold nothing", async () => {
		await product.enforce({ audit: devicePolicy("audit", "Audit", "class: MASS-STORAGE") });
		const stick = await product.plugIn("storage", "4");
		const truth = await product.node(stick, "block");
		for (const hub of truth.hubs.values()) expect(hub).toEqual({ devices: "1", interfaces: "1" });
		expect(await product.vm.sh("cat /sys/module/usbcore/parameters/authorized_default")).toBe("-1");
		await product.alert(
			stick,
			({ PolicyName, Action, Result }) => PolicyName === "audit" && Action === "Audit" && Result === "Passed",
		);
		const mouse = await product.plugIn("mouse", "2");
		await product.alert(mouse, ({ Type, Result }) => Type === "HostLog" && Result === "Passed");
	});

	test("status, the list of devices and the metrics say what the kernel says", async () => {
		await product.enforce(noSticks);
		const stick = await product.plugIn("storage", "4");
		const mouse = await product.plugIn("mouse", "2");
		await product.node(mouse, "input");
		await product.expectRefused(stick);
		const states = await product.agreed();
		const status: { enforcers: { usb: unknown } } = JSON.parse(await product.daemon.get("/v1/status"));
		expect(status.enforcers.usb).toMatchObject({
			state: "active",
			reason: "",
			backend: "libudev",
			locked: true,
			posture: "audit",
			allowlistMode: false,
		});
		const count = (state: string) => [...states.values()].filter((one) => one === state).length;
		const metrics = await product.daemon.get("/metrics");
		for (const state of ["authorized", "partial", "refused", "pending"])
			expect(metrics).toContain(`portward_usb_devices{state="${state}"} ${count(state)}\n`);
		expect(count("refused")).toBe(1);
		expect(metrics).toContain('portward_usb_decisions_total{action="Block"} 1\n');
		expect(metrics).toMatch(/^portward_usb_decision_seconds_count [1-9]/m);
		expect(metrics).toMatch(/^portward_usb_rescans_total [1-9]/m);
		for (const name of ["overflows_total", "pending_writes"])
			expect(metrics).toContain(`portward_usb_${name} 0\n`);
		expect(await product.daemon.devices()).toContainEqual(
			expect.objectContaining({ port: stick.name, state: "refused", vendorId: "46f4", productId: "0001" }),
		);
		// Pulled out, it is told of once more and forgotten.
		await product.pull(stick);
		await product.alert(stick, ({ Result }) => Result === "Removed");
		expect((await product.agreed()).has(stick.name)).toBe(false);
	});

	test("a device that is allowed for a time works for that time, and is told of", async () => {
		await product.enforce(noSticks);
		const stick = await product.plugIn("storage", "4");
		await product.expectRefused(stick);
		await product.vm.sh(`/run/portward usb allow ${stick.name} --for 5s`);
		await product.node(stick, "block");
		await product.alert(stick, ({ Message }) => /allowed for a time/.test(Message));
		await product.settled((now) => nodesOf(now, stick.name).length === 0, "the disk to go again");
		await product.daemon.state(stick.name, "refused");
		await product.alert(stick, ({ Message }) => /has ended/.test(Message));
	});

	test("release gives back what was in force before, also after a crash, and refuses while a daemon runs", async () => {
		// The daemon forgets what the last lock replaced only once every device is as decided.
		await product.vm.waitFor("! grep -q controllers /var/lib/portward/usb.json");
		await product.end();
		const files =
			"/sys/bus/usb/devices/usb2/authorized_default /sys/module/usbcore/parameters/authorized_default";
		await product.vm.sh(`for file in ${files}; do echo 2 > $file; done`);
		const before = await product.vm.sh(`cat ${files}`);
		await product.enforce(noSticks);
		const stick = await product.plugIn("storage", "4");
		await product.expectRefused(stick);
		expect((await product.vm.run("/run/portward release usb")).code).not.toBe(0);
		await product.expectLocked();
		await product.end(9);
		await product.expectLocked();
		await product.vm.sh("/run/portward release usb");
		await product.node(stick, "block");
		expect(await product.vm.sh(`cat ${files}`)).toBe(before);
		const { hubs } = await usbTruth(product.vm);
		expect(hubs.get("usb1")).toEqual({ devices: "1", interfaces: "1" });
		expect(hubs.get("usb2")).toEqual({ devices: "2", interfaces: "1" });
		await product.vm.sh(
			"cd /sys; echo 1 > bus/usb/devices/usb2/authorized_default; echo -1 > module/usbcore/parameters/authorized_default",
		);
	});

	test("a kernel without USB: the network half goes on, and USB is guarded as soon as there is some", async () => {
		await product.end();
		const { vm } = product;
		// The users of usbcore go before it.
		await vm.waitFor(`[ ! -d /sys/module/usbcore ] || {
			for module in $(lsmod | awk '/usb|^(uas|xhci|hid|cdc|rndis|ftdi|snd)/ { print $1 }'); do rmmod $module 2>/dev/null; done; false; }`);
		expect((await vm.run("[ -e /sys/bus/usb ]")).code).not.toBe(0);
		await vm.sh("mkdir -p /run/both/policies");
		await vm.put("/run/both/policies/hid.yaml", devicePolicy("no-hid", "Block", "class: HID"));
		await vm.put("/run/both/policies/telnet.yaml", noTelnet);
		await vm.put(
			"/run/both/config.yaml",
			"policyDir: /run/both/policies\nstateDir: /run/both/state\nstatus: {detail: full}\n",
		);
		const both = vm.spawn("exec /host/portward run --config /run/both/config.yaml");
		const enforcers = async (condition: (now: Enforcers) => boolean) => {
			let last = "";
			await until(
				patience,
				() => `the enforcers to be so; last: ${last}\n${both.output().stderr}`,
				async () => {
					last = (await vm.run("wget -qO- http://127.0.0.1:9755/v1/status")).stdout;
					return last !== "" && condition(JSON.parse(last).enforcers);
				},
			);
		};
		await enforcers(
			({ network, usb }) =>
				network.state === "active" && usb.state === "unavailable" && usb.reason.includes("/sys/bus/usb"),
		);
		expect(await vm.sh("nft list ruleset")).toContain('drop comment "no-telnet ingress[0] Block"');

		await vm.sh("modprobe -a usbhid xhci_pci");
		await enforcers(({ usb }) => usb.state === "active");
		await product.settled(({ devices, hubs }) => {
			const closed = [...hubs.values()].every(
				({ devices: one, interfaces }) => one === "0" && interfaces === "0",
			);
			return hubs.size === 2 && closed && devices.get("1-15")?.authorized === false;
		}, "USB to be guarded");
		expect(nodesOf(await usbTruth(vm), "1-15")).toEqual([]);
		both.kill();
		await both.exited;
	});
});
