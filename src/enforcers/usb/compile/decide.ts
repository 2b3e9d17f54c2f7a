/**
 * What becomes of a device: from what the policies say about each of its
 * functions to what is authorized. A function is the device triple, where it
 * says something, or an interface triple of any altsetting of any configuration.
 */

import { HUB_CLASS } from "../class.ts";
import type { UsbDevice, UsbInterface, UsbTriple } from "../subject.ts";
import { attributesOf } from "./match.ts";
import type { DeviceJudge, DeviceRuleset, Verdict } from "./ruleset.ts";

/** Why a function is withheld. */
export type Withheld =
	/** The policies refuse it itself. */
	| "verdict"
	/** The policies refuse another altsetting of its interface, and drivers choose altsettings. */
	| "altsetting"
	/** Nothing useful is left of its configuration without what is refused. */
	| "configuration"
	/** The policies refuse the device by the device's own triple. */
	| "device"
	/** The descriptors can be read in two ways. */
	| "malformed"
	/** Another program, or an administrator, took the authorization away. */
	| "somebody-else"
	/** `portward usb block`. */
	| "by-hand"
	/** The lock holds, and nothing usable says what to let through. */
	| "no-policies"
	/** The kernel does not authorize what appears, and portward does not enforce. */
	| "kernel-default";

export interface JudgedFunction {
	/** bConfigurationValue, bInterfaceNumber and the first bAlternateSetting that shows the triple; null for the device triple. */
	readonly configuration: number | null;
	readonly interface: number | null;
	readonly alternate: number | null;
	/** Every configuration in which the interface shows the triple with the same outcome. */
	readonly configurations: readonly number[];
	readonly triple: UsbTriple;
	readonly verdict: Verdict;
	/** Why it is in fact withheld; null when it is not. A Block may be exempt, and an Allow may go down with its device. */
	readonly withheld: Withheld | null;
}

export interface InterfaceDecision {
	readonly configuration: number;
	readonly number: number;
	readonly permitted: boolean;
	/** Its distinct triples over all altsettings. */
	readonly functions: readonly JudgedFunction[];
}

export interface DeviceDecision {
	readonly device: "authorize" | "refuse";
	readonly state: "authorized" | "partial" | "refused";
	/** Why the device as a whole is refused; null when it is not. */
	readonly refusal:
		| "device-triple"
		| "no-interface-left"
		| "malformed"
		| "somebody-else"
		| "by-hand"
		| "no-policies"
		| "kernel-default"
		| null;
	/** Why something that would be refused is not; null when nothing was spared. */
	readonly exemption: "root-hub" | "present-audit" | "console-keyboard" | "allowed-for-a-time" | null;
	/** Every interface of every configuration. */
	readonly interfaces: readonly InterfaceDecision[];
	/** What to report, once each: the device triple if it was judged, then interface functions, configurations merged. */
	readonly functions: readonly JudgedFunction[];
	/** Why the descriptors can be read in two ways; null when they cannot. */
	readonly malformed: string | null;
	/** What else is not as it should be with the descriptors. */
	readonly odd: readonly string[];
}

export interface DecideOptions {
	/** `audit`: judge and report, refuse nothing. */
	readonly mode: "apply" | "audit";
	/** The device was present at this boot's first start and protectConsoleKeyboard is on. */
	readonly consoleKeyboard: boolean;
}

/**
 * Decides one device, each configuration for itself: only the interfaces of the one in force meet drivers, and when
 * another comes into force, they come up refused. Linear in the device's descriptors.
 */
