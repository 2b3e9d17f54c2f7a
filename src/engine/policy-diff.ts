/** What changes between two sets of selected policies, rule by rule and entry by entry. */

import { formatCidr } from "../base/cidr.ts";
import type { Place } from "../base/diagnostic.ts";
import type { Action, Direction } from "../base/model.ts";
import { interfaceKey, sourceOf } from "../enforcers/network/compile/atom.ts";
import { portsLabel } from "../enforcers/network/compile/lint/ports-label.ts";
import type { NetworkModel } from "../enforcers/network/compile/program.ts";
import type { NetworkPolicy, NetworkRule } from "../enforcers/network/model.ts";
import { usbClassName } from "../enforcers/usb/class.ts";
import { DeviceRuleset, selectEntries } from "../enforcers/usb/compile/ruleset.ts";
import type { DeviceMatch, HostDevicePolicy } from "../enforcers/usb/model.ts";

/** What one field of a rule or entry admits, in the words of policies; none is anything. */
export type Conditions = Readonly<Record<string, readonly string[]>>;

/** A rule of a network policy, or an entry of a device policy, as a reader knows it. */
export interface Described {
	readonly policy: string;
	readonly direction: Direction | "device";
	/** Position in its list. */
	readonly index: number;
	readonly action: Action;
	readonly severity: number;
	readonly tags: readonly string[];
	readonly message: string;
	readonly place: Place;
	readonly conditions: Conditions;
}

/** Null in `before` is added, null in `after` removed. */
export interface Change {
	readonly before: Described | null;
	readonly after: Described | null;
}

/** What befalls packets or functions that no rule matches. */
export type Unmatched = "accept" | "audit" | "block";

/** How a direction, or the devices, stand to what no rule matches. */
export interface Default {
	/** An Allow is in force, so that the posture decides. */
	readonly allowlistMode: boolean;
	readonly unmatched: Unmatched;
}

export interface DefaultChange {
	readonly before: Default;
	readonly after: Default;
}

export interface PolicyDiff {
	/** By policy name, direction and position. */
	readonly rules: readonly Change[];
	readonly devices: readonly Change[];
	readonly defaults: Readonly<Record<Direction | "device", DefaultChange>>;
}

/** A set of policies that this host's labels select, with its compiled rules. */
export interface SelectedSet {
	readonly network: readonly NetworkPolicy[];
	readonly model: NetworkModel;
	readonly devices: readonly HostDevicePolicy[];
}

export function diffPolicies(
	before: SelectedSet,
	after: SelectedSet,
	devicePosture: "audit" | "block",
): PolicyDiff {
	const direction = (name: Direction) => ({
		before: networkDefault(before.model, name),
		after: networkDefault(after.model, name),
	});
	return {
		rules: diff(before.network.flatMap(describeRules), after.network.flatMap(describeRules)),
		devices: diff(before.devices.flatMap(describeEntries), after.devices.flatMap(describeEntries)),
		defaults: {
			ingress: direction("ingress"),
			egress: direction("egress"),
			device: {
				before: deviceDefault(before.devices, devicePosture),
				after: deviceDefault(after.devices, devicePosture),
			},
		},
	};
}

/** Whether anything is not as it was. */
export function isEmptyDiff({ rules, devices, defaults }: PolicyDiff): boolean {
	return rules.length === 0 && devices.length === 0 && !Object.values(defaults).some(defaultChanges);
}

export function defaultChanges({ before, after }: DefaultChange): boolean {
	return before.allowlistMode !== after.allowlistMode || before.unmatched !== after.unmatched;
}

const unmatched: Readonly<Record<Action, Unmatched>> = { Allow: "accept", Audit: "audit", Block: "block" };

function networkDefault(model: NetworkModel, direction: Direction): Default {
	const { allowlistMode, posture } = model[direction];
	return { allowlistMode, unmatched: unmatched[posture?.action ?? "Allow"] };
}

