/** What one rule of USBGuard matches, as sets of functions of devices. */

import type { Place } from "../../base/diagnostic.ts";
import { quote } from "../../base/suggest.ts";
import { orderedLimits, TooInvolved } from "../limits.ts";
import type { Reading } from "../reading.ts";
import { type DeviceSet, everyDevice, otherClasses, sharedDevices } from "./device-sets.ts";
import type { Attribute, UsbRule } from "./words.ts";

/** None where nothing of the rule is left. What a rule allows is never more than it says, but for hashes, which are told. */
export function setsOfRule(rule: UsbRule, place: Place, reading: Reading): readonly DeviceSet[] {
	const left = (what: string): readonly [] => {
		reading.lost(
			place,
			`${what}: the rule is left out; what it ${rule.accepts ? "allowed" : "refused"} is judged by the rules after it`,
		);
		return [];
	};
	if (rule.condition !== null && rule.condition !== "true") return left(`if ${rule.condition}`);
	if (rule.accepts && isRootHub(rule)) {
		reading.same(place, "root hubs always pass");
		return [];
	}
	let sets: readonly DeviceSet[] = [everyDevice];
	const dropped: string[] = [];
	for (const attribute of rule.attributes) {
		if (attribute.name === "label") continue;
		const absent = attribute.name === "serial" && attribute.values.every((value) => value === "");
		if (attribute.name === "hash" || attribute.name === "parent-hash" || absent) {
			dropped.push(absent ? 'serial ""' : attribute.name);
			continue;
		}
		const found =
			attribute.name === "with-interface"
				? interfaceSets(attribute, rule.accepts, place, reading)
				: valueSets(attribute);
		if (found === null)
			return left(`${attribute.name} ${attribute.operator} ${attribute.values.map(quote).join(" ")}`);
		sets = sets.flatMap((one) => found.flatMap((other) => sharedDevices(one, other) ?? []));
		if (sets.length > orderedLimits.rules)
			throw new TooInvolved("a rule has more combinations than are converted");
	}
	if (dropped.length > 0) {
		const known = rule.accepts && sets.every(({ productId }) => productId !== null);
		const what = dropped.join(", ");
		if (!known) return left(what);
		const message = `${what}: the entry stands for every device of its vendor, product and the rest; portward usb generate-policy writes descriptorsHash`;
		reading.lost(place, message);
	}
	if (sets.length === 0) reading.same(place, "no device has all of what the rule asks for");
	if (!rule.accepts && sets.some((set) => set.class === null))
		reading.changed(place, "hubs pass unless an entry says HUB");
	if (sets.some(({ port }) => port !== null))
		reading.changed(place, "via-port: a port is known by its name on the other bus of the same socket, too");
	return sets;
}

/** Whether the rule is about a controller: what the kernel makes up for one has an id of its own. */
function isRootHub({ attributes }: UsbRule): boolean {
	const each = (name: string, pattern: RegExp) =>
		attributes.some((one) => one.name === name && one.values.every((value) => pattern.test(value)));
	return (
		each("via-port", /^usb\d+$/u) || (each("id", /^1d6b:000[123]$/iu) && each("with-interface", /^09:/u))
	);
}

/** A device has one id, name, serial number, port and connect type: of several that it has to have it has not all. */
function valueSets({ name, operator, values }: Attribute): readonly DeviceSet[] | null {
	const distinct = [...new Set(values)];
	if (operator === "none-of" || distinct.length === 0) return null;
	if (operator !== "one-of" && operator !== "match-all" && distinct.length > 1) return [];
	const found = distinct.map((value) => valueSet(name, value));
	return found.some((set) => set === null) ? null : found.flatMap((set) => set ?? []);
}

const longestString = 126;
const connectTypes = ["hotplug", "hardwired", "not used", "unknown"];

function valueSet(name: string, value: string): DeviceSet | null {
	if (name === "id") {
		const [, vendor, product] = /^(\*|[0-9a-f]{1,4}):(\*|[0-9a-f]{1,4})$/iu.exec(value) ?? [];
		if (vendor === undefined || product === undefined || (vendor === "*" && product !== "*")) return null;
		const number = (text: string) => (text === "*" ? null : Number.parseInt(text, 16));
		return { ...everyDevice, vendorId: number(vendor), productId: number(product) };
	}
	const plain = value !== "" && value.length <= longestString;
	if (name === "name" && plain) return { ...everyDevice, product: value };
	if (name === "serial" && plain) return { ...everyDevice, serial: value };
	if (name === "via-port" && /^\d+-\d+(?:\.\d+)*$/u.test(value)) return { ...everyDevice, port: value };
	if (name === "with-connect-type" && connectTypes.includes(value))
		return { ...everyDevice, connectType: value };
	return null;
}

interface Triple {
	readonly class: number;
	readonly subClass: number | null;
	readonly protocol: number | null;
}

function tripleOf(text: string): Triple | null {
	const [, code, sub, protocol] = /^([0-9a-f]{2}):(\*|[0-9a-f]{2}):(\*|[0-9a-f]{2})$/iu.exec(text) ?? [];
	if (code === undefined || sub === undefined || protocol === undefined) return null;
	const number = (part: string) => (part === "*" ? null : Number.parseInt(part, 16));
	const first = Number.parseInt(code, 16);
	if (first === 0 || (sub === "*" && protocol !== "*")) return null;
	return { class: first, subClass: number(sub), protocol: number(protocol) };
}

/** The operators are about all interfaces of a device; entries are about one function each. */
function interfaceSets(
	{ operator, values }: Attribute,
	accepts: boolean,
	place: Place,
	reading: Reading,
): readonly DeviceSet[] | null {
	const triples = values.map(tripleOf);
	const found = triples.flatMap((triple) => triple ?? []);
	if (found.length !== triples.length || found.length === 0) return null;
	const plain = found.map((triple) => ({ ...everyDevice, ...triple }));
	if (accepts && operator === "none-of") {
		if (found.some(({ subClass }) => subClass !== null))
			reading.changed(place, "none-of: the whole class must be absent, not only one of its subclasses");
		return [{ ...everyDevice, unlessAlso: sorted(found.map((triple) => triple.class)) }];
	}
	if (accepts && operator === "one-of") {
		reading.changed(
			place,
			"one-of: what else the device shows is judged by its own entries, not allowed with it",
		);
		return plain;
	}
	if (accepts && operator === "all-of") {
		reading.changed(
			place,
			"all-of: that the device shows every one of them is not asked; what else it shows is judged by its own entries",
		);
		return plain;
	}
	if (accepts) {
		if (operator !== "match-all" && found.length > 1)
			reading.changed(
				place,
				`${operator}: that the device shows every one of them, and in which order, is not asked`,
			);
		const unlessAlso = sorted(otherClasses(found.map((triple) => triple.class)));
		return plain.map((set) => ({ ...set, unlessAlso }));
	}
	if (operator === "none-of" || operator === "match-all") return null;
	if (found.length > 1 && operator !== "one-of") return null;
	if (operator === "equals" || operator === "equals-ordered")
		reading.changed(place, `${operator}: such a function is refused in a device that shows others as well`);
	else
		reading.changed(
			place,
			"of a device with such a function, the other functions are judged by their own entries",
		);
	return plain;
}

function sorted(codes: readonly number[]): readonly number[] {
	return [...new Set(codes)].sort((a, b) => a - b);
}
