/**
 * Random devices of several configurations, random policies, and switches of the configuration while all of it goes on:
 * no refused function ever meets a driver, and in the end what is permitted has one. The verdict is the oracle's.
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { SelectedEntry } from "../../../../src/enforcers/usb/compile/match.ts";
import { readUsbDevice } from "../../../../src/enforcers/usb/observe/devices.ts";
import { devices, oracle, rules } from "../compile/oracle.ts";
import { type FakeDevice, fakeDriver } from "../support/fake-device.ts";
import { UsbRig } from "../support/usb-rig.ts";

/** A device of the oracle's as the fake kernel takes it; sound, as two readings are another matter. */
const shapes = devices.map((subject): FakeDevice => {
	const { device: own, vendorId, productId, configurations } = subject.descriptors;
	return {
		triple: [own.class, own.subClass, own.protocol],
		vendor: vendorId,
		product: productId,
		configurations: configurations.map(({ interfaces }) => {
			const seen = new Set<string>();
			return interfaces
				.filter(
					({ number, alternate }) =>
						!seen.has(`${number}.${alternate}`) && seen.add(`${number}.${alternate}`),
				)
				.map(({ number, alternate, class: code, subClass, protocol }) => ({
					number,
					alternate,
					triple: [code, subClass, protocol] as const,
				}));
		}),
	};
});

const ports = ["1-1", "1-2"];

type Step =
	| { readonly what: "plug"; readonly port: string; readonly device: FakeDevice }
	| { readonly what: "configure"; readonly port: string; readonly value: number }
	| { readonly what: "policies"; readonly rules: readonly SelectedEntry[] }
	| { readonly what: "wait" };

const port = fc.constantFrom(...ports);
const steps: fc.Arbitrary<Step> = fc.oneof(
	fc.record({ what: fc.constant("plug" as const), port, device: shapes }),
	fc.record({ what: fc.constant("configure" as const), port, value: fc.integer({ min: 1, max: 2 }) }),
	fc.record({ what: fc.constant("policies" as const), rules }),
	fc.record({ what: fc.constant("wait" as const) }),
);

/** Every entry blocks or allows, so that USB is locked from the first policies on. */
const locking = (list: readonly SelectedEntry[]): SelectedEntry[] => [
	...list,
	...list
		.slice(0, 1)
		.map((item) => ({ ...item, policy: "z", entry: { ...item.entry, action: "Block" as const } })),
];

test("no refused function ever meets a driver, whatever is switched when", async () => {
	let met = 0;
	let withheld = 0;
	await fc.assert(
		fc.asyncProperty(rules, fc.array(steps, { minLength: 2, maxLength: 10 }), async (first, events) => {
			const rig = new UsbRig();
			const { kernel } = rig;
			let current = locking(first);
			/** Every driver that was met since then was met by a function that may be used. */
			const permittedSince = (bound: number) => {
				for (const bind of kernel.binds.slice(bound)) {
					const [name = ""] = bind.split(" ");
					const device = readUsbDevice(kernel, name.split(":")[0] ?? "");
					if (device === null || device.device.level === 0) continue;
					const refused = oracle.decide(current, "block", device.device);
					met++;
					expect([bind, refused === "refuse" || refused.includes(name.split(":")[1] ?? "")]).toEqual([
						bind,
						false,
					]);
				}
			};
			try {
				await rig.run(...current);
				for (const event of events) {
					// What was permitted under the last policies had met its driver before: begin anew with each set.
					const bound = kernel.binds.length;
					if (event.what === "policies") {
						current = locking(event.rules);
						await rig.enforcer.enforce(current);
						continue;
					}
					const there = (name: string) => kernel.list("bus/usb/devices").includes(name);
					if (event.what === "plug") {
						if (there(event.port)) kernel.unplug(event.port);
						kernel.plug(event.port, event.device);
					} else if (event.what === "configure" && there(event.port) && kernel.authorized(event.port)) {
						kernel.meddle(`bus/usb/devices/${event.port}/bConfigurationValue`, String(event.value));
					}
					// Some looks are over by the next step, and some are not.
					if (event.what === "wait") await rig.enforcer.enforce(current);
					if (current.length === 0 || !rig.enforcer.state.locked) continue;
					permittedSince(bound);
				}
				const bound = kernel.binds.length;
				await rig.enforcer.enforce(current);
				await rig.enforcer.enforce(current);
				if (!rig.enforcer.state.locked) return;
				if (current.length > 0) permittedSince(bound);
				for (const name of ports) {
					const present = readUsbDevice(kernel, name);
					if (present === null) continue;
					const refused = oracle.decide(current, "block", present.device);
					if (refused === "refuse") withheld++;
					expect([name, present.authorized]).toEqual([name, refused !== "refuse"]);
					for (const item of present.interfaces) {
						const permitted = refused !== "refuse" && !refused.includes(item.name.split(":")[1] ?? "");
						expect([item.name, item.authorized]).toEqual([item.name, permitted]);
						const [shown] = present.device.descriptors.configurations
							.filter(({ value }) => value === item.configuration)
							.flatMap(({ interfaces }) => interfaces.filter(({ number }) => number === item.number));
						const driver = permitted ? (fakeDriver(shown?.class ?? 0) ?? null) : null;
						expect([item.name, item.driver]).toEqual([item.name, driver]);
						if (driver !== null) met++;
					}
				}
			} finally {
				await rig.stop();
			}
		}),
		{ numRuns: 60 },
	);
	expect(met).toBeGreaterThan(0);
	expect(withheld).toBeGreaterThan(0);
});
