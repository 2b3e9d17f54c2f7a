/**
 * What staged policies would do about devices. Each function is judged once more as if they were in force; where that
 * would refuse what the policies in force do not, an alert says so, once for each device and function. Nothing is ever
 * written about a device.
 */

import { digest } from "../../../base/digest.ts";
import type { Config } from "../../../config/model.ts";
import type { StagedCount } from "../../../report/contribution.ts";
import {
	type DecideOptions,
	type DeviceDecision,
	decideDevice,
	type JudgedFunction,
} from "../compile/decide.ts";
import type { SelectedEntry } from "../compile/match.ts";
import { DeviceRuleset } from "../compile/ruleset.ts";
import type { PresentDevice } from "../observe/devices.ts";

/** The entries of staged policies, and the names of all of these, those without an entry among them. */
export interface StagedEntries {
	readonly entries: readonly SelectedEntry[];
	readonly policies: readonly string[];
}

export const nothingStaged: StagedEntries = { entries: [], policies: [] };

/** A function that would be refused, as it would be judged, and the staged policies that it takes. */
export interface WouldRefuse {
	readonly judged: JudgedFunction;
	readonly decision: DeviceDecision;
	/** None where the staged posture does it alone. */
	readonly staged: readonly string[];
}

type Settings = Pick<Config, "hostDefaultDevicePosture" | "stagedDevicePosture">;

export class StagedDevices {
	readonly #now: () => number;
	#ruleset: DeviceRuleset | null = null;
	#staged = nothingStaged;
	/** No Allow is in force, so that a staged one makes the allow-list. */
	#opensAllowlist = false;
	#meaning = "";
	#generation = 0;
	readonly #counts = new Map<string, { -readonly [Key in keyof StagedCount]: StagedCount[Key] }>();
	/** What was last told of each function of a device. */
	#told = new WeakMap<object, Map<string, string>>();

	constructor(now: () => number = Date.now) {
		this.#now = now;
	}

	/** Other policies come into force, and these are staged. */
	set(enforced: readonly SelectedEntry[], staged: StagedEntries, settings: Settings): void {
		this.#generation += 1;
		const { hostDefaultDevicePosture, stagedDevicePosture } = settings;
		const posture = stagedDevicePosture === "block" ? "block" : hostDefaultDevicePosture;
		const idle = staged.policies.length === 0 && posture === hostDefaultDevicePosture;
		this.#ruleset = idle ? null : new DeviceRuleset([...enforced, ...staged.entries], posture);
		this.#staged = staged;
		this.#opensAllowlist = !enforced.some(({ entry }) => entry.action === "Allow");
		const meaning = digest(JSON.stringify([staged, posture]));
		if (meaning === this.#meaning) return;
		this.#meaning = meaning;
		this.#told = new WeakMap();
		this.#counts.clear();
		const since = new Date(this.#now()).toISOString();
		for (const name of staged.policies)
			this.#counts.set(name, { evaluated: 0, wouldBlock: 0, sinceGeneration: this.#generation, since });
	}

	/** By the policy's name. */
	get counts(): ReadonlyMap<string, StagedCount> {
		return this.#counts;
	}

	/**
	 * What is new about a device.
	 * @param key the same object while it is the same device
	 * @param enforced what is in force
	 */
	judge(
		key: object,
		{ device }: PresentDevice,
		enforced: DeviceRuleset,
		options: DecideOptions,
	): readonly WouldRefuse[] {
		if (this.#ruleset === null) return [];
		const decision = decideDevice(enforced, device, options);
		const judgement = decideDevice(this.#ruleset, device, options);
		const now = new Map(decision.functions.map((judged) => [functionKey(judged), judged]));
		const told = this.#told.get(key) ?? new Map<string, string>();
		this.#told.set(key, told);
		return judgement.functions.flatMap((judged): WouldRefuse[] => {
			const name = functionKey(judged);
			const before = now.get(name)?.verdict;
			const { verdict, withheld } = judged;
			const refuses = verdict.action === "Block" && withheld !== null;
			const refused = before === undefined || (before.wouldBe ?? before.action) === "Block";
			const would = refuses && !refused;
			const staged = would ? this.#causes(verdict) : [];
			const what = JSON.stringify(would ? [verdict.source, verdict.entry?.entry.index, staged] : null);
			const last = told.get(name);
			if (last === what) return [];
			told.set(name, what);
			if (last === undefined) for (const count of this.#counts.values()) count.evaluated += 1;
			if (!would) return [];
			for (const policy of staged) {
				const count = this.#counts.get(policy);
				if (count !== undefined) count.wouldBlock += 1;
			}
			return [{ judged, decision: judgement, staged }];
		});
	}

	#causes({ entry }: JudgedFunction["verdict"]): string[] {
		if (entry !== null) return [entry.policy];
		if (!this.#opensAllowlist) return [];
		const allows = this.#staged.entries.filter((one) => one.entry.action === "Allow");
		return [...new Set(allows.map(({ policy }) => policy))].sort();
	}
}

function functionKey({ configuration, interface: number, triple }: JudgedFunction): string {
	return `${configuration} ${number} ${triple.class}/${triple.subClass}/${triple.protocol}`;
}
