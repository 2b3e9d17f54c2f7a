/** `portward usb generate-policy`: an allow-list of what is plugged in now, or of one device. */

import type { Config } from "../../config/model.ts";
import { generatePolicy } from "../../enforcers/usb/compile/generate.ts";
import { DeviceRuleset, selectEntries } from "../../enforcers/usb/compile/ruleset.ts";
import { devicePart } from "../../enforcers/usb/model.ts";
import type { PresentDevice } from "../../enforcers/usb/observe/devices.ts";
import { presentDevices, sysfsRoot } from "../../enforcers/usb/observe/present.ts";
import type { UsbDevice } from "../../enforcers/usb/subject.ts";
import { readPolicySet } from "../../engine/policy-set.ts";
import { PresentJudge } from "../../engine/present-judge.ts";
import { exit, type Io } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { parseOptions, policyOptions } from "../options.ts";
import { jsonOption } from "../outcome.ts";
import { readSettings } from "../settings.ts";
import { portArgument } from "./usb-port-argument.ts";

/** `root` is where sysfs is mounted. */
export async function usbGeneratePolicy(args: readonly string[], io: Io, root = sysfsRoot): Promise<number> {
	const { values, positionals } = parseOptions(args, { ...policyOptions, ...jsonOption });
	const port = positionals.length === 0 ? null : portArgument(positionals);
	const settings = readSettings(values, false);
	if (!settings.config) {
		printDiagnostics(settings.diagnostics, io);
		return exit.failure;
	}
	const present = presentDevices(root);
	if (present === null) {
		io.error("portward: the kernel shows no USB (/sys/bus/usb is not there)\n");
		return exit.failure;
	}
	if (port === null) {
		const refused = refusedNow(settings.config, present);
		const devices = present.map(({ device }) => device);
		return printPolicy(generatePolicy(devices, { refused }), io);
	}
	const found = present.find(({ device }) => device.port === port);
	if (found === undefined) {
		io.error(`portward: there is no device on port ${port}\n`);
		return exit.failure;
	}
	return printPolicy(policyFor(found.device), io);
}

function printPolicy(text: string, io: Io): number {
	if (io.values === undefined) io.out(text);
	else io.values.add({ generatedPolicy: text });
	return exit.ok;
}

/** A policy that allows every function of one device, refused or not: it was asked for by name. */
export function policyFor(device: UsbDevice): string {
	return generatePolicy([device], {
		name: policyName(device),
		about: [
			"Allows one USB device, on whatever port, with every function that it shows.",
			"Anything else is refused only with hostDefaultDevicePosture: block in the configuration.",
		],
	});
}

/** The same for the same device, and hardly for another. */
export function policyName(device: UsbDevice): string {
	const { vendorId, productId } = device.descriptors;
	const hex = (id: number) => id.toString(16).padStart(4, "0");
	const mark = new Bun.CryptoHasher("sha256")
		.update(JSON.stringify([device.serial, device.serial === null ? device.descriptorsHash : null]))
		.digest("hex");
	return `usb-allow-${hex(vendorId)}-${hex(productId)}-${mark.slice(0, 8)}`;
}

/** What the kernel refuses now; of configurations that are not in force, what the policies would. */
export function refusedNow(config: Config, present: readonly PresentDevice[]) {
	const { selected } = readPolicySet([config.policyDir], config);
	const { hostDefaultDevicePosture, enforcement } = config;
	const ruleset = new DeviceRuleset(
		selectEntries(devicePart.of(selected)),
		hostDefaultDevicePosture,
		enforcement,
	);
	const judge = new PresentJudge(config);
	const byPort = new Map(
		present.map((item) => [item.device.port, { item, decision: judge.decide(ruleset, item) }]),
	);
	return ({ port }: UsbDevice, configuration: number | null, number: number | null): boolean => {
		const known = byPort.get(port);
		if (known === undefined) return false;
		const { item, decision } = known;
		if (!item.authorized || configuration === null) return !item.authorized;
		const inForce = item.interfaces.find(
			(one) => one.configuration === configuration && one.number === number,
		);
		if (inForce !== undefined) return !inForce.authorized;
		return decision.interfaces.some(
			(one) => one.configuration === configuration && one.number === number && !one.permitted,
		);
	};
}
