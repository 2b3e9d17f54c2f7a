/** What a set of policies would have made of the USB devices that came. Pure. */

import { postureName } from "../../../base/model.ts";
import { type DeviceDecision, decideDevice, type JudgedFunction } from "../compile/decide.ts";
import type { DeviceRuleset } from "../compile/ruleset.ts";
import type { SeenDevice, SeenFunction } from "./seen-device.ts";

/** The two ways in which a device can fare otherwise than it did. */
export type DeviceChange = "wouldBlock" | "wouldAllow";

/** The devices that one entry makes fare otherwise. */
export interface SimulatedEntry {
	/** Null: no entry decides. */
	readonly policy: string | null;
	/** Null for what no entry of a policy decides. */
	readonly index: number | null;
	readonly change: DeviceChange;
	/** Devices. */
	readonly count: number;
	/** The one that was there last. */
	readonly example: SeenDevice;
}

export interface UsbSimulation {
	readonly wouldBlock: number;
	readonly wouldAllow: number;
	readonly unchanged: number;
	/** Those that would block first, by falling count. */
	readonly rules: readonly SimulatedEntry[];
}

/** Each is judged as one that is plugged in: what spares devices that were there before counts for none. */
export function simulateDevices(devices: readonly SeenDevice[], ruleset: DeviceRuleset): UsbSimulation {
	const totals = { wouldBlock: 0, wouldAllow: 0, unchanged: 0 };
	const rules = new Map<string, SimulatedEntry>();
	for (const seen of devices) {
		const decision = decideDevice(ruleset, seen.device, { mode: "apply", consoleKeyboard: false });
		const change = changeOf(seen, decision);
		totals[change ?? "unchanged"] += 1;
		if (change === null) continue;
		const decider = deciderOf(seen, decision, change);
		const key = JSON.stringify([change, decider.policy, decider.index]);
		const known = rules.get(key);
		const newest = known === undefined || seen.lastSeen > known.example.lastSeen ? seen : known.example;
		rules.set(key, { ...decider, change, count: (known?.count ?? 0) + 1, example: newest });
	}
	return { ...totals, rules: [...rules.values()].sort(inOrder) };
}

/** A device of which a function would stop is blocked, whatever else of it would begin to work. */
function changeOf(seen: SeenDevice, decision: DeviceDecision): DeviceChange | null {
	const { verdict } = seen;
	if (decision.functions.some((item) => item.withheld !== null && !wasRefused(seen, item)))
		return "wouldBlock";
	if (decision.device === "refuse" && verdict.state !== "refused") return "wouldBlock";
	if (decision.functions.some((item) => item.withheld === null && wasRefused(seen, item)))
		return "wouldAllow";
	return decision.device === "authorize" && verdict.state === "refused" ? "wouldAllow" : null;
}

function wasRefused({ verdict }: SeenDevice, item: JudgedFunction): boolean {
	const found = verdict.functions.find((one) => isSame(one, item));
	return found === undefined ? verdict.state === "refused" : found.refused;
}

function isSame(seen: SeenFunction, { interface: number, triple }: JudgedFunction): boolean {
	return (
		seen.interface === number &&
		seen.class === triple.class &&
		seen.subClass === triple.subClass &&
		seen.protocol === triple.protocol
	);
}

/** Who makes it so: of what goes down with something else, the entry that refuses that. */
function deciderOf(
	seen: SeenDevice,
	{ functions }: DeviceDecision,
	change: DeviceChange,
): Pick<SimulatedEntry, "policy" | "index"> {
	const found =
		change === "wouldBlock"
			? (functions.find((item) => item.withheld === "verdict" && !wasRefused(seen, item)) ??
				functions.find((item) => item.withheld === "verdict"))
			: functions.find((item) => item.withheld === null && wasRefused(seen, item));
	const verdict = found?.verdict;
	if (verdict?.source === "posture") return { policy: postureName, index: null };
	return { policy: verdict?.entry?.policy ?? null, index: verdict?.entry?.entry.index ?? null };
}

function inOrder(a: SimulatedEntry, b: SimulatedEntry): number {
	if (a.change !== b.change) return a.change === "wouldBlock" ? -1 : 1;
	if (a.count !== b.count) return b.count - a.count;
	const [x, y] = [a, b].map(({ policy, index }) => `${policy ?? ""} ${index ?? -1}`);
	return (x ?? "") < (y ?? "") ? -1 : 1;
}
