/**
 * Shows Portward guarding USB ports, in a virtual machine with Debian's own
 * kernel: a keyboard that works, a stick and a BadUSB that do not. What is
 * shown of each device is what the guest's kernel says, not what Portward does.
 */

import { type Plugged, plug, unplugged } from "../test/vm/lab/devices.ts";
import { Hostile } from "../test/vm/lab/hostile.ts";
import { devicePolicy, GuestDaemon, portwardFiles } from "../test/vm/lab/portward.ts";
import { driversOf, nodesOf, type UsbTruth, usbTruth } from "../test/vm/lab/truth.ts";
import { Vm } from "../test/vm/lab/vm.ts";
import { until } from "../test/vm/lab/wait.ts";
import { badUsb } from "../test/vm/lab/zoo.ts";

const terminal = process.stdout.isTTY;
const style = (code: number) => (text: string) => (terminal ? `\x1b[${code}m${text}\x1b[0m` : text);
const [bold, dim, red, green] = [style(1), style(2), style(31), style(32)];
const patience = 120_000;

function say(text = ""): void {
	console.log(text);
}

function heading(text: string): void {
	say(`\n${bold(text)}\n`);
}

/** What the guest's kernel has of a device: whether it is authorized, its drivers, and what programs could open. */
function verdict(truth: UsbTruth, name: string): string {
	const authorized = truth.devices.get(name)?.authorized === true;
	const drivers = [...driversOf(truth, name).values()].join(", ");
	const nodes = [...new Set(nodesOf(truth, name).map((node) => `${node.class}/${node.name}`))].join(" ");
	const file = `authorized=${authorized ? 1 : 0}`;
	return `${authorized ? green(file) : red(file)}  drivers: ${drivers || "none"}  devices: ${nodes || "none"}`;
}

heading("A machine with USB, in QEMU");
await using vm = await Vm.boot({ flavour: "fast", files: portwardFiles(), memory: 1536 });
say(`Debian's kernel ${await vm.sh("uname -r")} has booted in ${(vm.bootTime / 1000).toFixed(1)} s.`);

const settled = async (what: string, condition: (truth: UsbTruth) => boolean): Promise<UsbTruth> =>
	until(patience, what, async () => {
		const truth = await usbTruth(vm);
		return condition(truth) ? truth : undefined;
	});
const hasNode = (name: string, kind: string) => (truth: UsbTruth) => nodesOf(truth, name, kind).length > 0;
const defaults = ({ hubs }: UsbTruth) =>
	[...hubs].map(([name, { devices, interfaces }]) => `${name} ${devices}/${interfaces}`).join("  ");

say("\nWithout Portward, a stick that is plugged in is a disk within a moment:");
const open = await plug(vm, "storage", { port: "1" });
say(`  ${open.name}  ${verdict(await settled("the disk", hasNode(open.name, "block")), open.name)}`);
await unplugged(vm, open);
const keyboard = await plug(vm, "keyboard", { port: "2" });
await settled("the console's keyboard", hasNode(keyboard.name, "input"));

heading("No mass storage");
const policy = devicePolicy("no-mass-storage", "Block", "class: MASS-STORAGE");
say(dim(policy.trimEnd()));
say(dim("\n$ portward run"));
const daemon = new GuestDaemon(vm);
await daemon.start({ "no-mass-storage": policy });
say("\nNo controller lets anything in by itself any more (authorized_default/interface_authorized_default):");
say(`  ${defaults(await usbTruth(vm))}`);

async function refused(device: Pick<Plugged, "name" | "mark">, what: string): Promise<void> {
	await daemon.state(device.name, "refused");
	say(`  ${what.padEnd(24)} ${device.name.padEnd(5)} ${verdict(await usbTruth(vm), device.name)}`);
}

say("\nWhat is plugged in now, and what the kernel makes of it:");
say(
	`  ${"a keyboard, from before".padEnd(24)} ${keyboard.name.padEnd(5)} ${verdict(await usbTruth(vm), keyboard.name)}`,
);
const stick = await plug(vm, "storage", { port: "1", properties: { serial: "DEMO" } });
await refused(stick, "a stick");
const mouse = await plug(vm, "mouse", { port: "3" });
const pointing = await settled("the mouse", hasNode(mouse.name, "input"));
say(`  ${"a mouse".padEnd(24)} ${mouse.name.padEnd(5)} ${verdict(pointing, mouse.name)}`);

heading("BadUSB: a stick that is a keyboard as well");
const hostile = await Hostile.start(vm);
const half = await hostile.plug(badUsb());
const partial = await settled(
	"its keyboard",
	(truth) => driversOf(truth, half.name).size > 0 && hasNode(half.name, "input")(truth),
);
say("Under the same policy its disk is withheld; whoever trusts keyboards still gets one:");
say(`  ${half.name}  ${verdict(partial, half.name)}`);
await hostile.unplug(half);
await settled("it to go", ({ devices }) => !devices.has(half.name));

const list = devicePolicy(
	"only-known-input",
	"Allow",
	"{ class: HID, product: [QEMU USB Keyboard, QEMU USB Mouse] }",
);
say("\nAn allow-list closes that, with hostDefaultDevicePosture: block for what it does not name:\n");
say(dim(list.trimEnd()));
await daemon.stop();
const strict = new GuestDaemon(vm, "hostDefaultDevicePosture: block\n");
await strict.start({ "only-known-input": list });
const bad = await hostile.plug(badUsb());
await strict.state(bad.name, "refused");
const now = await settled("the keyboard and the mouse", (truth) =>
	[keyboard, mouse].every(({ name }) => driversOf(truth, name).size > 0 && hasNode(name, "input")(truth)),
);
say();
const plugged = { "the keyboard": keyboard, "the mouse": mouse, "the stick": stick, BadUSB: bad };
for (const [what, { name }] of Object.entries(plugged)) {
	say(`  ${what.padEnd(24)} ${name.padEnd(5)} ${verdict(now, name)}`);
}
const alert = await strict.alert(bad.name, ({ Result }) => Result === "Permission denied");
say(`\nAs a SIEM gets it, one line:\n${dim(JSON.stringify(alert))}`);
say(dim("\n$ portward usb list"));
const listing = await vm.sh("/run/portward usb list");
// The controllers of the hostile devices are many, and but for the first empty.
say(listing.replace(/^usb(?:[4-9]|\d\d).*\n?/gm, "").trimEnd());

heading("After the daemon's end everything stays refused, until somebody says otherwise");
await strict.stop(9);
say("kill -9:");
say(
	`  ${defaults(await usbTruth(vm))
		.split("  ")
		.slice(0, 2)
		.join("  ")}`,
);
say(dim("\n$ portward release usb"));
say((await vm.sh("/run/portward release usb")).trimEnd());
say(
	`  ${"the stick".padEnd(24)} ${stick.name.padEnd(5)} ${verdict(await settled("the disk", hasNode(stick.name, "block")), stick.name)}`,
);
await hostile.stop();
