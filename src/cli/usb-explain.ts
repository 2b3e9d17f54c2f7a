/** `portward usb explain`: what the policies say about a device, present or described, and why. */

import type { Overridden } from "../compile/precedence.ts";
import { type DeviceDecision, decideDevice, type JudgedFunction } from "../compile/usb-decide.ts";
import { type DeviceExplanation, type DeviceQuery, explainDevice } from "../compile/usb-explain.ts";
import type { SelectedEntry } from "../compile/usb-match.ts";
import { DeviceRuleset, selectEntries } from "../compile/usb-ruleset.ts";
import { parseUsbPort } from "../observe/usb-port.ts";
import { parseUsbClass, usbClassName } from "../policy/device-class.ts";
import { quote } from "../policy/suggest.ts";
import { escapeForTerminal } from "../report/terminal.ts";
import { exit, type Io, UsageError } from "./command.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { prettyJson } from "./json.ts";
import { parseOptions, policyOptions } from "./options.ts";
import { readPolicySet } from "./policy-set.ts";
import { readSettings } from "./settings.ts";
import { presentDevices, sysfsRoot } from "./usb-devices.ts";

const options = {
	...policyOptions,
	json: { type: "boolean" },
	class: { type: "string" },
	subclass: { type: "string" },
	protocol: { type: "string" },
	level: { type: "string" },
	vendor: { type: "string" },
	product: { type: "string" },
	serial: { type: "string" },
	"product-name": { type: "string" },
	manufacturer: { type: "string" },
	port: { type: "string" },
	"connect-type": { type: "string" },
} as const;

type Values = ReturnType<typeof parseOptions<typeof options>>["values"];

/** `root` is where sysfs is mounted. */
export async function usbExplain(args: readonly string[], io: Io, root = sysfsRoot): Promise<number> {
	const { values, positionals } = parseOptions(args, options);
	const [port, ...more] = positionals;
	if (more.length > 0 || (port === undefined) === (values.class === undefined)) {
		throw new UsageError("write a port such as 1-4, or describe a function with --class and more");
	}
	const query = port === undefined ? readQuery(values) : null;
	if (port !== undefined && parseUsbPort(port)?.interface !== null)
		throw new UsageError(`${quote(port)} is no port; write one as portward usb list shows it, such as 1-4.2`);
	const settings = readSettings(values, false);
	if (!settings.config) {
		printDiagnostics(settings.diagnostics, io);
		return exit.failure;
	}
	const { policyDir, hostDefaultDevicePosture: posture, enforcement } = settings.config;
	const set = readPolicySet([policyDir], settings.config);
	const errors = set.diagnostics.filter(({ severity }) => severity === "error");
	printDiagnostics(errors, io);
	const ruleset = new DeviceRuleset(selectEntries(set.selectedDevices), posture, enforcement);
	const code = errors.length > 0 ? exit.failure : exit.ok;
	if (query !== null) {
		const explanation = explainDevice(ruleset, query);
		io.out(values.json ? prettyJson(explanationJson(explanation)) : describeExplanation(explanation));
		return code;
	}
	const present = presentDevices(root)?.find(({ device }) => device.port === port);
	if (present === undefined) {
		io.error(`portward: there is no device on port ${port}\n`);
		return exit.failure;
	}
	const decision = decideDevice(ruleset, present.device, { mode: "apply", consoleKeyboard: false });
	io.out(values.json ? prettyJson(decisionJson(decision)) : describeDecision(decision));
	return code;
}

function readQuery(values: Values): DeviceQuery {
	const parsed = parseUsbClass(values.class ?? "");
	if (!parsed.ok) throw new UsageError(`--class: ${parsed.message}; ${parsed.hint}`);
	if (parsed.class === null)
		throw new UsageError("--class ALL is no class of a device; name one, such as HID");
	const connectType = values["connect-type"];
	if (connectType !== undefined && connectType !== "hotplug" && connectType !== "hardwired")
		throw new UsageError("--connect-type is hotplug or hardwired");
	const port = values.port ?? null;
	const known = port === null ? null : parseUsbPort(port);
	if (port !== null && (known === null || known.interface !== null || known.level === 0))
		throw new UsageError(`--port ${quote(port)} is no port; write one such as 1-4 or 1-4.2`);
	const level = number("level", values.level, 1);
	return {
		class: parsed.class,
		subClass: number("subclass", values.subclass, 0),
		protocol: number("protocol", values.protocol, 0),
		level: level ?? known?.level ?? null,
		vendorId: id("vendor", values.vendor),
		productId: id("product", values.product),
		serial: values.serial ?? null,
		product: values["product-name"] ?? null,
		manufacturer: values.manufacturer ?? null,
		port,
		connectType: connectType ?? null,
	};
}

