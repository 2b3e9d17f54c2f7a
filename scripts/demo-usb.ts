/**
 * Shows Portward at work on USB: boots a virtual machine with a real kernel,
 * plugs devices into it, and lets the kernel say what became of them.
 */

import { plug } from "../test/vm/lab/devices.ts";
import { plugGadget } from "../test/vm/lab/gadget.ts";
import { devicePolicy, GuestDaemon, portwardFiles } from "../test/vm/lab/portward.ts";
import { driversOf, nodesOf, usbTruth } from "../test/vm/lab/truth.ts";
import { Vm } from "../test/vm/lab/vm.ts";
import { until } from "../test/vm/lab/wait.ts";

const terminal = process.stdout.isTTY;
const style = (code: number) => (text: string) => (terminal ? `\x1b[${code}m${text}\x1b[0m` : text);
const [bold, dim, red, yellow, green] = [style(1), style(2), style(31), style(33), style(32)];

function say(text = ""): void {
	console.log(text);
}

const policy = devicePolicy("only-keyboards-and-mice", "Allow", "class: HID").replace(
	"    - class: HID\n",
	"    - class: HID\n      message: keyboards and mice\n",
);

say(bold("\nBooting a virtual machine with Debian's kernel, without a network ...\n"));
await using vm = await Vm.boot({ flavour: "fast", files: portwardFiles(), memory: 1536 });
say(dim(`linux ${await vm.sh("uname -r")}, ready after ${(vm.bootTime / 1000).toFixed(1)} s`));
say(`\nThe policy, an allow-list (hostDefaultDevicePosture: block):\n\n${dim(policy)}`);

const daemon = new GuestDaemon(vm, "hostDefaultDevicePosture: block\n");
await daemon.start({ hid: policy });
const hubs = [...(await usbTruth(vm)).hubs];
say(`${green("locked")}: ${hubs.length} controllers authorize nothing by themselves any more\n`);

interface Shown {
	readonly what: string;
	readonly name: string;
	readonly expected: "works" | "refused" | "half";
}

/** What the kernel says of a device: the drivers of its interfaces, and what programs can open. */
async function show({ what, name, expected }: Shown): Promise<void> {
	await daemon.state(name, { works: "authorized", refused: "refused", half: "partial" }[expected]);
	const truth = await until(60_000, `${what} to settle`, async () => {
		const now = await usbTruth(vm);
		return expected === "refused" || nodesOf(now, name).length > 0 ? now : undefined;
	});
	const drivers = [...driversOf(truth, name)].map(([at, driver]) => `interface ${at} has ${driver}`);
	const nodes = [...new Set(nodesOf(truth, name).map((node) => node.class))];
	const word = { works: green("works  "), refused: red("refused"), half: yellow("partly ") }[expected];
	say(
		`  ${word}  ${what.padEnd(52)} ${dim(`${name}: ${drivers.join(", ") || "no driver"}; ${nodes.join(", ") || "nothing to open"}`)}`,
	);
	const refused = expected === "refused";
	if (refused !== (drivers.length === 0) || refused !== (nodes.length === 0))
		throw new Error(`${what}: ${drivers} ${nodes}`);
	if (nodes.includes("block")) throw new Error(`${what} became a disk`);
}

const keyboard = await plug(vm, "keyboard", { port: "1" });
await show({ what: "a keyboard", name: keyboard.name, expected: "works" });
const stick = await plug(vm, "storage", { port: "2" });
await show({ what: "a stick", name: stick.name, expected: "refused" });
await plug(vm, "hub", { port: "3" });
const mouse = await plug(vm, "mouse", { port: "3.1" });
await show({ what: "a mouse behind a hub", name: mouse.name, expected: "works" });
const serial = await plug(vm, "serial", { port: "3.2" });
await show({ what: "a serial adapter behind the same hub", name: serial.name, expected: "refused" });
const network = await plugGadget(vm, { functions: ["keyboard", "disk", "ecm"], title: "Nice keyboard" });
await show({
	what: "a BadUSB: keyboard, hidden disk and network card",
	name: network.name,
	expected: "half",
});

say("\nAlerts, as a SIEM gets them:\n");
for (const { Action, Result, PolicyName, Resource, EventData } of daemon.alerts()) {
	if (Result !== "Permission denied") continue;
	say(
		`  ${Action} ${Resource.padEnd(21)} ${PolicyName}: ${EventData.Product ?? ""} on ${EventData.Port}, ${Result}`,
	);
}
say(`\n${dim("$ portward usb list")}\n${await vm.sh("/run/portward usb list")}`);
await daemon.stop();
const late = await plug(vm, "mouse", { port: "5" });
const locked = (await usbTruth(vm)).devices.get(late.name)?.authorized === false;
if (!locked) throw new Error("the end of the daemon opened the ports");
say(`\nAfter the daemon's end the ports stay locked: a new mouse on ${late.name} is ${red("refused")}.`);
say(`${dim("$ portward release usb")}\n${await vm.sh("/run/portward release usb")}`);
await until(60_000, "the stick", async () => nodesOf(await usbTruth(vm), stick.name, "block").length > 0);
say(`The stick on ${stick.name} is a disk now, and the mouse works.\n`);
