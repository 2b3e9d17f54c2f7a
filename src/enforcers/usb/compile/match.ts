/** What one device entry matches, and which entries are more specific than which. */

import type { Order } from "../../../base/precedence.ts";
import { HUB_CLASS } from "../class.ts";
import type { DeviceEntry, DeviceMatch } from "../model.ts";
import { isPortPattern, matchesPort } from "../port.ts";
import type { UsbDevice, UsbTriple } from "../subject.ts";

/** An entry of a policy that is selected for this host. */
export interface SelectedEntry {
	readonly policy: string;
	readonly entry: DeviceEntry;
}

/** The attributes of a device that entries look at; null is unknown and meets no condition. */
export interface DeviceAttributes {
	readonly level: number | null;
	readonly vendorId: number | null;
	readonly productId: number | null;
	readonly serial: string | null;
	readonly product: string | null;
	readonly manufacturer: string | null;
	readonly port: string | null;
	readonly connectType: UsbDevice["connectType"] | null;
	/** What the same socket is called on the other bus; null where there is none. */
	readonly twin: string | null;
	readonly descriptorsHash: string | null;
	/** Every class that the device shows anywhere; null where only one function is described. */
	readonly classes: ReadonlySet<number> | null;
}

const noClasses: ReadonlySet<number> = new Set();

/** `withClasses`: whether any entry asks for them, as collecting them takes time. */
export function attributesOf(device: UsbDevice, withClasses = true): DeviceAttributes {
	const { vendorId, productId } = device.descriptors;
	const { level, serial, product, manufacturer, port, connectType, twin, descriptorsHash } = device;
	return {
		level,
		vendorId,
		productId,
		serial,
		product,
		manufacturer,
		port,
		connectType,
		twin,
		descriptorsHash,
		classes: withClasses ? classesOf(device) : noClasses,
	};
}

/** Of the device triple, and of every altsetting of every configuration. */
function classesOf({ descriptors: { device, configurations } }: UsbDevice): ReadonlySet<number> {
	const classes = new Set<number>([device.class]);
	for (const { interfaces } of configurations) for (const item of interfaces) classes.add(item.class);
	return classes;
}

/** Whether the conditions on the device as a whole hold. */
export function matchesDevice(match: DeviceMatch, device: DeviceAttributes): boolean {
	return (
		(match.level === null || match.level === device.level) &&
		(match.vendorId === null || match.vendorId === device.vendorId) &&
		(match.productId === null || match.productId === device.productId) &&
		includes(match.serial, device.serial) &&
		includes(match.product, device.product) &&
		includes(match.manufacturer, device.manufacturer) &&
		(match.port === null || matchesSocket(match.port, device)) &&
		(match.connectType === null || match.connectType === device.connectType) &&
		includes(match.descriptorsHash, device.descriptorsHash) &&
		(match.unlessAlso === null || lacks(match.unlessAlso, device.classes))
	);
}

/** The port, or the name of the same socket on the other bus. */
function matchesSocket(glob: string, { port, twin }: DeviceAttributes): boolean {
	return (port !== null && matchesPort(glob, port)) || (twin !== null && matchesPort(glob, twin));
}

function lacks(unwanted: readonly number[], classes: ReadonlySet<number> | null): boolean {
	return classes !== null && !unwanted.some((code) => classes.has(code));
}

function includes(allowed: readonly string[] | null, value: string | null): boolean {
	return allowed === null || (value !== null && allowed.includes(value));
}

/** A triple whose subclass or protocol may be unknown (null), which meets no condition. */
export interface PartialTriple {
	readonly class: number;
	readonly subClass: number | null;
	readonly protocol: number | null;
}

/**
 * Whether the conditions on the function hold. ALL names no hub, and with
 * `byName` nothing at all: only an entry that gives the class counts.
 */
export function matchesTriple(
	match: DeviceMatch,
	triple: UsbTriple | PartialTriple,
	byName: boolean,
): boolean {
	const classHolds =
		match.class === null ? !byName && triple.class !== HUB_CLASS : match.class === triple.class;
	return (
		classHolds &&
		(match.subClass === null || match.subClass === triple.subClass) &&
		(match.protocol === null || match.protocol === triple.protocol)
	);
}

/** Whether every attribute of `outer` admits all that the same attribute of `inner` admits. */
function contains(outer: DeviceMatch, inner: DeviceMatch): boolean {
	return (
		admits(outer.class, inner.class) &&
		admits(outer.subClass, inner.subClass) &&
		admits(outer.protocol, inner.protocol) &&
		admits(outer.level, inner.level) &&
		admits(outer.vendorId, inner.vendorId) &&
		admits(outer.productId, inner.productId) &&
		admits(outer.connectType, inner.connectType) &&
		admitsAll(outer.serial, inner.serial) &&
		admitsAll(outer.product, inner.product) &&
		admitsAll(outer.manufacturer, inner.manufacturer) &&
		admitsPorts(outer.port, inner.port) &&
		admitsAll(outer.descriptorsHash, inner.descriptorsHash) &&
		admitsExcept(outer.unlessAlso, inner.unlessAlso)
	);
}

/** The more classes must be absent, the fewer devices are left. */
function admitsExcept(outer: readonly number[] | null, inner: readonly number[] | null): boolean {
	return outer === null || (inner !== null && outer.every((code) => inner.includes(code)));
}

function admits<T>(outer: T | null, inner: T | null): boolean {
	return outer === null || outer === inner;
}

function admitsAll(outer: readonly string[] | null, inner: readonly string[] | null): boolean {
	if (outer === null || outer === inner) return true;
	if (inner === null || inner.length > outer.length) return false;
	const admitted = new Set(outer);
	return inner.every((value) => admitted.has(value));
}

/** A glob contains its literals; two globs that are not equal merely overlap. */
function admitsPorts(outer: string | null, inner: string | null): boolean {
	if (outer === null || outer === inner) return true;
	return inner !== null && !isPortPattern(inner) && matchesPort(outer, inner);
}

/** Every attribute, in an order that stays. */
function attributes(match: DeviceMatch): readonly unknown[] {
	return [
		match.class,
		match.subClass,
		match.protocol,
		match.level,
		match.vendorId,
		match.productId,
		match.serial,
		match.product,
		match.manufacturer,
		match.port,
		match.connectType,
		match.descriptorsHash,
		match.unlessAlso,
	];
}

/** Equal for matches that name the same set, attribute by attribute. */
export function matchKey(match: DeviceMatch): string {
	return JSON.stringify(attributes(match));
}

/** Which attributes a match asks about, a bit for each. Whoever asks about one that another leaves open does not contain it. */
export function askedAttributes(match: DeviceMatch): number {
	return attributes(match).reduce<number>((bits, value) => (bits << 1) | Number(value !== null), 0);
}

/** Whether `inner` is a carve-out of `outer`: contained in it, and not equal. */
export function strictlyContains(outer: DeviceMatch, inner: DeviceMatch): boolean {
	return contains(outer, inner) && !contains(inner, outer);
}

/** Precedence among entries; those of equal action are named by policy, then by position. */
export const entryOrder: Order<SelectedEntry> = {
	strictlyContains: (outer, inner) => strictlyContains(outer.entry.match, inner.entry.match),
	action: (item) => item.entry.action,
	compare: (a, b) => compareText(a.policy, b.policy) || a.entry.index - b.entry.index,
};

function compareText(a: string, b: string): number {
	return a < b ? -1 : Number(a > b);
}
