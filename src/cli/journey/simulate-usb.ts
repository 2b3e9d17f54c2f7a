/** What other policies would have made of the USB devices that came to this host. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { DeviceRuleset, selectEntries } from "../../enforcers/usb/compile/ruleset.ts";
import { seenDeviceJson, seenSince } from "../../enforcers/usb/history/seen-device.ts";
import {
	type SimulatedEntry,
	simulateDevices,
	type UsbSimulation,
} from "../../enforcers/usb/history/simulate.ts";
import { devicePart } from "../../enforcers/usb/model.ts";
import { readSeenDevices } from "../../enforcers/usb/run/history-keeper.ts";
import type { PolicySet } from "../../engine/policy-set.ts";
import type { Io } from "../command.ts";
import { plural } from "../diagnostics.ts";

/** Entries of one kind that are told. */
const mostEntries = 200;

const headings = { wouldBlock: "WOULD BLOCK", wouldAllow: "WOULD ALLOW" } as const;

/** Null where no device was kept, or what was kept cannot be read, which is told. */
export function simulateUsb(
	{ selected }: PolicySet,
	config: Pick<Config, "stateDir" | "hostDefaultDevicePosture">,
	since: number | null,
	io: Io,
): UsbSimulation | null {
	const kept = readSeenDevices(config.stateDir);
	const lacking = kept.ok ? kept.problem : kept.absent ? "" : kept.message;
	if (lacking !== "") io.error(`portward: ${escapeForTerminal(lacking)}\n`);
	if (!kept.ok) return null;
	const { devices } = since === null ? kept.seen : seenSince(kept.seen, since);
	// As for flows, what enforcement: audit lets pass is told as blocked.
	const entries = selectEntries(devicePart.of(selected));
	return simulateDevices(devices, new DeviceRuleset(entries, config.hostDefaultDevicePosture));
}

export function usbSimulationJson({ rules, ...totals }: UsbSimulation) {
	return {
		...totals,
		rules: rules.map(({ example, ...rule }) => {
			const { vendorId, productId, product, serial, port, count, lastSeen } = seenDeviceJson(example);
			return { ...rule, example: { vendorId, productId, product, serial, port, count, lastSeen } };
		}),
	};
}

export function usbSimulationLines({ wouldBlock, wouldAllow, unchanged, rules }: UsbSimulation): string[] {
	const total = { wouldBlock, wouldAllow };
	const lines = [`Of ${plural(wouldBlock + wouldAllow + unchanged, "USB device")} that came:`];
	for (const change of ["wouldBlock", "wouldAllow"] as const) {
		lines.push(`${headings[change]} ${total[change]}`);
		const own = rules.filter((rule) => rule.change === change);
		for (const rule of own.slice(0, mostEntries)) lines.push(...entryLines(rule));
		if (own.length > mostEntries)
			lines.push(`  and by ${own.length - mostEntries} more entries; --json has them`);
	}
	lines.push(`unchanged ${unchanged}`);
	return lines.map(escapeForTerminal);
}

function entryLines({ policy, index, count, example }: SimulatedEntry): string[] {
	const by = policy === null ? "no entry" : index === null ? policy : `${policy} device[${index}]`;
	const { vendorId, productId, product, port, lastSeen } = seenDeviceJson(example);
	const name = product === null ? "" : ` ${product}`;
	return [`  ${count} by ${by}`, `      newest: ${port} ${vendorId}:${productId}${name}, last ${lastSeen}`];
}
