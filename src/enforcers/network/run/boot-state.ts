/** What `portward restore` needs at the next boot: the ruleset that was last confirmed, ready to load. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { isPlainInterface } from "../../../document/iface.ts";
import { previousPath, readVersion, writeState } from "../../../state/state-file.ts";
import type { BootFacts } from "../../contract/enforcer.ts";
import { type NetworkPlan, type RulesetForm, withoutStaged } from "../compile/plan.ts";
import { inEpoch } from "../compile/render/objects.ts";

/** Counts changes of the file's meaning; another version's file is not loaded. 1 had objects as text. */
const format = 2;

/** Saved names must not be those that a running daemon gives; it uses times. */
export const bootEpoch = "boot";

export interface RulesetFacts {
	/** The nftables table that the ruleset is for. */
	readonly table: string;
	readonly form: RulesetForm;
	readonly nflogGroup: number;
}

export interface BootState extends RulesetFacts {
	/** What enforcers keep beside the ruleset, in their own names: see Enforcer.boot. */
	readonly kept: Readonly<Record<string, boolean>>;
	/** Null where packets are not filtered. */
	readonly plan: NetworkPlan | null;
}

export type BootRead =
	| { readonly ok: true; readonly state: BootState }
	| { readonly ok: false; readonly reason: "absent" | "unusable"; readonly message: string };

const name = v.pipe(v.string(), v.regex(/^[a-z0-9_]{1,64}$/));
const both = <const S extends v.GenericSchema>(schema: S) => v.object({ ingress: schema, egress: schema });

const direction = v.picklist(["ingress", "egress"]);
const number = v.pipe(v.number(), v.integer());

const rule = v.object({
	id: v.string(),
	policy: v.string(),
	index: number,
	direction,
	action: v.picklist(["Allow", "Audit", "Block"]),
	severity: number,
	tags: v.array(v.string()),
	message: v.string(),
	place: v.nullable(v.object({ file: v.string(), line: number, column: number })),
	counter: v.string(),
	forwardedCounter: v.exactOptional(v.string()),
	sparesForwarded: v.exactOptional(v.literal(true)),
	appliesTo: v.exactOptional(v.picklist(["host", "guests"])),
	wouldBe: v.exactOptional(v.literal("Block")),
	forNobody: v.exactOptional(v.literal(true)),
	logCounter: v.nullable(v.string()),
});

const failsafe = v.object({
	direction,
	index: number,
	protocol: v.nullable(v.string()),
	// Absent in files of earlier versions.
	icmpType: v.optional(v.nullable(v.string()), null),
	cidr: v.nullable(v.string()),
	port: v.nullable(v.string()),
	interface: v.nullable(v.string()),
	counter: v.string(),
	text: v.string(),
});

const keyed = {
	name,
	type: v.string(),
	flags: v.exactOptional(v.array(v.picklist(["interval", "dynamic", "timeout"]))),
	timeout: v.exactOptional(number),
	size: v.exactOptional(number),
	keys: v.string(),
};

const chain = v.object({
	kind: v.literal("chain"),
	name,
	rules: v.array(v.union([v.string(), v.array(v.string())])),
});

const forward = v.object({
	mode: v.picklist(["audit", "enforce"]),
	root: name,
	uplinks: v.array(v.pipe(v.string(), v.check(isPlainInterface))),
	guard: v.array(chain),
});

const hook = v.optional(v.picklist(["output", "postrouting"]));
const bytes = v.pipe(number, v.safeInteger(), v.minValue(1));

const quotas = v.object({
	roots: v.object({
		ingress: v.exactOptional(name),
		egress: v.exactOptional(name),
		forward: v.exactOptional(name),
	}),
	egressHook: hook,
	rules: v.array(
		v.object({
			key: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
			object: name,
			rule,
			bytes,
			limit: v.string(),
			seconds: v.pipe(number, v.minValue(1)),
		}),
	),
});

const services = v.object({
	sets: v.array(v.object({ set: name, units: v.array(v.string()) })),
	noting: v.exactOptional(name),
});

