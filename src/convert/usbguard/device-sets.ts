/** Sets of devices' functions that one entry of a policy can say. What two have in common is such a set again. */

import type { DeviceData } from "../finding.ts";

export interface DeviceSet {
	/** Null: every class but hubs. */
	readonly class: number | null;
	readonly subClass: number | null;
	readonly protocol: number | null;
	readonly vendorId: number | null;
	readonly productId: number | null;
	readonly serial: string | null;
	readonly product: string | null;
	readonly port: string | null;
	readonly connectType: string | null;
	/** Classes that the device must not show, in rising order; only where it is accepted. */
	readonly unlessAlso: readonly number[] | null;
}

export const everyDevice: DeviceSet = {
	class: null,
	subClass: null,
	protocol: null,
	vendorId: null,
	productId: null,
	serial: null,
	product: null,
	port: null,
	connectType: null,
	unlessAlso: null,
};

const hub = 9;

const scalars = [
	"subClass",
	"protocol",
	"vendorId",
	"productId",
	"serial",
	"product",
	"port",
	"connectType",
] as const;

export function holdsDevices(outer: DeviceSet, inner: DeviceSet): boolean {
	const inClass = outer.class === null ? inner.class !== hub : outer.class === inner.class;
	const { unlessAlso } = outer;
	const lacks = unlessAlso === null || unlessAlso.every((code) => inner.unlessAlso?.includes(code) === true);
	return inClass && lacks && scalars.every((key) => outer[key] === null || outer[key] === inner[key]);
}

export function sharedDevices(a: DeviceSet, b: DeviceSet): DeviceSet | null {
	const code = a.class ?? b.class;
	if (code !== (b.class ?? a.class) || (code === hub && (a.class === null || b.class === null))) return null;
	if (scalars.some((key) => a[key] !== null && b[key] !== null && a[key] !== b[key])) return null;
	const without = [...new Set([...(a.unlessAlso ?? []), ...(b.unlessAlso ?? [])])].sort((x, y) => x - y);
	if (code !== null && without.includes(code)) return null;
	return {
		class: code,
		subClass: a.subClass ?? b.subClass,
		protocol: a.protocol ?? b.protocol,
		vendorId: a.vendorId ?? b.vendorId,
		productId: a.productId ?? b.productId,
		serial: a.serial ?? b.serial,
		product: a.product ?? b.product,
		port: a.port ?? b.port,
		connectType: a.connectType ?? b.connectType,
		unlessAlso: a.unlessAlso === null && b.unlessAlso === null ? null : without,
	};
}

/** As an entry of a policy. */
export function deviceData(set: DeviceSet, accepts: boolean): DeviceData {
	const hex = (value: number) => value.toString(16).padStart(4, "0");
	const given = <K extends keyof DeviceData>(key: K, value: DeviceData[K] | null) =>
		value === null ? {} : { [key]: value };
	return {
		class: set.class === null ? "ALL" : classText(set.class),
		...given("subClass", set.subClass),
		...given("protocol", set.protocol),
		...given("vendorId", set.vendorId === null ? null : hex(set.vendorId)),
		...given("productId", set.productId === null ? null : hex(set.productId)),
		...given("serial", set.serial),
		...given("product", set.product),
		...given("port", set.port),
		...given("connectType", set.connectType),
		...given("unlessAlso", set.unlessAlso === null ? null : set.unlessAlso.map(classText)),
		action: accepts ? "Allow" : "Block",
	};
}

/** Every policy reads a class as a number, whatever names it knows. */
function classText(code: number): string {
	return classNames.get(code) ?? `0x${code.toString(16).padStart(2, "0")}`;
}

/** The names of the classes that people meet (USB-IF, Defined Class Codes). */
const classNames: ReadonlyMap<number, string> = new Map([
	[1, "AUDIO"],
	[2, "COMMUNICATION-CDC"],
	[3, "HID"],
	[5, "PHYSICAL"],
	[6, "IMAGE"],
	[7, "PRINTER"],
	[8, "MASS-STORAGE"],
	[hub, "HUB"],
	[10, "CDC-DATA"],
	[11, "SMART-CARD"],
	[13, "CONTENT-SECURITY"],
	[14, "VIDEO"],
	[15, "PERSONAL-HEALTHCARE"],
	[16, "AUDIO/VIDEO"],
	[17, "BILLBOARD"],
	[18, "TYPE-C-BRIDGE"],
	[0xe0, "WIRELESS-CONTROLLER"],
	[0xfe, "APPLICATION-SPECIFIC"],
	[0xff, "VENDOR-SPECIFIC"],
]);

/**
 * Every class with a name but those; what a device that has nothing else must not show. MISCELLANEOUS is not among them:
 * most devices with several functions say it of themselves.
 */
export function otherClasses(codes: readonly number[]): readonly number[] {
	return [...classNames.keys()].filter((code) => !codes.includes(code));
}
