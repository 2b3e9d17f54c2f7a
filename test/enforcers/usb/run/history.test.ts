/** Whatever happens to devices, policies, events and the daemon: in the end the kernel has what the policies and others say. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { isPermitted } from "../../../../src/enforcers/usb/apply/reconcile.ts";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { listUsbDevices, readUsbDevice, usbInstance } from "../../../../src/enforcers/usb/observe/devices.ts";
import type { FakeDevice } from "../support/fake-device.ts";
import { badUsb, keyboard, stick } from "../support/shapes.ts";
import { entry, UsbRig } from "../support/usb-rig.ts";

const kinds: readonly FakeDevice[] = [
	keyboard,
	stick,
	badUsb,
	{ configurations: [[{ triple: [0xff, 1, 1] }, { alternate: 1, triple: [3, 1, 1] }]] },
	{ configurations: [[{ triple: [8, 6, 0x50] }], [{ triple: [3, 1, 1] }]] },
	{ triple: [9, 0, 1], configurations: [[{ triple: [9, 0, 0] }]] },
	{ configurations: [[{ triple: [14, 1, 0] }]], descriptors: Uint8Array.of(18, 1, 0, 2, 0, 0, 0, 64) },
];
const sets = [
	[],
	[entry("Audit", { class: 8 })],
	[entry("Block", { class: 8 })],
	[entry("Block", { class: 3 }), entry("Allow", { class: 3, level: 2 })],
	[entry("Allow", { class: 3 }), entry("Allow", { class: 9 })],
	[entry("Block", {}), entry("Allow", { class: 8 })],
];
const ports = ["1-1", "1-2", "1-3", "1-3.1", "1-3.2"];

type Happening =
	| { readonly what: "plug"; readonly port: string; readonly kind: number }
	| { readonly what: "unplug" | "authorize" | "refuse"; readonly port: string }
	| { readonly what: "policies"; readonly set: number }
	| { readonly what: "restart" | "lose" | "wait" | "open" };

const port = fc.constantFrom(...ports);
const happening: fc.Arbitrary<Happening> = fc.oneof(
	{
		weight: 4,
		arbitrary: fc.record({ what: fc.constant("plug" as const), port, kind: fc.nat(kinds.length - 1) }),
	},
	{
		weight: 3,
		arbitrary: fc.record({
			what: fc.constantFrom("unplug" as const, "authorize" as const, "refuse" as const),
			port,
		}),
	},
	{
		weight: 2,
		arbitrary: fc.record({ what: fc.constant("policies" as const), set: fc.nat(sets.length - 1) }),
	},
	{
		weight: 2,
		arbitrary: fc.record({
			what: fc.constantFrom("restart" as const, "lose" as const, "wait" as const, "open" as const),
		}),
	},
);

interface Current {
	set: number;
	/** Instances whose authorization somebody else took away. */
	readonly refused: Set<string>;
}

async function happen(rig: UsbRig, event: Happening, current: Current): Promise<void> {
	const { kernel } = rig;
	const there = (name: string) => listUsbDevices(kernel).includes(name);
	if (event.what === "plug") {
		const hub = event.port.includes(".") ? event.port.slice(0, event.port.lastIndexOf(".")) : "usb1";
		const device = kinds[event.kind];
		if (device && !there(event.port) && there(hub)) kernel.plug(event.port, device);
	} else if (event.what === "policies") {
		current.set = event.set;
		await rig.enforcer.enforce(sets[event.set] ?? []);
	} else if (event.what === "restart") {
		// Without the event that it asks for, the new daemon would rightly do nothing.
		kernel.delivers = true;
		await rig.restart();
		await rig.run(...(sets[current.set] ?? []));
	} else if (event.what === "lose") kernel.delivers = !kernel.delivers;
	else if (event.what === "open") kernel.meddle("bus/usb/devices/usb1/authorized_default", "1");
	else if (event.what === "wait") await Bun.sleep(2);
	else if ("port" in event) {
		if (event.what === "unplug") kernel.unplug(event.port);
		else if (there(event.port)) {
			const instance = usbInstance(kernel, event.port) ?? "";
			if (event.what === "authorize") current.refused.delete(instance);
			else if (kernel.authorized(event.port)) current.refused.add(instance);
			kernel.meddle(`bus/usb/devices/${event.port}/authorized`, event.what === "authorize" ? "1" : "0");
		}
	}
}

/** Has all of a random history happen, and holds what is in force then against the policies. */
async function check(events: readonly Happening[], first: number): Promise<void> {
	const rig = new UsbRig();
	const current = { set: first, refused: new Set<string>() };
	try {
		await rig.run(...(sets[first] ?? []));
		for (const event of events) await happen(rig, event, current);
		rig.kernel.delivers = true;
		await rig.enforcer.enforce(sets[current.set] ?? []);
		// What hangs on a hub that was only now authorized has been judged by then, too.
		await rig.enforcer.enforce(sets[current.set] ?? []);
		const ruleset = new DeviceRuleset(sets[current.set] ?? [], rig.config.hostDefaultDevicePosture);
		if (!ruleset.needsLock) return;
		for (const name of listUsbDevices(rig.kernel)) {
			const present = readUsbDevice(rig.kernel, name);
			if (present === null || present.device.level === 0) continue;
			const decision = decideDevice(ruleset, present.device, { mode: "apply", consoleKeyboard: false });
			// What somebody else refused, and nobody gave back, may stay so, where the policies let it in.
			const others = !present.authorized && current.refused.has(present.instance);
			if (!others) expect([name, present.authorized]).toEqual([name, decision.device === "authorize"]);
			for (const item of present.interfaces) {
				expect([item.name, item.authorized]).toEqual([item.name, isPermitted(decision, item)]);
				if (item.driver !== null) expect(isPermitted(decision, item)).toBe(true);
			}
		}
		expect(rig.kernel.readText("bus/usb/devices/usb1/authorized_default")).toBe("0");
	} finally {
		await rig.stop();
	}
}

test("in the end the kernel has what the policies say", async () => {
	const histories = fc.array(happening, { minLength: 1, maxLength: 30 });
	const property = fc.asyncProperty(histories, fc.nat(sets.length - 1), check);
	// Each mostly waits, for events that do not come.
	await Promise.all(Array.from({ length: 4 }, () => fc.assert(property, { numRuns: 50 })));
});
