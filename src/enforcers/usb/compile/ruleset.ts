/**
 * The selected device entries, indexed so that a decision looks only at entries
 * that can match. Entries that match the same set are one group: precedence
 * is settled between groups, and within one by action and name.
 */

import type { Action, Enforcement } from "../../../base/model.ts";
import { compareStrictness, decide, type Overridden } from "../../../base/precedence.ts";
import type { DeviceMatch, HostDevicePolicy } from "../model.ts";
import { portBeginning } from "../port.ts";
import type { UsbTriple } from "../subject.ts";
import {
	askedAttributes,
	type DeviceAttributes,
	entryOrder,
	matchesDevice,
	matchesTriple,
	matchKey,
	type PartialTriple,
	type SelectedEntry,
	strictlyContains,
} from "./match.ts";

/** What befalls functions without an entry in allowlist mode. */
export type DevicePosture = "audit" | "block";

/** What the policies say about one function. Plain data. */
export interface Verdict {
	readonly action: Action;
	/** What it would be, and `enforcement: audit` keeps from happening; absent where it is as it should be. */
	readonly wouldBe?: "Block";
	/**
	 * `unmatched`: no entry and no posture spoke, which passes and is logged. `lock`: there are no policies to ask, and
	 * what is not authorized stays so.
	 */
	readonly source: "entry" | "posture" | "unmatched" | "lock";
	/** The deciding entry; null unless `source` is `entry`. */
	readonly entry: SelectedEntry | null;
	readonly overridden: readonly Overridden<SelectedEntry>[];
}

interface Group {
	readonly id: number;
	readonly match: DeviceMatch;
	/** Which attributes it asks about, a bit for each. */
	readonly asks: number;
	/** In the order in which they decide; never empty. */
	readonly members: readonly SelectedEntry[];
	/** The member that speaks for the group. */
	readonly first: SelectedEntry;
}

/** Bound on each cache: hostile devices can show any number of triples. */
const cacheSize = 4096;

/** The entries of the policies that are selected for this host. */
export function selectEntries(policies: readonly HostDevicePolicy[]): SelectedEntry[] {
	return policies.flatMap(({ name, entries }) => entries.map((entry) => ({ policy: name, entry })));
}

/** Whether anything could be refused: a Block entry, or an Allow entry while the posture blocks. */
export function needsLock(entries: readonly SelectedEntry[], posture: DevicePosture): boolean {
	return entries.some(
		({ entry }) => entry.action === "Block" || (entry.action === "Allow" && posture === "block"),
	);
}

export class DeviceRuleset {
	/** At least one Allow entry: functions without an entry meet the posture. */
	readonly allowlistMode: boolean;
	readonly needsLock: boolean;
	/** Whether any entry gives class HID by name. */
	readonly namesHid: boolean;
	/** Whether any entry asks what else a device is. */
	readonly asksForClasses: boolean;
	/** Groups by their most telling condition on the device, as in deviceKeys. */
	private readonly byDevice = new Map<string, Group[]>();
	/** Groups that have no such condition but a pattern of ports, by what stands before its first wildcard. */
	private readonly byPort = new Map<string, Group[]>();
	/** The other groups. */
	private readonly byClass: Group[] = [];
	private readonly byTriple = new Map<string, readonly Group[]>();
	private readonly verdicts = new Map<string, Verdict>();
	private readonly silence: Readonly<Record<"posture" | "unmatched", Verdict>>;

	constructor(
		readonly entries: readonly SelectedEntry[],
		readonly posture: DevicePosture,
		/** `audit`: nothing is refused, whatever entries and posture say. */
		private readonly enforcement: Enforcement = "enforce",
	) {
		this.allowlistMode = entries.some(({ entry }) => entry.action === "Allow");
		this.needsLock = enforcement === "enforce" && needsLock(entries, posture);
		this.asksForClasses = entries.some(({ entry }) => entry.match.unlessAlso !== null);
		this.namesHid = entries.some(({ entry }) => entry.match.class === 3);
		this.silence = {
			posture: {
				action: posture === "block" ? "Block" : "Audit",
				source: "posture",
				entry: null,
				overridden: [],
			},
			unmatched: { action: "Audit", source: "unmatched", entry: null, overridden: [] },
		};
		for (const group of groupEntries(entries)) {
			const keys = entryKeys(group.match);
			const beginning = group.match.port === null ? "" : portBeginning(group.match.port);
			if (keys !== null) for (const key of keys) file(this.byDevice, key, group);
			else if (beginning !== "") file(this.byPort, beginning, group);
			else this.byClass.push(group);
		}
	}

	/** Judges functions of one device; the conditions on the device are looked up once. */
	forDevice(device: DeviceAttributes): DeviceJudge {
		const candidates: Group[] = [];
		const gather = (groups: readonly Group[] | undefined): void => {
			for (const group of groups ?? []) if (matchesDevice(group.match, device)) candidates.push(group);
		};
		for (const key of deviceKeys(device)) gather(this.byDevice.get(key));
		if (this.byPort.size > 0) for (const key of portBeginnings(device)) gather(this.byPort.get(key));
		return {
			judge: (triple, { byName, posture }) => {
				const matching = candidates.filter((group) => matchesTriple(group.match, triple, byName));
				for (const group of this.forTriple(triple, byName)) {
					if (matchesDevice(group.match, device)) matching.push(group);
				}
				if (matching.length > 0) return this.settle(matching);
				return this.enforced(this.silence[posture && this.allowlistMode ? "posture" : "unmatched"]);
			},
		};
	}