const object = v.variant("kind", [
	v.object({ kind: v.literal("quota"), name, match: v.picklist(["until", "over"]), bytes }),
	v.object({ kind: v.literal("counter"), name }),
	chain,
	v.object({ kind: v.literal("set"), ...keyed }),
	v.object({
		kind: v.literal("map"),
		...keyed,
		to: v.picklist(["verdict", "counter"]),
		values: v.array(
			v.union([
				v.object({ verdict: v.picklist(["goto", "jump"]), chain: name }),
				v.object({ counter: name, comment: v.exactOptional(v.string()) }),
			]),
		),
		leads: v.array(number),
	}),
]);

/** What other enforcers keep stands beside the ruleset's own fields; of them this format has had one from its beginning. */
const saved = v.objectWithRest(
	{
		format: v.literal(format),
		table: v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/)),
		form: v.picklist(["concatenated", "nested-members", "nested"]),
		nflogGroup: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535)),
		usbLock: v.boolean(),
		plan: v.nullable(
			v.object({
				objects: v.array(object),
				roots: both(name),
				egressHook: hook,
				quotas: v.exactOptional(quotas),
				// Absent in files of earlier versions, which judged nothing that is forwarded.
				forward: v.exactOptional(forward),
				services: v.exactOptional(services),
				rules: v.array(rule),
				elements: number,
				allowlistMode: both(v.boolean()),
				defaultDrop: both(v.boolean()),
				failsafe: v.array(failsafe),
			}),
		),
	},
	v.boolean(),
);

export function bootPath(stateDirectory: string): string {
	return join(stateDirectory, "boot.json");
}

/** Reads one version: the newest, or the one before it. Each says for itself why it cannot be used. */
export function readBootState(stateDirectory: string, version: "newest" | "previous"): BootRead {
	const newest = bootPath(stateDirectory);
	const path = version === "newest" ? newest : previousPath(newest);
	const state = readVersion(path);
	if (!state.ok) {
		return { ok: false, reason: state.reason === "absent" ? "absent" : "unusable", message: state.message };
	}
	const parsed = v.safeParse(saved, state.value);
	if (!parsed.success) {
		const [issue] = parsed.issues;
		const place = v.getDotPath(issue) ?? "";
		return {
			ok: false,
			reason: "unusable",
			message: `${path} is not what this version of portward saves${place === "" ? "" : ` (at ${place})`}`,
		};
	}
	// The checksum says that it is what portward wrote, and the directory that nobody else did.
	const { format: _, table, form, nflogGroup, plan, ...kept } = parsed.output;
	return { ok: true, state: { table, form, nflogGroup, plan, kept } };
}

/** What the saving thread remembers, so that what is saved already is not written again. */
export class BootStore {
	readonly #directory: string;
	#saved = "";

	constructor(stateDirectory: string) {
		this.#directory = stateDirectory;
	}

	/**
	 * Saves the ruleset that is in force. What is null in `kept` is not known now, so what was saved about it stays.
	 * Returns the system's error text, or null; after an error the earlier state is whole.
	 */
	save(plan: NetworkPlan | null, facts: RulesetFacts, kept: BootFacts): string | null {
		// Names are digests of content: the same roots are the same ruleset, but for the uplinks.
		const key = JSON.stringify([facts, kept, plan?.roots, plan?.forward, plan?.quotas]);
		if (key === this.#saved && existsSync(bootPath(this.#directory))) return null;
		const problem = writeState(bootPath(this.#directory), {
			format,
			...facts,
			...this.#known(kept),
			// What is staged decides nothing, so the boot needs none of it.
			plan: plan && inEpoch(withoutStaged(plan), bootEpoch),
		});
		this.#saved = problem === null ? key : "";
		return problem;
	}

	#known(kept: BootFacts): Readonly<Record<string, boolean>> {
		const entries = Object.entries(kept);
		if (entries.every(([, value]) => value !== null)) return kept as Readonly<Record<string, boolean>>;
		const newest = readBootState(this.#directory, "newest");
		const read = newest.ok ? newest : readBootState(this.#directory, "previous");
		const before = read.ok ? read.state.kept : {};
		return Object.fromEntries(entries.map(([name, value]) => [name, value ?? before[name] ?? false]));
	}
}
