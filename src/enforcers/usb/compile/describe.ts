/** How device policies are told, entry by entry. */

import type { Conditions, Described, Description, Telling } from "../../contract/describe.ts";
import { usbClassName } from "../class.ts";
import type { DeviceMatch, HostDevicePolicy } from "../model.ts";
import type { DevicePosture, DeviceRuleset } from "./ruleset.ts";

export const deviceTelling: Telling = {
	key: "usbEntries",
	heading: "USB entries",
	packets: false,
	lists: [{ name: "device", field: "matchDevice", label: "USB" }],
};

/** @param posture that is in force */
export function describeDevices(
	policies: readonly HostDevicePolicy[],
	{ allowlistMode }: DeviceRuleset,
	posture: DevicePosture,
): Description {
	return {
		rules: policies.flatMap(describeEntries),
		defaults: { device: { allowlistMode, unmatched: allowlistMode ? posture : "accept" } },
	};
}

function describeEntries(policy: HostDevicePolicy): Described[] {
	return policy.entries.map(
		({ index, place, action, severity, tags, message, match }): Described => ({
			policy: policy.name,
			direction: "device",
			index,
			action,
			severity,
			tags,
			message,
			place,
			conditions: entryConditions(match),
		}),
	);
}

function entryConditions(match: DeviceMatch): Conditions {
	const number = (value: number | null) => (value === null ? [] : [String(value)]);
	const id = (value: number | null) => (value === null ? [] : [value.toString(16).padStart(4, "0")]);
	const text = (value: string | null) => (value === null ? [] : [value]);
	return {
		class: [match.class === null ? "ALL" : usbClassName(match.class)],
		subClass: number(match.subClass),
		protocol: number(match.protocol),
		level: number(match.level),
		vendorId: id(match.vendorId),
		productId: id(match.productId),
		serial: match.serial ?? [],
		product: match.product ?? [],
		manufacturer: match.manufacturer ?? [],
		port: text(match.port),
		connectType: text(match.connectType),
	};
}
