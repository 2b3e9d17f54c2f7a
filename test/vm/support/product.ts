/** The shipped file in a guest, with what tests plug in and the kernel's verdicts about it. */

import { expect } from "bun:test";
import { type Plugged, plug, type UsbKind } from "../lab/devices.ts";
import { type Gadget, plugGadget } from "../lab/gadget.ts";
import { Hostile, type HostileDevice, type HostilePlugged } from "../lab/hostile.ts";
import { type GuestAlert, GuestDaemon, portwardFiles } from "../lab/portward.ts";
import type { TraceEvent } from "../lab/trace.ts";
import { below, bindsSince, nodesOf, type UsbTruth, usbTruth } from "../lab/truth.ts";
import { Vm } from "../lab/vm.ts";
import { until } from "../lab/wait.ts";

export type Policies = Readonly<Record<string, string>>;

/** A device's name in sysfs, and its place in the event stream: before it was plugged. */
export interface Named {
	readonly name: string;
	readonly mark: number;
}

export const patience = 150_000;

export class Product {
	daemon: GuestDaemon;
	private settings: string | undefined;
	private alertMark = 0;
	private hostile: Hostile | undefined;
	private readonly plugged: (Plugged | Gadget)[] = [];
	private hostilePlugged: HostilePlugged[] = [];

	private constructor(readonly vm: Vm) {
		this.daemon = new GuestDaemon(vm);
	}

	/** `udev`: with systemd-udevd, and so with an administrator's rules. */
	static async boot(files: Readonly<Record<string, string>> = {}, udev = false): Promise<Product> {
		const all = { ...portwardFiles(), ...files };
		const vm = await Vm.boot({ flavour: "fast", files: all, memory: 1536, udev });
		return new Product(vm);
	}

	/** Puts policies in force, in the running daemon if it has these lines of settings, otherwise in a new one. */
	async enforce(policies: Policies, settings = ""): Promise<void> {
		if (this.settings === settings) await this.daemon.setPolicies(policies);
		else {
			if (this.settings !== undefined) await this.end();
			this.daemon = new GuestDaemon(this.vm, settings);
			this.settings = settings;
			this.alertMark = 0;
			await this.daemon.start(policies);
		}
		const texts = Object.values(policies);
		const posture =
			settings.includes("Posture: block") && texts.some((text) => text.includes("action: Allow"));
		const closed = ({ hubs }: UsbTruth) =>
			[...hubs.values()].every(({ devices, interfaces }) => devices === "0" && interfaces === "0");
		if (posture || texts.some((text) => text.includes("action: Block")))
			await this.settled(closed, "the controllers to be locked");
	}

	/** Ends the daemon by a signal; milliseconds that took. */
	async end(signal = 15): Promise<number> {
		this.settings = undefined;
		return await this.daemon.stop(signal);
	}

	/** The first alert of this test about a device that satisfies the condition. */
	alert(
		device: Pick<Named, "name">,
		condition: (alert: GuestAlert) => boolean = () => true,
	): Promise<GuestAlert> {
		const alerts = () => this.daemon.alerts().slice(this.alertMark);
		return until(
			patience,
			() =>
				`an alert about ${device.name}; there are:\n${alerts()
					.map((one) => JSON.stringify(one))
					.join("\n")}`,
			() => alerts().find((alert) => alert.EventData.Port === device.name && condition(alert)),
		);
	}

	/** The program of the hostile devices; the first call adds its controllers. */
	async devices(): Promise<Hostile> {
		this.hostile ??= await Hostile.start(this.vm);
		return this.hostile;
	}

	async plugIn(kind: UsbKind, port: string): Promise<Plugged> {
		const device = await plug(this.vm, kind, { port });
		this.plugged.push(device);
		return device;
	}

	async gadget(...functions: string[]): Promise<Gadget> {
		const device = await plugGadget(this.vm, { functions });
		this.plugged.push(device);
		return device;
	}

	async plugHostile(...devices: readonly HostileDevice[]): Promise<HostilePlugged[]> {
		const plugged = await (await this.devices()).plugAll(devices);
		this.hostilePlugged.push(...plugged);
		return plugged;
	}

	async plugOne(device: HostileDevice): Promise<HostilePlugged> {
		const [plugged] = await this.plugHostile(device);
		if (!plugged) throw new Error("unreachable");
		return plugged;
	}

	async unplugHostile(...devices: readonly HostilePlugged[]): Promise<void> {
		this.hostilePlugged = this.hostilePlugged.filter((one) => !devices.includes(one));
		await (await this.devices()).unplugAll(devices);
	}

	/** Pulls out one of QEMU's devices. */
	async pull(device: Plugged | Gadget): Promise<void> {
		this.plugged.splice(this.plugged.indexOf(device), 1);
		await device.unplug();
		await this.settled(({ devices }) => !devices.has(device.name), `${device.name} to go`);
	}