export function decideDevice(
	ruleset: DeviceRuleset,
	device: UsbDevice,
	options: DecideOptions,
): DeviceDecision {
	const { configurations, malformed, odd } = device.descriptors;
	const judge = ruleset.forDevice(attributesOf(device, ruleset.asksForClasses));
	const hasInterfaces = configurations.some(({ interfaces }) => interfaces.length > 0);
	const own = judgeDeviceTriple(judge, device.descriptors.device, hasInterfaces);
	const judged = configurations.map(({ value, interfaces }) =>
		judgeConfiguration(value, judgeInterfaces(judge, interfaces)),
	);
	let refusal: DeviceDecision["refusal"] = null;
	if (own?.action === "Block") refusal = "device-triple";
	else if (malformed !== null && ruleset.needsLock) refusal = "malformed";
	else if (judged.some((item) => item.refuses) && !judged.some((item) => item.useful))
		refusal = "no-interface-left";

	const wouldRefuse = refusal !== null || judged.some((item) => item.refuses);
	const exempt = wouldRefuse ? exemptionOf(device, options) : null;
	const spared = wouldRefuse && exempt === null && sparesConsole(ruleset, device, options);
	const whole = refusal === "device-triple" ? "device" : refusal === "malformed" ? "malformed" : null;
	const sparedAny =
		spared &&
		judged.some(({ interfaces: parts }) =>
			parts.some((item) => isHidOnly(item.functions) && (whole ?? item.withheld) !== null),
		);
	const refused = exempt === null && refusal !== null && !sparedAny;
	const rest = refused ? "configuration" : null;
	const interfaces = judged.flatMap(({ value, interfaces: parts }) =>
		parts.map(({ number, functions, withheld }): InterfaceDecision => {
			const passes = exempt !== null || (spared && isHidOnly(functions));
			return settleInterface(value, number, functions, passes ? null : (whole ?? withheld ?? rest));
		}),
	);
	// Of one configuration each interface tells each triple once already.
	const functions =
		judged.length > 1 ? distinct(interfaces) : interfaces.flatMap((item) => [...item.functions]);
	if (own !== null) {
		const none = { configuration: null, interface: null, alternate: null, configurations: [] };
		const withheld = refused ? (own.action === "Block" ? "verdict" : (whole ?? "configuration")) : null;
		functions.unshift({ ...none, triple: device.descriptors.device, verdict: own, withheld });
	}
	const partial = interfaces.some(({ permitted }) => !permitted);
	return {
		device: refused ? "refuse" : "authorize",
		state: refused ? "refused" : partial ? "partial" : "authorized",
		refusal: refused ? refusal : null,
		exemption: exempt ?? (sparedAny ? "console-keyboard" : null),
		interfaces,
		functions,
		malformed,
		odd,
	};
}

interface JudgedInterface {
	readonly number: number;
	readonly functions: readonly InterfaceFunction[];
	readonly withheld: "verdict" | "configuration" | null;
}

interface JudgedConfiguration {
	readonly value: number;
	readonly interfaces: readonly JudgedInterface[];
	/** Whether the policies refuse something of it. */
	readonly refuses: boolean;
	/** Whether an interface may be used that is of use alone. */
	readonly useful: boolean;
}

/** An interface is refused for any of its altsettings; all are where nothing useful would be left. */
function judgeConfiguration(
	value: number,
	byNumber: ReadonlyMap<number, readonly InterfaceFunction[]>,
): JudgedConfiguration {
	let refuses = false;
	let useful = false;
	const parts = [...byNumber].map(([number, functions]) => {
		const blocked = functions.some(({ verdict }) => verdict.action === "Block");
		refuses ||= blocked;
		useful ||= !blocked && isUseful(functions);
		return { number, functions, blocked };
	});
	const rest = refuses && !useful ? "configuration" : null;
	const interfaces = parts.map(
		({ number, functions, blocked }): JudgedInterface => ({
			number,
			functions,
			withheld: blocked ? "verdict" : rest,
		}),
	);
	return { value, interfaces, refuses, useful };
}

function settleInterface(
	configuration: number,
	number: number,
	functions: readonly InterfaceFunction[],
	why: Withheld | null,
): InterfaceDecision {
	return {
		configuration,
		number,
		permitted: why === null,
		functions: functions.map(({ alternate, triple, verdict }) => ({
			configuration,
			interface: number,
			alternate,
			configurations: [configuration],
			triple,
			verdict,
			withheld: why === "verdict" && verdict.action !== "Block" ? "altsetting" : why,
		})),
	};
}

