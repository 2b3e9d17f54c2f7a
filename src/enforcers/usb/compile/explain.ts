/** What would become of a function that is only described: the offline `usb explain`. */

import type { Action } from "../../../base/model.ts";
import type { Overridden } from "../../../base/precedence.ts";
import { HUB_CLASS } from "../class.ts";
import { type DeviceAttributes, matchesDevice, matchesTriple, type SelectedEntry } from "./match.ts";
import type { DeviceRuleset, Verdict } from "./ruleset.ts";

/** A function as far as it is described; null is not given, and meets no condition. */
export interface DeviceQuery extends DeviceAttributes {
	/** 0..255. */
	readonly class: number;
	readonly subClass: number | null;
	readonly protocol: number | null;
}

export interface DeviceExplanation {
	readonly action: Action;
	readonly source: Verdict["source"];
	/** "DefaultPosture" where the posture decides; null where nothing speaks. */
	readonly policy: string | null;
	readonly entry: SelectedEntry | null;
	readonly overridden: readonly Overridden<SelectedEntry>[];
	/** Entries that would match if the query gave what it leaves open. */
	readonly undecided: readonly SelectedEntry[];
}

/** Asks the same rules as a decision, for one interface function. */
export function explainDevice(ruleset: DeviceRuleset, query: DeviceQuery): DeviceExplanation {
	const options = { byName: false, posture: query.class !== HUB_CLASS };
	const { action, source, entry, overridden } = ruleset.forDevice(query).judge(query, options);
	return {
		action,
		source,
		policy: source === "posture" ? "DefaultPosture" : (entry?.policy ?? null),
		entry,
		overridden,
		undecided: ruleset.entries.filter((item) => dependsOnMore(item, query)),
	};
}

/** Whether the entry fails only on conditions that the query says nothing about. */
function dependsOnMore({ entry: { match } }: SelectedEntry, query: DeviceQuery): boolean {
	if (matchesTriple(match, query, false) && matchesDevice(match, query)) return false;
	const asked = {
		...match,
		subClass: query.subClass === null ? null : match.subClass,
		protocol: query.protocol === null ? null : match.protocol,
		level: query.level === null ? null : match.level,
		vendorId: query.vendorId === null ? null : match.vendorId,
		productId: query.productId === null ? null : match.productId,
		serial: query.serial === null ? null : match.serial,
		product: query.product === null ? null : match.product,
		manufacturer: query.manufacturer === null ? null : match.manufacturer,
		port: query.port === null ? null : match.port,
		connectType: query.connectType === null ? null : match.connectType,
		descriptorsHash: query.descriptorsHash === null ? null : match.descriptorsHash,
		unlessAlso: query.classes === null ? null : match.unlessAlso,
	};
	return matchesTriple(asked, query, false) && matchesDevice(asked, query);
}