function number(name: string, text: string | undefined, least: number): number | null {
	if (text === undefined) return null;
	const value = /^(?:0x[0-9a-f]{1,2}|\d{1,3})$/i.test(text) ? Number(text) : Number.NaN;
	if (value >= least && value <= 255) return value;
	throw new UsageError(`--${name} is a number from ${least} to 255`);
}

function id(name: string, text: string | undefined): number | null {
	if (text === undefined) return null;
	const digits = /^(?:0x)?([0-9a-f]{1,4})$/i.exec(text)?.[1];
	if (digits !== undefined) return Number.parseInt(digits, 16);
	throw new UsageError(`--${name} is one to four hexadecimal digits, as lsusb prints them, such as 046d`);
}

const reasons: Readonly<Record<Overridden<unknown>["reason"], string>> = {
	carved: "a more specific entry makes an exception",
	stricter: "the entries overlap, and the stricter one wins",
	same: "both have the same action, and the other is named first",
};

function entryName({ policy, entry: { index, place } }: SelectedEntry): string {
	return `${policy} matchDevice[${index}] (${place.file}:${place.line})`;
}

function cause(source: DeviceExplanation["source"], entry: SelectedEntry | null): string {
	if (entry !== null) return entryName(entry);
	return source === "posture"
		? "no entry matches, and an Allow makes this an allow-list: hostDefaultDevicePosture"
		: "no entry matches, and no Allow makes this an allow-list";
}

function overriddenLines(overridden: readonly Overridden<SelectedEntry>[]): string[] {
	return overridden.map(
		({ item, reason }) => `  over ${item.entry.action} ${entryName(item)}: ${reasons[reason]}`,
	);
}

function describeExplanation(explanation: DeviceExplanation): string {
	const { action, source, entry, overridden, undecided } = explanation;
	const lines = [`${action}: ${cause(source, entry)}`, ...overriddenLines(overridden)];
	for (const item of undecided)
		lines.push(`  unless the device meets ${item.entry.action} ${entryName(item)}, which asks for more`);
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}

function describeDecision(decision: DeviceDecision): string {
	const why = decision.refusal ?? decision.exemption;
	const lines = [`${decision.state}${why === null ? "" : ` (${why})`}`];
	if (decision.malformed !== null) lines.push(`malformed descriptors: ${decision.malformed}`);
	for (const { interface: at, triple, verdict, refused } of decision.functions) {
		const place = at === null ? "device" : `interface ${at}`;
		const what = `${usbClassName(triple.class)} ${triple.subClass}/${triple.protocol}`;
		const result = refused ? "refused" : "passed";
		lines.push(`${place}: ${what}: ${verdict.action}, ${result}: ${cause(verdict.source, verdict.entry)}`);
		lines.push(...overriddenLines(verdict.overridden));
	}
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}

/** The fields that name an entry. */
function entryJson({ policy, entry: { index, action, place } }: SelectedEntry) {
	return { policy, entry: index, action, file: place.file, line: place.line };
}

function explanationJson({ action, policy, entry, overridden, undecided }: DeviceExplanation) {
	return {
		action,
		policy,
		entry: entry?.entry.index ?? null,
		file: entry?.entry.place.file ?? null,
		line: entry?.entry.place.line ?? null,
		overridden: overriddenJson(overridden),
		undecided: undecided.map(entryJson),
	};
}

function overriddenJson(overridden: readonly Overridden<SelectedEntry>[]) {
	return overridden.map(({ item, reason, by }) => ({ ...entryJson(item), reason, by: entryJson(by) }));
}

function decisionJson({ state, refusal, exemption, malformed, functions }: DeviceDecision) {
	return { state, refusal, exemption, malformed, functions: functions.map(functionJson) };
}

function functionJson({ configuration, interface: at, alternate, triple, verdict, refused }: JudgedFunction) {
	const { action, source, entry, overridden } = verdict;
	return {
		configuration,
		interface: at,
		alternate,
		...triple,
		action,
		refused,
		policy: source === "posture" ? "DefaultPosture" : (entry?.policy ?? null),
		entry: entry?.entry.index ?? null,
		overridden: overriddenJson(overridden),
	};
}