/** The marker of devices that group interfaces by association descriptors; it names no function. */
export function isCompositeMarker(triple: UsbTriple): boolean {
	return triple.class === 0xef && triple.subClass === 2 && triple.protocol === 1;
}

/**
 * Null when the triple says nothing. Markers and hubs answer only to entries
 * that name them; a device without any interface has nothing else to be judged by.
 */
function judgeDeviceTriple(judge: DeviceJudge, triple: UsbTriple, hasInterfaces: boolean): Verdict | null {
	if (triple.class === HUB_CLASS || (hasInterfaces && isCompositeMarker(triple))) {
		const verdict = judge.judge(triple, { byName: true, posture: false });
		return verdict.source === "entry" ? verdict : null;
	}
	if (triple.class === 0 && hasInterfaces) return null;
	return judge.judge(triple, { byName: false, posture: true });
}

interface InterfaceFunction {
	readonly alternate: number;
	readonly triple: UsbTriple;
	readonly verdict: Verdict;
}

function judgeInterfaces(
	judge: DeviceJudge,
	interfaces: readonly UsbInterface[],
): ReadonlyMap<number, readonly InterfaceFunction[]> {
	const byNumber = new Map<number, InterfaceFunction[]>();
	const seen = new Set<number>();
	for (const { number, alternate, class: code, subClass, protocol } of interfaces) {
		const key = ((number * 256 + code) * 256 + subClass) * 256 + protocol;
		if (seen.has(key)) continue;
		seen.add(key);
		const triple = { class: code, subClass, protocol };
		const verdict = judge.judge(triple, { byName: false, posture: code !== HUB_CLASS });
		const functions = byNumber.get(number);
		if (functions === undefined) byNumber.set(number, [{ alternate, triple, verdict }]);
		else functions.push({ alternate, triple, verdict });
	}
	return byNumber;
}

const cdcDataClass = 10;

/** A CDC data interface only carries what its control interface arranges, so it is no use alone. */
function isUseful(functions: readonly InterfaceFunction[]): boolean {
	return functions.some(({ triple }) => triple.class !== cdcDataClass);
}

function exemptionOf(device: UsbDevice, options: DecideOptions): DeviceDecision["exemption"] {
	if (device.level === 0) return "root-hub";
	return options.mode === "audit" ? "present-audit" : null;
}

const hidClass = 3;

/** Whether every altsetting of an interface is HID. */
function isHidOnly(functions: readonly InterfaceFunction[]): boolean {
	return functions.every(({ triple }) => triple.class === hidClass);
}

/** Whether the HID interfaces of a device are spared, whatever else it has: consoles, KVMs and split keyboards. */
function sparesConsole(ruleset: DeviceRuleset, device: UsbDevice, options: DecideOptions): boolean {
	return options.consoleKeyboard && !ruleset.namesHid && isBootKeyboard(device);
}

/** A device with a boot keyboard (03/01/01), alone or among others, whose descriptors can be read in one way only. */
export function isBootKeyboard({ descriptors: { configurations, malformed } }: UsbDevice): boolean {
	return (
		malformed === null &&
		configurations.some(({ interfaces }) =>
			interfaces.some((item) => item.class === hidClass && item.subClass === 1 && item.protocol === 1),
		)
	);
}

/** The functions of all interfaces; one that several configurations repeat, with the same outcome, is told once. */
function distinct(interfaces: readonly InterfaceDecision[]): JudgedFunction[] {
	const told = new Map<string, JudgedFunction & { readonly configurations: number[] }>();
	for (const { functions } of interfaces) {
		for (const item of functions) {
			const { interface: number, triple, withheld, configuration } = item;
			const key = `${number} ${triple.class}/${triple.subClass}/${triple.protocol} ${withheld}`;
			const known = told.get(key);
			if (known === undefined) told.set(key, { ...item, configurations: [...item.configurations] });
			else if (configuration !== null) known.configurations.push(configuration);
		}
	}
	return [...told.values()];
}