function deviceDefault(policies: readonly HostDevicePolicy[], posture: "audit" | "block"): Default {
	const { allowlistMode } = new DeviceRuleset(selectEntries(policies), posture);
	return { allowlistMode, unmatched: allowlistMode ? posture : "accept" };
}

function describeRules(policy: NetworkPolicy): Described[] {
	return (["ingress", "egress"] as const).flatMap((direction) =>
		policy[direction].map(
			(rule): Described => ({
				policy: policy.name,
				direction,
				index: rule.index,
				action: rule.action,
				severity: rule.severity,
				tags: rule.tags,
				message: rule.message,
				place: rule.place,
				conditions: ruleConditions(rule, direction),
			}),
		),
	);
}

function ruleConditions({ peers, ports, interfaces }: NetworkRule, direction: Direction): Conditions {
	return {
		[direction === "ingress" ? "from" : "to"]: unique(
			peers.map(({ cidr, except }) => {
				const holes = unique(except.map(formatCidr));
				return `${formatCidr(cidr)}${holes.length === 0 ? "" : ` except ${holes.join(", ")}`}`;
			}),
		),
		ports: unique(ports.map((entry) => portsLabel(entry.protocol, entry.range, sourceOf(entry)))),
		iface: unique(interfaces.map(interfaceKey)),
	};
}

function describeEntries(policy: HostDevicePolicy): Described[] {
	return policy.entries.map(
		({ index, place, action, severity, tags, message, match }): Described => ({
			policy: policy.name,
			direction: "device",
			index,
			action,
			severity,
			tags,
			message,
			place,
			conditions: entryConditions(match),
		}),
	);
}

function entryConditions(match: DeviceMatch): Conditions {
	const number = (value: number | null) => (value === null ? [] : [String(value)]);
	const id = (value: number | null) => (value === null ? [] : [value.toString(16).padStart(4, "0")]);
	const text = (value: string | null) => (value === null ? [] : [value]);
	return {
		class: [match.class === null ? "ALL" : usbClassName(match.class)],
		subClass: number(match.subClass),
		protocol: number(match.protocol),
		level: number(match.level),
		vendorId: id(match.vendorId),
		productId: id(match.productId),
		serial: match.serial ?? [],
		product: match.product ?? [],
		manufacturer: match.manufacturer ?? [],
		port: text(match.port),
		connectType: text(match.connectType),
	};
}

function unique(texts: readonly string[]): string[] {
	return [...new Set(texts)].sort();
}

/** Equal exactly when two rules of one policy do the same, wherever they stand in it. */
function contentOf({ action, severity, tags, message, conditions }: Described): string {
	return JSON.stringify([action, severity, tags, message, conditions]);
}

function listOf({ policy, direction }: Described): string {
	return JSON.stringify([policy, direction]);
}

/**
 * Within a policy the order of rules means nothing, so one that only moved did
 * not change; of the others those at the same position are one rule that changed.
 */
function diff(before: readonly Described[], after: readonly Described[]): Change[] {
	const old = Map.groupBy(before, listOf);
	const fresh = Map.groupBy(after, listOf);
	const changes: Change[] = [];
	for (const list of new Set([...old.keys(), ...fresh.keys()])) {
		const gone = Map.groupBy(old.get(list) ?? [], contentOf);
		const added = (fresh.get(list) ?? []).filter((rule) => gone.get(contentOf(rule))?.shift() === undefined);
		const byIndex = new Map([...gone.values()].flat().map((rule) => [rule.index, rule]));
		for (const rule of added) {
			changes.push({ before: byIndex.get(rule.index) ?? null, after: rule });
			byIndex.delete(rule.index);
		}
		for (const rule of byIndex.values()) changes.push({ before: rule, after: null });
	}
	return changes.sort(compareChanges);
}

const places = { ingress: 0, egress: 1, device: 2 } as const;

function compareChanges(a: Change, b: Change): number {
	const x = a.after ?? a.before;
	const y = b.after ?? b.before;
	if (x === null || y === null) return 0;
	if (x.policy !== y.policy) return x.policy < y.policy ? -1 : 1;
	return places[x.direction] - places[y.direction] || x.index - y.index;
}
