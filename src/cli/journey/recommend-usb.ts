/** `portward recommend usb`: a policy that allows the devices that were seen, beside those of what was seen on the network. */

import { resolve } from "node:path";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { compareTexts } from "../../enforcers/network/history/recommend/candidate.ts";
import { isUnchanged, signedText } from "../../enforcers/network/history/recommend/generated.ts";
import { generatePolicy } from "../../enforcers/usb/compile/generate.ts";
import type { SeenDevice } from "../../enforcers/usb/history/seen-device.ts";
import type { PresentDevice } from "../../enforcers/usb/observe/devices.ts";
import { presentDevices, sysfsRoot } from "../../enforcers/usb/observe/present.ts";
import { readSeenDevices } from "../../enforcers/usb/run/history-keeper.ts";
import type { UsbDevice } from "../../enforcers/usb/subject.ts";
import { formatPolicy } from "../../engine/format-policy.ts";
import { exit, type Io, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { refusedNow } from "../usb/usb-generate-policy.ts";
import { OutDirectory } from "./out-directory.ts";
import type { FileOutcome } from "./recommend-files.ts";
import { parseSince } from "./since.ts";

const name = "seen-usb";
const file = `${name}.yaml`;

const about = [
	"Allows the functions of the USB devices that were plugged in when this was written, and of those that came more than once.",
	"What was refused is a comment, and stays out: remove the # of what is to work.",
	"Anything else is refused only with hostDefaultDevicePosture: block in the configuration.",
];

interface LeftOut {
	readonly device: string;
	readonly reason: string;
}

/** @param root where sysfs is mounted */
export async function recommendUsb(args: readonly string[], io: Io, root = sysfsRoot): Promise<number> {
	const values = parseOnlyOptions(args, {
		...policyOptions,
		out: { type: "string", offer: "directory" },
		update: { type: "boolean" },
		since: { type: "string" },
		"state-dir": { type: "string" },
		json: { type: "boolean" },
	});
	const { out, update = false, json = false } = values;
	if (out === undefined)
		throw new UsageError("name where the policy is to be written: portward recommend usb --out DIR");
	const since = parseSince(values.since, Date.now());
	const settings = readSettings(values, false);
	if (settings.config === null) {
		printDiagnostics(settings.diagnostics, io);
		return exit.failure;
	}
	const present = presentDevices(root);
	if (present === null) return fail(io, "the kernel shows no USB (/sys/bus/usb is not there)");
	const kept = readSeenDevices(settings.config.stateDir);
	const lacking = kept.ok ? kept.problem : kept.message;
	if (lacking !== "") io.error(`portward: ${escapeForTerminal(lacking)}\n`);
	const seen = (kept.ok ? kept.seen.devices : []).filter(
		({ lastSeen }) => since === null || lastSeen >= since,
	);
	const { text, leftOut } = policyOf(present, settings.config, seen);
	const path = resolve(out);
	const directory = OutDirectory.open(path);
	if (typeof directory === "string") return fail(io, directory);
	using held = directory;
	const outcome = write(held, path, text, update);
	if (typeof outcome === "string") return fail(io, outcome);
	const rules = [...text.matchAll(/^ {2,4}- class:/gmu)].length;
	if (json) io.out(prettyJson({ files: [outcome], rules, leftOut }));
	else {
		io.out(`${rules === 1 ? "1 entry" : `${rules} entries`} in ${escapeForTerminal(path)}/${file}.\n`);
		for (const { device, reason } of leftOut)
			io.out(`left out: ${escapeForTerminal(`${device}: ${reason}`)}\n`);
		if (outcome.change === "kept") io.error(`portward: ${file} was changed by hand and is left alone\n`);
	}
	return exit.ok;
}

function fail(io: Io, message: string): number {
	io.error(`portward: ${escapeForTerminal(message)}\n`);
	return exit.failure;
}

function write(directory: OutDirectory, path: string, text: string, update: boolean): FileOutcome | string {
	const before = directory.read(file);
	if (before !== null && !update)
		return `${path} has ${file} already; go on there with --update, or name another directory`;
	if (before instanceof Error || (before !== null && !isUnchanged(before))) return { file, change: "kept" };
	if (before === text) return { file, change: "unchanged" };
	return directory.write([{ name: file, text }], []) ?? { file, change: "written" };
}

/** A device that came once and went is no part of the machine. */
const fewest = 2;

function policyOf(
	present: readonly PresentDevice[],
	config: Config,
	seen: readonly SeenDevice[],
): { text: string; leftOut: readonly LeftOut[] } {
	const here = present.map(({ device }) => device);
	const gone = seen
		.filter(({ device }) => !here.some((other) => isSame(device, other)))
		.sort((a, b) => compareTexts(identityOf(a.device), identityOf(b.device)));
	const often = gone.filter(({ count }) => count >= fewest);
	const refusedHere = refusedNow(config, present);
	const refused = (device: UsbDevice, configuration: number | null, number: number | null) => {
		const before = often.find((one) => one.device === device);
		return before === undefined ? refusedHere(device, configuration, number) : wasRefused(before, number);
	};
	const evidence = (device: UsbDevice) => evidenceOf(device, here, seen);
	const devices = [...here, ...often.map(({ device }) => device)];
	const formatted = formatPolicy(file, generatePolicy(devices, { name, about, refused, evidence }));
	if (!formatted.ok) throw new Error(`a policy of ours is broken: ${formatted.diagnostics[0]?.message}`);
	const once = gone.filter(({ count }) => count < fewest);
	const leftOut = [
		...devices.filter(({ level }) => level > 0).flatMap((device) => reasonsOf(device, refused)),
		...once.map(({ device }) => ({ device: nameOf(device), reason: "came once, and is gone" })),
	];
	return { text: signedText(formatted.text), leftOut };
}

/** The same for the same device on whatever port; by its own word. */
function identityOf({ descriptors: { vendorId, productId }, serial, descriptorsHash }: UsbDevice): string {
	return JSON.stringify([vendorId, productId, serial, serial === null ? descriptorsHash : null]);
}

function isSame(a: UsbDevice, b: UsbDevice): boolean {
	return identityOf(a) === identityOf(b);
}

function wasRefused({ verdict }: SeenDevice, number: number | null): boolean {
	if (verdict.state === "refused") return true;
	return verdict.functions.some((item) => item.interface === number && item.refused);
}

/** Of what is there the last time is left out: it would be another in every run. */
function evidenceOf(
	device: UsbDevice,
	here: readonly UsbDevice[],
	seen: readonly SeenDevice[],
): string | null {
	const found = seen.find((one) => isSame(one.device, device));
	if (found === undefined) return null;
	const { count, firstSeen, lastSeen } = found;
	const last = here.includes(device)
		? "there when this was written"
		: `last ${new Date(lastSeen).toISOString()}`;
	return `seen ${count === 1 ? "once" : `${count} times`}, first ${new Date(firstSeen).toISOString()}, ${last}`;
}

function nameOf(device: UsbDevice): string {
	const hex = (id: number) => id.toString(16).padStart(4, "0");
	const { vendorId, productId } = device.descriptors;
	return `${device.port} ${hex(vendorId)}:${hex(productId)} ${device.product ?? ""}`.trimEnd();
}

function reasonsOf(
	device: UsbDevice,
	refused: (device: UsbDevice, configuration: number | null, number: number | null) => boolean,
): readonly LeftOut[] {
	const { malformed, configurations } = device.descriptors;
	const named = nameOf(device);
	if (malformed !== null) return [{ device: named, reason: malformed }];
	const all = configurations.flatMap(({ value, interfaces }) =>
		interfaces.map(({ number }) => refused(device, value, number)),
	);
	const out = all.filter((one) => one).length;
	if (refused(device, null, null) || (all.length > 0 && out === all.length))
		return [{ device: named, reason: "is refused" }];
	return out === 0 ? [] : [{ device: named, reason: `${out} of its ${all.length} functions are refused` }];
}