	private forTriple(triple: UsbTriple | PartialTriple, byName: boolean): readonly Group[] {
		const key = `${triple.class}/${triple.subClass}/${triple.protocol}/${byName}`;
		const known = this.byTriple.get(key);
		if (known !== undefined) return known;
		const groups = this.byClass.filter((group) => matchesTriple(group.match, triple, byName));
		return remember(this.byTriple, key, groups);
	}

	private settle(matching: readonly Group[]): Verdict {
		const key = matching.map((group) => group.id).join(" ");
		return this.verdicts.get(key) ?? remember(this.verdicts, key, this.enforced(settleGroups(matching)));
	}

	private enforced(verdict: Verdict): Verdict {
		if (this.enforcement === "enforce" || verdict.action !== "Block") return verdict;
		return { ...verdict, action: "Audit", wouldBe: "Block" };
	}
}

export interface DeviceJudge {
	/**
	 * `byName`: only entries that give the function's class count, not ALL.
	 * `posture`: in allowlist mode the posture speaks where no entry does.
	 */
	judge(triple: UsbTriple | PartialTriple, options: { byName: boolean; posture: boolean }): Verdict;
}

function remember<T>(cache: Map<string, T>, key: string, value: T): T {
	if (cache.size >= cacheSize) cache.clear();
	cache.set(key, value);
	return value;
}

function file(index: Map<string, Group[]>, key: string, group: Group): void {
	const groups = index.get(key);
	if (groups === undefined) index.set(key, [group]);
	else groups.push(group);
}

function groupEntries(entries: readonly SelectedEntry[]): Group[] {
	const byMatch = new Map<string, SelectedEntry[]>();
	for (const item of entries) {
		const key = matchKey(item.entry.match);
		const members = byMatch.get(key);
		if (members === undefined) byMatch.set(key, [item]);
		else members.push(item);
	}
	return [...byMatch.values()].flatMap((members, id) => {
		members.sort((a, b) => compareStrictness(b.entry.action, a.entry.action) || entryOrder.compare(a, b));
		const [first] = members;
		if (first === undefined) return [];
		const { match } = first.entry;
		return [{ id, match, asks: askedAttributes(match), members, first }];
	});
}

/** The rule of precedence over the groups that match one function, told entry by entry. */
function settleGroups(matching: readonly Group[]): Verdict {
	const decision = decide(matching, {
		// Who asks about more admits less: most pairs need no further look.
		strictlyContains: (outer, inner) =>
			(outer.asks & ~inner.asks) === 0 && strictlyContains(outer.match, inner.match),
		action: (group) => group.first.entry.action,
		compare: (a, b) => entryOrder.compare(a.first, b.first),
	});
	if (decision === null) throw new Error("no entry to decide among");
	const { first: winner, members } = decision.winner;
	const overridden: Overridden<SelectedEntry>[] = [];
	const beaten = (item: SelectedEntry): void => {
		const reason = item.entry.action === winner.entry.action ? "same" : "stricter";
		overridden.push({ item, reason, by: winner });
	};
	for (const item of members.slice(1)) beaten(item);
	for (const { item: group, reason, by } of decision.overridden) {
		for (const item of group.members) {
			if (reason === "carved") overridden.push({ item, reason, by: by.first });
			else beaten(item);
		}
	}
	return { action: winner.entry.action, source: "entry", entry: winner, overridden };
}

/** Where a group is filed: under one condition on the device, or null when it has none that can be looked up. */
function entryKeys(match: DeviceMatch): readonly string[] | null {
	if (match.serial !== null) return match.serial.map((value) => `serial ${value}`);
	if (match.descriptorsHash !== null) return match.descriptorsHash.map((value) => `hash ${value}`);
	if (match.product !== null) return match.product.map((value) => `product ${value}`);
	if (match.port !== null && !/[*?]/.test(match.port)) return [`port ${match.port}`];
	if (match.vendorId !== null) return [idKey(match.vendorId, match.productId)];
	if (match.manufacturer !== null) return match.manufacturer.map((value) => `manufacturer ${value}`);
	return null;
}

function deviceKeys(device: DeviceAttributes): readonly string[] {
	const keys: string[] = [];
	if (device.serial !== null) keys.push(`serial ${device.serial}`);
	if (device.descriptorsHash !== null) keys.push(`hash ${device.descriptorsHash}`);
	if (device.product !== null) keys.push(`product ${device.product}`);
	if (device.port !== null) keys.push(`port ${device.port}`);
	if (device.twin !== null && device.twin !== device.port) keys.push(`port ${device.twin}`);
	if (device.manufacturer !== null) keys.push(`manufacturer ${device.manufacturer}`);
	if (device.vendorId !== null) {
		keys.push(idKey(device.vendorId, null));
		if (device.productId !== null) keys.push(idKey(device.vendorId, device.productId));
	}
	return keys;
}

function idKey(vendorId: number, productId: number | null): string {
	return `id ${vendorId} ${productId ?? "any"}`;
}

/** Everything that the port and its twin begin with. */
function portBeginnings({ port, twin }: DeviceAttributes): ReadonlySet<string> {
	const beginnings = new Set<string>();
	for (const name of [port ?? "", twin ?? ""]) {
		for (let length = 1; length <= name.length; length++) beginnings.add(name.slice(0, length));
	}
	return beginnings;
}
