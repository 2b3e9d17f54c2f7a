/** `portward usb explain`: what the policies say about a device, present or described, and why. */

import * as v from "valibot";
import type { Overridden } from "../../base/precedence.ts";
import { quote } from "../../base/suggest.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { parseUsbClass, usbClassName, usbClassNames } from "../../enforcers/usb/class.ts";
import {
	type DeviceDecision,
	decideDevice,
	type JudgedFunction,
} from "../../enforcers/usb/compile/decide.ts";
import {
	type DeviceExplanation,
	type DeviceQuery,
	explainDevice,
} from "../../enforcers/usb/compile/explain.ts";
import type { SelectedEntry } from "../../enforcers/usb/compile/match.ts";
import { allowedForATime } from "../../enforcers/usb/compile/overlay.ts";
import { decisionReason, functionPlace, withheldReason } from "../../enforcers/usb/compile/reason.ts";
import { DeviceRuleset, selectEntries } from "../../enforcers/usb/compile/ruleset.ts";
import { devicePart } from "../../enforcers/usb/model.ts";
import { parseUsbPort } from "../../enforcers/usb/observe/port.ts";
import { presentDevices, sysfsRoot } from "../../enforcers/usb/observe/present.ts";
import { readPolicySet } from "../../engine/policy-set.ts";
import { PresentJudge } from "../../engine/present-judge.ts";
import { exit, type Io, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { ask, parseJson } from "../status/client.ts";
import { type Described, describedDevice, readDescriptors } from "./usb-described.ts";

const connectTypes = ["hotplug", "hardwired", "not used", "unknown"] as const;

const options = {
	...policyOptions,
	json: { type: "boolean" },
	class: { type: "string", offer: usbClassNames },
	subclass: { type: "string" },
	protocol: { type: "string" },
	level: { type: "string" },
	vendor: { type: "string" },
	product: { type: "string" },
	serial: { type: "string" },
	"product-name": { type: "string" },
	manufacturer: { type: "string" },
	port: { type: "string" },
	"connect-type": { type: "string", offer: connectTypes },
	descriptors: { type: "string" },
} as const;

const allowedShape = v.object({
	devices: v.array(v.looseObject({ port: v.string(), allowedUntil: v.nullable(v.string()) })),
});

type Values = ReturnType<typeof parseOptions<typeof options>>["values"];

/** `root` is where sysfs is mounted. */
export async function usbExplain(args: readonly string[], io: Io, root = sysfsRoot): Promise<number> {
	const { values, positionals } = parseOptions(args, options);
	const [port, ...more] = positionals;
	const subjects = [port, values.class, values.descriptors].filter((given) => given !== undefined);
	if (more.length > 0 || subjects.length !== 1) {
		throw new UsageError(
			"write a port such as 1-4, describe a function with --class and more, or name a file with --descriptors",
		);
	}
	const query = values.class === undefined ? null : readQuery(values);
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
	const ruleset = new DeviceRuleset(selectEntries(devicePart.of(set.selected)), posture, enforcement);
	const code = errors.length > 0 ? exit.failure : exit.ok;
	if (query !== null) {
		const explanation = explainDevice(ruleset, query);
		io.out(values.json ? prettyJson(explanationJson(explanation)) : describeExplanation(explanation));
		return code;
	}
	if (values.descriptors !== undefined) {
		const read = readDescriptors(values.descriptors);
		if (!read.ok) {
			io.error(`portward: ${escapeForTerminal(read.message)}\n`);
			return exit.failure;
		}
		const device = describedDevice(read.bytes, describedAttributes(values));
		const decision = decideDevice(ruleset, device, { mode: "apply", consoleKeyboard: false });
		io.out(values.json ? prettyJson(decisionJson(decision)) : describeDecision(decision, null, null));
		return code;
	}
	const present = presentDevices(root)?.find(({ device }) => device.port === port);
	if (present === undefined) {
		io.error(`portward: there is no device on port ${port}\n`);
		return exit.failure;
	}
	const judged = new PresentJudge(settings.config).decide(ruleset, present);
	const until = await allowedUntil(settings.config, present.device.port, io);
	const decision = until === null ? judged : allowedForATime(judged);
	const { authorized } = present;
	if (values.json) io.out(prettyJson({ ...decisionJson(decision), allowedUntil: until, authorized }));
	else io.out(describeDecision(decision, until, authorized));
	return code;
}

/** Until when the running daemon allows the device, RFC 3339; null when it does not, or does not answer. */
async function allowedUntil(config: Config, port: string, io: Io): Promise<string | null> {
	const reply = await ask(config, false, "/v1/usb/devices", io.signal);
	if (!reply.ok) return null;
	const parsed = v.safeParse(allowedShape, parseJson(await reply.response.text()));
	if (!parsed.success) return null;
	return parsed.output.devices.find((device) => device.port === port)?.allowedUntil ?? null;
}

function readQuery(values: Values): DeviceQuery {
	const parsed = parseUsbClass(values.class ?? "");
	if (!parsed.ok) throw new UsageError(`--class: ${parsed.message}; ${parsed.hint}`);
	if (parsed.class === null)
		throw new UsageError("--class ALL is no class of a device; name one, such as HID");
	return {
		class: parsed.class,
		subClass: number("subclass", values.subclass, 0),
		protocol: number("protocol", values.protocol, 0),
		...describedAttributes(values),
		vendorId: id("vendor", values.vendor),
		productId: id("product", values.product),
		twin: null,
		descriptorsHash: null,
		classes: null,
	};
}

/** What the options say of the device as a whole. */
function describedAttributes(values: Values): Described {
	const connectType = connectTypes.find((type) => type === values["connect-type"]);
	if (values["connect-type"] !== undefined && connectType === undefined)
		throw new UsageError(`--connect-type is one of ${connectTypes.join(", ")}`);
	const port = values.port ?? null;
	const known = port === null ? null : parseUsbPort(port);
	if (port !== null && (known === null || known.interface !== null || known.level === 0))
		throw new UsageError(`--port ${quote(port)} is no port; write one such as 1-4 or 1-4.2`);
	return {
		level: number("level", values.level, 1) ?? known?.level ?? null,
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
	if (source === "lock") return "there are no usable policies to ask";
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

/** `authorized`: what the kernel has of the device now; null where it is not there. */
function describeDecision(
	decision: DeviceDecision,
	until: string | null,
	authorized: boolean | null,
): string {
	const why = decisionReason(decision);
	const lines = [`${decision.state}${why === null ? "" : ` (${why})`}`];
	if (authorized !== null && authorized !== (decision.device === "authorize"))
		lines.push(`the kernel has it ${authorized ? "authorized" : "refused"} now; portward usb list says why`);
	if (until !== null) lines.push(`allowed until ${until}`);
	if (decision.malformed !== null) lines.push(`malformed descriptors: ${decision.malformed}`);
	for (const remark of decision.odd)
		lines.push(`odd descriptors, which mean nothing for the decision: ${remark}`);
	for (const judged of decision.functions) {
		const { triple, verdict, withheld } = judged;
		const what = `${usbClassName(triple.class)} ${triple.subClass}/${triple.protocol}`;
		const outside = withheld === "verdict" ? "refused" : withheldReason(judged, decision.malformed);
		const result = withheld === null ? "passed" : outside;
		const by = cause(verdict.source, verdict.entry);
		lines.push(`${functionPlace(judged)}: ${what}: ${verdict.action}, ${result}: ${by}`);
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

function decisionJson(decision: DeviceDecision) {
	const { state, refusal, exemption, malformed, odd, functions } = decision;
	return {
		state,
		refusal,
		exemption,
		reason: decisionReason(decision),
		malformed,
		odd,
		functions: functions.map((judged) => functionJson(judged, malformed)),
	};
}

function functionJson(judged: JudgedFunction, malformed: string | null) {
	const { configuration, configurations, interface: at, alternate, triple, verdict, withheld } = judged;
	const { action, source, entry, overridden } = verdict;
	return {
		configuration,
		configurations,
		interface: at,
		alternate,
		...triple,
		action,
		refused: withheld !== null,
		reason: withheldReason(judged, malformed),
		policy: source === "posture" ? "DefaultPosture" : (entry?.policy ?? null),
		entry: entry?.entry.index ?? null,
		overridden: overriddenJson(overridden),
	};
}
