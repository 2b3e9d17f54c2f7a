/**
 * USB class names as KubeArmor spells them, and the notations a policy may use
 * for a class. Codes: USB-IF "Defined Class Codes".
 */

import { nearest, quote } from "../../base/suggest.ts";

export const HUB_CLASS = 0x09;

const codes: Readonly<Record<string, number>> = {
	AUDIO: 1,
	"COMMUNICATION-CDC": 2,
	HID: 3,
	PHYSICAL: 5,
	IMAGE: 6,
	PRINTER: 7,
	"MASS-STORAGE": 8,
	HUB: HUB_CLASS,
	"CDC-DATA": 10,
	"SMART-CARD": 11,
	"CONTENT-SECURITY": 13,
	VIDEO: 14,
	"PERSONAL-HEALTHCARE": 15,
	"AUDIO/VIDEO": 16,
	BILLBOARD: 17,
	"TYPE-C-BRIDGE": 18,
	"BULK-DISPLAY": 19,
	MCTP: 20,
	I3C: 60,
	DIAGNOSTIC: 220,
	"WIRELESS-CONTROLLER": 224,
	MISCELLANEOUS: 239,
	"APPLICATION-SPECIFIC": 254,
	"VENDOR-SPECIFIC": 255,
};

const byName = new Map(Object.entries(codes));
const byCode = new Map(Object.entries(codes).map(([name, code]) => [code, name]));

/** Every class name, and ALL, in the order of the codes. */
export const usbClassNames: readonly string[] = ["ALL", ...byName.keys()];

/** The name of a class code, or `0x2a` for a code without one. */
export function usbClassName(code: number): string {
	return byCode.get(code) ?? `0x${code.toString(16).padStart(2, "0")}`;
}

/** How a device policy writes a class: a code 1..255, or null for ALL. */
export type ClassText =
	| { readonly ok: true; readonly class: number | null }
	| { readonly ok: false; readonly message: string; readonly hint: string };

const notations =
	"write a class name such as HID, a number 1 to 255, a hexadecimal number such as 0x08, or ALL";

function outOfRange(text: string, code: number): ClassText {
	if (code === 0) {
		return {
			ok: false,
			message: "class 0 names no function: it says that the interfaces carry the class",
			hint: "write the class of the interfaces, such as HID, or ALL",
		};
	}
	return { ok: false, message: `class ${quote(text)} is out of range`, hint: notations };
}

/** Reads a class: a name in any case, decimal, 0x-hex, or ALL. The message quotes it, bounded. */
export function parseUsbClass(text: string): ClassText {
	const upper = text.toUpperCase();
	if (upper === "ALL") return { ok: true, class: null };
	const named = byName.get(upper);
	if (named !== undefined) return { ok: true, class: named };
	const quoted = quote(text);
	const isHex = /^0[xX][0-9a-fA-F]{1,8}$/.test(text);
	if (isHex || /^(0|[1-9][0-9]{0,8})$/.test(text)) {
		const code = Number(text);
		return code >= 1 && code <= 255 ? { ok: true, class: code } : outOfRange(text, code);
	}
	const bareHex = /^(?:0*([0-9a-fA-F]{1,2})[hH]|0+([0-9]{1,2}))$/.exec(text);
	const digits = bareHex?.[1] ?? bareHex?.[2];
	if (digits !== undefined) {
		const hint = `write 0x${digits} for hexadecimal${/^[0-9]+$/.test(digits) ? `, or ${Number(digits)} for decimal` : ""}`;
		return { ok: false, message: `class ${quoted} is neither a decimal nor a 0x-hexadecimal number`, hint };
	}
	if (/^-?[0-9]+$/.test(text))
		return { ok: false, message: `class ${quoted} is out of range`, hint: notations };
	const near = nearest(text, usbClassNames);
	const hint = near === null ? notations : `did you mean ${near}?`;
	return { ok: false, message: `${quoted} is no USB class`, hint };
}
