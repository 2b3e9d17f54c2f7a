/** Which present USB devices a change of policies would refuse, or let work again. */

import {
	type DeviceDecision,
	decideDevice,
	isBootKeyboard,
	type JudgedFunction,
} from "../compile/usb-decide.ts";
import { DeviceRuleset, selectEntries, type Verdict } from "../compile/usb-ruleset.ts";
import type { Config } from "../config/model.ts";
import { bootId, UsbMemory } from "../daemon/usb-memory.ts";
import type { PresentDevice } from "../observe/usb-devices.ts";
import { usbClassName } from "../policy/device-class.ts";
import type { HostDevicePolicy } from "../policy/device-model.ts";
import type { Cause, DeviceChange, DevicesPlan } from "./plan-model.ts";
import { presentDevices } from "./usb-devices.ts";

/** Reads the devices below `sysRoot`, and from the state directory which of them this boot began with. */
export function planDevices(
	config: Config,
	before: readonly HostDevicePolicy[],
	after: readonly HostDevicePolicy[],
	sysRoot: string,
): DevicesPlan {
	const present = presentDevices(sysRoot);
	if (present === null) return { checked: false, reason: "the kernel shows no USB", changes: [] };
	const memory = new UsbMemory(config.stateDir, bootId());
	const { hostDefaultDevicePosture: posture, enforcement } = config;
	const rulesets = [before, after].map(
		(policies) => new DeviceRuleset(selectEntries(policies), posture, enforcement),
	);
	const changes = present.flatMap((device) => {
		// What is there when portward first starts counts as there before it.
		const wasPresent = memory.value.present?.includes(device.instance) ?? true;
		const [old, fresh] = rulesets.map((ruleset) =>
			decideDevice(ruleset, device.device, {
				mode: wasPresent && config.presentDevices === "audit" ? "audit" : "apply",
				consoleKeyboard: wasPresent && config.protectConsoleKeyboard && isBootKeyboard(device.device),
			}),
		);
		return old === undefined || fresh === undefined ? [] : compare(device, old, fresh);
	});
	return { checked: true, reason: "", changes };
}

function compare({ device }: PresentDevice, before: DeviceDecision, after: DeviceDecision): DeviceChange[] {
	const refused = new Set(before.functions.filter((item) => item.refused).map(functionKey));
	const known = new Set(before.functions.map(functionKey));
	const functions = after.functions
		.filter((item) => {
			const was = known.has(functionKey(item)) ? refused.has(functionKey(item)) : before.device === "refuse";
			return item.refused !== was;
		})
		.map((item) => ({
			interface: item.interface,
			className: usbClassName(item.triple.class),
			refused: item.refused,
			cause: causeOf(item.verdict),
		}));
	if (before.state === after.state && functions.length === 0) return [];
	const { vendorId, productId } = device.descriptors;
	const hex = (id: number) => id.toString(16).padStart(4, "0");
	return [
		{
			port: device.port,
			vendorId: hex(vendorId),
			productId: hex(productId),
			manufacturer: device.manufacturer,
			product: device.product,
			before: before.state,
			after: after.state,
			functions,
		},
	];
}

function functionKey({ configuration, interface: number, triple }: JudgedFunction): string {
	return `${configuration} ${number} ${triple.class}/${triple.subClass}/${triple.protocol}`;
}

function causeOf({ action, source, entry }: Verdict): Cause | null {
	if (source === "unmatched") return null;
	return {
		policy: entry?.policy ?? "DefaultPosture",
		direction: "device",
		index: entry?.entry.index ?? null,
		action,
		file: entry?.entry.place.file ?? null,
		line: entry?.entry.place.line ?? null,
	};
}
