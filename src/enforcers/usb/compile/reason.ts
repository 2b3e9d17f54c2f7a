/** Why a device or a function is refused or spared, in words. One place for lists, alerts, plans and pages. Pure. */

import type { DeviceDecision, JudgedFunction, Withheld } from "./decide.ts";

const withheldWords: Readonly<Record<Exclude<Withheld, "malformed" | "verdict">, string>> = {
	altsetting: "refused with another altsetting of its interface",
	configuration: "refused with its configuration, of which nothing useful is left",
	device: "refused with its device, by the device's own class",
	"somebody-else": "refused by somebody else",
	"by-hand": "refused by hand (portward usb block)",
	"no-policies": "locked, no usable policies: new devices stay refused",
	"kernel-default": "refused by the kernel's own default (usbcore.authorized_default)",
};

/** Why a function is withheld; "" for one that is not. */
export function withheldReason(judged: JudgedFunction, malformed: string | null): string {
	const { withheld, verdict } = judged;
	if (withheld === null) return "";
	if (withheld === "malformed") return `malformed descriptors: ${malformed ?? "unknown"}`;
	if (withheld !== "verdict") return withheldWords[withheld];
	return verdict.source === "posture"
		? "refused: no permitted function (no entry allows it, and the posture is block)"
		: "refused by the policy";
}

const refusalWords: Readonly<Record<Exclude<NonNullable<DeviceDecision["refusal"]>, "malformed">, string>> = {
	"device-triple": "the policies refuse the device's own class",
	"no-interface-left": "no permitted interface",
	"somebody-else": "refused by somebody else",
	"by-hand": "refused by hand (portward usb block)",
	"no-policies": "locked, no usable policies: new devices stay refused",
	"kernel-default": "refused by the kernel's own default (usbcore.authorized_default)",
};

const exemptionWords: Readonly<Record<NonNullable<DeviceDecision["exemption"]>, string>> = {
	"root-hub": "spared: a root hub is never refused",
	"present-audit": "spared: presentDevices is audit, and it was there before portward",
	"console-keyboard": "spared: it is the console's keyboard (protectConsoleKeyboard)",
	"allowed-for-a-time": "allowed for a time, whatever the policies say",
};

/** Why a device as a whole is refused, or what spares it; null when neither. */
export function decisionReason(
	decision: Pick<DeviceDecision, "refusal" | "exemption" | "malformed">,
): string | null {
	const { refusal, exemption, malformed } = decision;
	if (refusal === "malformed") return `malformed descriptors: ${malformed ?? "unknown"}`;
	if (refusal !== null) return refusalWords[refusal];
	return exemption === null ? null : exemptionWords[exemption];
}

/** What spares a function that the policies refuse. */
export function exemptionReason(exemption: NonNullable<DeviceDecision["exemption"]>): string {
	return exemptionWords[exemption];
}

/** Where a function is: "configuration 1, interface 0, altsetting 1", or "device". */
export function functionPlace(
	judged: Pick<JudgedFunction, "configurations" | "interface" | "alternate">,
): string {
	const { configurations, interface: number, alternate } = judged;
	if (number === null) return "device";
	const plural = configurations.length === 1 ? "configuration" : "configurations";
	const altsetting = alternate === null || alternate === 0 ? "" : `, altsetting ${alternate}`;
	return `${plural} ${configurations.join(", ")}, interface ${number}${altsetting}`;
}
