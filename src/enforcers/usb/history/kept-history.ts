/** The devices that came, as they lie in the state directory, and the strict reader of that. */

import * as v from "valibot";
import type { SeenDevice } from "./seen-device.ts";

export interface KeptDevice extends Omit<SeenDevice, "present"> {
	/** Which one of its kind came last, as long as the kernel runs that numbered it. */
	readonly instance: string;
}

export interface KeptHistory {
	readonly version: 1;
	/** The run of the kernel in which the instances were given. */
	readonly boot: string;
	readonly since: number;
	readonly lost: number;
	readonly devices: readonly KeptDevice[];
}

const text = v.pipe(v.string(), v.maxLength(4096));
const byte = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xff));
const word = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff));
/** As many as a number has, and as many milliseconds as a date. */
const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8.64e15));
const triple = { class: byte, subClass: byte, protocol: byte };

const device = v.object({
	port: v.pipe(v.string(), v.regex(/^[0-9]{1,5}-[0-9]{1,3}(?:\.[0-9]{1,3}){0,15}$/u)),
	level: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16)),
	serial: v.nullable(text),
	product: v.nullable(text),
	manufacturer: v.nullable(text),
	connectType: v.picklist(["hotplug", "hardwired", "not used", "unknown"]),
	twin: v.nullable(text),
	descriptorsHash: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/u))),
	descriptors: v.object({
		device: v.object(triple),
		vendorId: word,
		productId: word,
		bcdDevice: word,
		configurations: v.array(
			v.object({
				value: byte,
				interfaces: v.array(v.object({ number: byte, alternate: byte, ...triple })),
			}),
		),
		malformed: v.nullable(text),
		odd: v.array(text),
	}),
});

const verdict = v.object({
	state: v.picklist(["authorized", "partial", "refused"]),
	reason: v.nullable(text),
	functions: v.array(
		v.object({
			interface: v.nullable(byte),
			alternate: v.nullable(byte),
			configurations: v.array(byte),
			...triple,
			action: v.picklist(["Allow", "Audit", "Block"]),
			policy: v.nullable(text),
			refused: v.boolean(),
			reason: text,
		}),
	),
});

const shape = v.object({
	version: v.literal(1),
	boot: text,
	since: whole,
	lost: whole,
	devices: v.array(
		v.pipe(
			v.object({
				device,
				verdict,
				instance: text,
				count: v.pipe(whole, v.minValue(1)),
				firstSeen: whole,
				lastSeen: whole,
			}),
			v.check(({ firstSeen, lastSeen }) => firstSeen <= lastSeen),
		),
	),
});

/** Null for what portward of this version did not write. */
export function parseKeptHistory(value: unknown): KeptHistory | null {
	const parsed = v.safeParse(shape, value);
	return parsed.success ? parsed.output : null;
}
