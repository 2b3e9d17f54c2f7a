/**
 * The compiled executable and USB devices in a virtual machine: how long a
 * device waits for its decision, and whether a burst of them is dealt with to
 * the last. Times are the guest kernel's own, under QEMU's emulation, which is
 * about ten times slower than a machine.
 */

import { plug, unplugged } from "../test/vm/lab/devices.ts";
import { Hostile, type HostileDevice } from "../test/vm/lab/hostile.ts";
import { devicePolicy, GuestDaemon, portwardFiles } from "../test/vm/lab/portward.ts";
import { Trace, type TraceEvent } from "../test/vm/lab/trace.ts";
import { type UsbTruth, usbTruth } from "../test/vm/lab/truth.ts";
import { Vm } from "../test/vm/lab/vm.ts";
import { until } from "../test/vm/lab/wait.ts";
import { keyboard } from "../test/vm/lab/zoo.ts";
import { type Figure, quantity } from "./report.ts";

const patience = 300_000;
const plugs = 40;
/** Half of them at each speed: the virtual controllers have 120 ports for either. */
const burst = 200;

/** Milliseconds from the kernel's announcement of each device to the last write about it. */
function delays(events: readonly TraceEvent[]): number[] {
	const announced = new Map<string, number>();
	const last = new Map<string, number>();
	const values: number[] = [];
	const finish = (name: string): void => {
		const [from, to] = [announced.get(name), last.get(name)];
		if (from !== undefined && to !== undefined) values.push((to - from) / 1000);
		announced.delete(name);
		last.delete(name);
	};
	for (const { what, name, value, at } of events) {
		if (what === "add" && /^\d+-[\d.]+$/.test(name)) {
			finish(name);
			announced.set(name, at);
		} else if (what === "authorized") last.set(name, at);
		else if (what === "interface") last.set(name.split(":")[0] ?? "", at);
		else if (what === "drivers_probe") last.set(value.trim().split(":")[0] ?? "", at);
	}
	for (const name of [...announced.keys()]) finish(name);
	return values.sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], share: number): number {
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function settled(vm: Vm, what: string, condition: (truth: UsbTruth) => boolean): Promise<UsbTruth> {
	return until(patience, what, async () => {
		const truth = await usbTruth(vm);
		return condition(truth) ? truth : undefined;
	});
}

/** One device after the other, each allowed: a mouse of QEMU's. */
async function oneByOne(vm: Vm, trace: Trace): Promise<number[]> {
	for (let round = 0; round < plugs; round++) {
		const mouse = await plug(vm, "mouse", { port: "3" });
		await settled(
			vm,
			"the mouse's driver",
			({ interfaces }) => interfaces.get(`${mouse.name}:1.0`)?.driver === "usbhid",
		);
		await unplugged(vm, mouse);
	}
	const measured = delays(await trace.events());
	if (measured.length !== plugs) throw new Error(`${measured.length} of ${plugs} decisions were traced`);
	return measured;
}

/** Half of them allowed and half refused, as fast as the guest takes them. How many ended as the policies say. */
async function allAtOnce(vm: Vm, hostile: Hostile): Promise<{ right: number; seconds: number }> {
	const refused = { 2: "Refused" };
	const devices = Array.from({ length: burst }, (_, index): HostileDevice => {
		const speed = index < burst / 2 ? "high" : "super";
		const device = index % 2 === 0 ? keyboard() : keyboard({ strings: refused });
		if (speed === "high") return device;
		// SuperSpeed: bMaxPacketSize0 is an exponent (USB 3.2, 9.6.1).
		const descriptor = device.device.slice();
		descriptor.set([0x00, 0x03], 2);
		descriptor[7] = 9;
		return { ...device, device: descriptor, speed };
	});
	const plugged = await hostile.plugAll(devices);
	const right = ({ devices: seen, interfaces }: UsbTruth): number =>
		plugged.filter(({ name }, index) =>
			index % 2 === 0
				? interfaces.get(`${name}:1.0`)?.driver === "usbhid"
				: seen.get(name)?.authorized === false,
		).length;
	const truth = await settled(vm, "the burst", (now) => right(now) === burst);
	const names = new Set(plugged.map(({ name }) => name));
	const times = vm.events
		.uevents(({ action, name }) => action === "add" && names.has(name), plugged[0]?.mark ?? 0)
		.map(({ at }) => at);
	const seconds = (Math.max(...times) - Math.min(...times)) / 1_000_000;
	return { right: right(truth), seconds };
}

/** Figures of the VM; needs what scripts/setup-vm.sh prepares. */
export async function usbVmFigures(): Promise<Figure[]> {
	await using vm = await Vm.boot({ flavour: "fast", files: portwardFiles(), memory: 1536 });
	const daemon = new GuestDaemon(vm);
	await daemon.start({ refused: devicePolicy("refused", "Block", "{ class: HID, product: Refused }") });
	const trace = await Trace.start(vm);
	const single = await oneByOne(vm, trace);
	const hostile = await Hostile.start(vm);
	await trace.clear();
	const { right, seconds } = await allAtOnce(vm, hostile);
	const crowd = delays(await trace.events());
	await trace.stop();
	const figures = [
		quantity(`uevent to last write, one of ${plugs} devices, p50`, quantile(single, 0.5), "ms", null),
		quantity(`uevent to last write, one of ${plugs} devices, p99`, quantile(single, 0.99), "ms", null),
		quantity(`burst of ${burst} devices: decided wrongly or lost`, burst - right, "devices", 0),
		quantity(`burst: first to last device announced`, seconds, "s", null),
		quantity(`burst: uevent to last write of those allowed, p50`, quantile(crowd, 0.5), "ms", null),
		quantity(`burst: uevent to last write of those allowed, p99`, quantile(crowd, 0.99), "ms", null),
	];
	await hostile.stop();
	return figures;
}
