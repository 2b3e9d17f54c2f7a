/**
 * What becomes of a device: from what the policies say about each of its
 * functions to what is authorized. A function is the device triple, where it
 * says something, or an interface triple of any altsetting of any configuration.
 */

import { HUB_CLASS } from "../policy/device-class.ts";
import type { UsbDevice, UsbInterface, UsbTriple } from "../policy/device-subject.ts";
import { attributesOf } from "./usb-match.ts";
import type { DeviceJudge, DeviceRuleset, Verdict } from "./usb-ruleset.ts";

export interface JudgedFunction {
	/** bConfigurationValue, bInterfaceNumber and the first bAlternateSetting that shows the triple; null for the device triple. */
	readonly configuration: number | null;
	readonly interface: number | null;
	readonly alternate: number | null;
	readonly triple: UsbTriple;
	readonly verdict: Verdict;
	/** Whether it is in fact withheld: a Block may be exempt, and an Allow may go down with its device. */
	readonly refused: boolean;
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
	readonly refusal: "device-triple" | "no-interface-left" | "malformed" | null;
	/** Why something that would be refused is not; null when nothing was spared. */
	readonly exemption: "root-hub" | "present-audit" | "console-keyboard" | null;
	/** Every interface of every configuration. */
	readonly interfaces: readonly InterfaceDecision[];
	/** What to report, once each: the device triple if it was judged, then interface functions, configurations merged. */
	readonly functions: readonly JudgedFunction[];
	/** What is wrong with the descriptors; null when nothing is. */
	readonly malformed: string | null;
}

export interface DecideOptions {
	/** `audit`: judge and report, refuse nothing. */
	readonly mode: "apply" | "audit";
	/** The device was present at this boot's first start and protectConsoleKeyboard is on. */
	readonly consoleKeyboard: boolean;
}

/** Decides one device. Linear in its descriptors. */
export function decideDevice(
	ruleset: DeviceRuleset,
	device: UsbDevice,
	options: DecideOptions,
): DeviceDecision {
	const { configurations, malformed } = device.descriptors;
	const judge = ruleset.forDevice(attributesOf(device));
	const hasInterfaces = configurations.some(({ interfaces }) => interfaces.length > 0);
	const own = judgeDeviceTriple(judge, device.descriptors.device, hasInterfaces);
	const judged = configurations.map(({ value, interfaces }) => ({
		value,
		byNumber: judgeInterfaces(judge, interfaces),
	}));

	const refusedNumbers = new Set<number>();
	for (const { byNumber } of judged) {
		for (const [number, functions] of byNumber) {
			if (functions.some(({ verdict }) => verdict.action === "Block")) refusedNumbers.add(number);
		}
	}
	const usefulLeft = judged.some(({ byNumber }) =>
		[...byNumber].some(([number, functions]) => !refusedNumbers.has(number) && isUseful(functions)),
	);
	let refusal: DeviceDecision["refusal"] = null;
	if (own?.action === "Block") refusal = "device-triple";
	else if (malformed !== null && ruleset.needsLock) refusal = "malformed";
	else if (refusedNumbers.size > 0 && !usefulLeft) refusal = "no-interface-left";

	const wouldRefuse = refusal !== null || refusedNumbers.size > 0;
	const exemption = wouldRefuse ? exemptionOf(ruleset, device, options) : null;
	const refused = exemption === null && refusal !== null;
	const isRefused = (number: number): boolean =>
		refused || (exemption === null && refusedNumbers.has(number));

	const interfaces = judged.flatMap(({ value, byNumber }) =>
		[...byNumber].map(([number, functions]): InterfaceDecision => {
			const withheld = isRefused(number);
			return {
				configuration: value,
				number,
				permitted: !withheld,
				functions: functions.map(({ alternate, triple, verdict }) => ({
					configuration: value,
					interface: number,
					alternate,
					triple,
					verdict,
					refused: withheld,
				})),
			};
		}),
	);
	const functions = distinct(interfaces);
	if (own !== null) {
		const none = { configuration: null, interface: null, alternate: null };
		functions.unshift({ ...none, triple: device.descriptors.device, verdict: own, refused });
	}
	const partial = interfaces.some(({ permitted }) => !permitted);
	return {
		device: refused ? "refuse" : "authorize",
		state: refused ? "refused" : partial ? "partial" : "authorized",
		refusal: refused ? refusal : null,
		exemption,
		interfaces,
		functions,
		malformed,
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

function exemptionOf(
	ruleset: DeviceRuleset,
	device: UsbDevice,
	options: DecideOptions,
): DeviceDecision["exemption"] {
	if (device.level === 0) return "root-hub";
	if (options.mode === "audit") return "present-audit";
	if (options.consoleKeyboard && !ruleset.namesHid && isBootKeyboard(device)) return "console-keyboard";
	return null;
}

const hidClass = 3;

/** A device that is HID and nothing else, with a boot keyboard (03/01/01), whose descriptors are sound. */
export function isBootKeyboard(device: UsbDevice): boolean {
	const { device: own, configurations, malformed } = device.descriptors;
	const interfaces = configurations.flatMap((configuration) => configuration.interfaces);
	return (
		malformed === null &&
		(own.class === 0 || own.class === hidClass || isCompositeMarker(own)) &&
		interfaces.every((item) => item.class === hidClass) &&
		interfaces.some((item) => item.subClass === 1 && item.protocol === 1)
	);
}

/** The functions of all interfaces; one that several configurations repeat is told once. */
function distinct(interfaces: readonly InterfaceDecision[]): JudgedFunction[] {
	const seen = new Set<string>();
	return interfaces
		.flatMap(({ functions }) => functions)
		.filter(({ interface: number, triple }) => {
			const key = `${number} ${triple.class}/${triple.subClass}/${triple.protocol}`;
			return !seen.has(key) && seen.add(key);
		});
}