	/** Waits until the kernel's state of things satisfies the condition. */
	settled(condition: (truth: UsbTruth) => boolean, what: string): Promise<UsbTruth> {
		let last: UsbTruth | undefined;
		const show = () => JSON.stringify([...(last?.interfaces.values() ?? []), ...(last?.nodes ?? [])]);
		return until(
			patience,
			() => `${what}; last: ${show()}\n${this.daemon.log()}`,
			async () => {
				last = await usbTruth(this.vm);
				return condition(last) ? last : undefined;
			},
		);
	}

	/** Waits until a node of this class hangs on the device. */
	node(device: Named, nodeClass: string): Promise<UsbTruth> {
		const there = (now: UsbTruth) => nodesOf(now, device.name, nodeClass).length > 0;
		return this.settled(there, `a ${nodeClass} node of ${device.name}`);
	}

	/** Waits until a node of this class hangs on each of the devices: one look for all of them. */
	nodes(devices: readonly Named[], nodeClass: string): Promise<UsbTruth> {
		const lacks = (now: UsbTruth) =>
			devices.filter((device) => nodesOf(now, device.name, nodeClass).length === 0);
		return this.settled((now) => lacks(now).length === 0, `${nodeClass} nodes of ${devices.length} devices`);
	}

	/** Waits for the daemon's decision; then the kernel shows a refused device without anything below, and none ever was. */
	async expectRefused(device: Named): Promise<void> {
		await this.daemon.state(device.name, "refused");
		const truth = await usbTruth(this.vm);
		expect(truth.devices.get(device.name)?.authorized).toBe(false);
		expect(below(truth, device.name)).toEqual([]);
		expect(nodesOf(truth, device.name)).toEqual([]);
		expect([...(await bindsSince(this.vm, device.name, device.mark))]).toEqual([]);
	}

	/** Every root hub refuses new devices and new interfaces, and itself is authorized. */
	async expectLocked(): Promise<void> {
		const { hubs, devices } = await usbTruth(this.vm);
		expect(hubs.size).toBeGreaterThan(0);
		for (const [name, hub] of hubs) {
			expect([name, hub]).toEqual([name, { devices: "0", interfaces: "0" }]);
			expect(devices.get(name)?.authorized).toBe(true);
		}
	}

	/** What the daemon says about every device that the kernel has now, once both agree on which these are. */
	agreed(): Promise<ReadonlyMap<string, string>> {
		let last = "";
		return until(
			patience,
			() => `the daemon and the kernel to agree; ${last}\n${this.daemon.log()}`,
			async () => {
				const said = new Map((await this.daemon.devices()).map(({ port, state }) => [port, state]));
				const { devices } = await usbTruth(this.vm);
				const wrong = [...devices.values()].filter(({ name, authorized }) => {
					const state = said.get(name);
					return state === undefined || authorized === (state === "refused");
				});
				const surplus = [...said.keys()].filter((name) => !devices.has(name));
				last = JSON.stringify({ wrong, surplus });
				return wrong.length === 0 && surplus.length === 0 ? said : undefined;
			},
		);
	}

	/** Unplugs everything but what is named, and leaves a running daemon without policies. */
	async clear(keep: readonly string[] = []): Promise<void> {
		for (const device of this.plugged.splice(0).reverse()) await device.unplug();
		if (this.hostilePlugged.length > 0) await this.unplugHostile(...this.hostilePlugged);
		await this.settled(
			({ devices }) => ![...devices.keys()].some((name) => /^\d+-/.test(name) && !keep.includes(name)),
			"all devices to go",
		);
		if (this.settings === undefined) return;
		await this.daemon.setPolicies({});
		const open = ({ hubs }: UsbTruth) =>
			[...hubs.values()].every(({ devices, interfaces }) => devices === "1" && interfaces === "1");
		await this.settled(open, "the controllers to be unlocked");
		await this.agreed();
		this.alertMark = this.daemon.alerts().length;
	}

	async stop(): Promise<void> {
		await this.vm.stop();
	}
}

/**
 * The interfaces of a device that met a driver without being permitted, by the order in which the kernel itself saw
 * writes and drivers.
 */
export function boundUnpermitted(events: readonly TraceEvent[], device: string): readonly string[] {
	const permitted = new Set<string>();
	const wrong: string[] = [];
	for (const { what, name, value } of events) {
		if (!name.startsWith(`${device}:`)) continue;
		if (what === "interface" && value.startsWith("1")) permitted.add(name);
		else if (what === "interface") permitted.delete(name);
		else if (what === "bound" && !permitted.has(name)) wrong.push(name);
	}
	return wrong;
}
