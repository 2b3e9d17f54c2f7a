/** Reads the `device` block of a KubeArmorHostPolicy. */

import type { BlockRead, HostBlock } from "../../../document/host-policy.ts";
import type { Fields, NodeReader } from "../../../document/nodes.ts";
import { type RuleDefaults, readDefaults } from "../../../document/rule-defaults.ts";
import { type DeviceEntry, devicePart, type HostDevicePolicy } from "../model.ts";
import { readDeviceEntry } from "./entry.ts";
import { deviceFields, deviceSchema } from "./json-schema.ts";

const unnestedEntry = {
	code: "bad-nesting",
	message: "matchDevice stands outside device",
	hint: "write device: and, indented below it, matchDevice:",
};

export const deviceBlock: HostBlock = {
	field: "device",
	schema: deviceSchema,
	remedies: { matchDevice: unnestedEntry },
	nothing: {
		message: "the policy matches no device, so it does nothing",
		hint: "write device: {matchDevice: [{class: MASS-STORAGE}]}",
	},
	read: readDevice,
};

function readDevice(reader: NodeReader, spec: Fields, policy: RuleDefaults): BlockRead {
	const device = reader.present(spec, "device");
	const fields = device && reader.fields(device.node, device.path, deviceFields);
	const { action } = policy;
	if (fields === null) return blockOf({ action, entries: [] });
	const inherited = readDefaults(reader, fields, policy);
	const list = reader.present(fields, "matchDevice");
	const entries: DeviceEntry[] = [];
	const items = list === null ? [] : reader.items(list.node, list.path, "- class: MASS-STORAGE");
	for (const item of items) {
		const entry = readDeviceEntry(reader, item, inherited);
		if (entry !== null) entries.push(entry);
	}
	return blockOf({ action: inherited.action, entries });
}

function blockOf({ action, entries }: Pick<HostDevicePolicy, "action" | "entries">): BlockRead {
	return {
		action,
		isEmpty: entries.length === 0,
		part: ({ name, place, nodeSelector, staged }) => {
			const mode = staged === undefined ? {} : { staged };
			const head = { kind: "KubeArmorHostPolicy", name, place, nodeSelector, action, ...mode } as const;
			return devicePart.wrap({ ...head, entries });
		},
	};
}
