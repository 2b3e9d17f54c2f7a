/** The history of generations as it lies in the state directory: read whole, or not at all. */

import * as v from "valibot";
import { type Generation, mostGenerations } from "../../base/generation.ts";
import type { SetText } from "./set-text.ts";

export interface SavedGenerations {
	/** What was in force last; null where nothing ever was. */
	readonly text: SetText | null;
	/** Newest first. */
	readonly generations: readonly Generation[];
}

const version = 1;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const range = v.tuple([count, count]);
const action = v.picklist(["Allow", "Audit", "Block"]);
const change = v.picklist(["added", "removed", "changed"]);
const shortened = <T extends v.GenericSchema>(item: T) => v.object({ told: v.array(item), more: count });

const box = v.object({
	direction: v.picklist(["ingress", "egress"]),
	protocol: v.string(),
	ports: v.nullable(range),
	sourcePorts: v.exactOptional(range),
	user: v.exactOptional(v.number()),
	group: v.exactOptional(v.number()),
	service: v.exactOptional(v.string()),
	icmpTypes: v.exactOptional(range),
	addresses: v.array(v.string()),
	moreAddresses: count,
	interface: v.nullable(v.string()),
	before: action,
	after: action,
});

const rule = v.object({ change, policy: v.string(), list: v.string(), index: count, action });

const confirmation = v.object({
	id: v.string(),
	from: v.string(),
	asker: v.nullable(v.object({ uid: count, pid: count })),
	result: v.picklist(["pending", "confirmed", "rolled_back"]),
	settled: v.nullable(v.string()),
	how: v.string(),
});

/** One of /v1/history, too. */
export const generationShape: v.GenericSchema<unknown, Generation> = v.object({
	time: v.pipe(v.string(), v.isoTimestamp()),
	generation: count,
	files: shortened(v.object({ change, file: v.string() })),
	settings: v.boolean(),
	rules: v.nullable(shortened(rule)),
	verdicts: v.nullable(shortened(box)),
	forwarded: v.exactOptional(shortened(box)),
	problem: v.string(),
	confirmation: v.nullable(confirmation),
	rollbackOf: v.nullable(v.string()),
});

const text = v.object({
	digest: v.string(),
	files: v.nullable(v.record(v.string(), v.string())),
	documents: v.nullable(
		v.array(
			v.object({
				path: v.string(),
				index: count,
				firstLine: v.pipe(v.number(), v.integer(), v.minValue(1)),
				source: v.string(),
			}),
		),
	),
});

const saved: v.GenericSchema<unknown, SavedGenerations & { readonly version: number }> = v.object({
	version: v.literal(version),
	text: v.nullable(text),
	generations: v.pipe(v.array(generationShape), v.maxLength(mostGenerations)),
});

export function savedGenerations(value: unknown): SavedGenerations | null {
	const parsed = v.safeParse(saved, value);
	return parsed.success ? { text: parsed.output.text, generations: parsed.output.generations } : null;
}

/** What `savedGenerations` reads. */
export function generationsToSave({ text, generations }: SavedGenerations): unknown {
	return { version, text, generations };
}
