/** What becomes of a decision by what is not policy: a permission for a time, and refusals of others. Pure. */

import type { DeviceDecision, JudgedFunction, Withheld } from "./decide.ts";
import type { Verdict } from "./ruleset.ts";

/** A reason that stands outside the policies. */
export type Outside = Extract<Withheld, "somebody-else" | "by-hand" | "no-policies" | "kernel-default">;

/** The decision with everything let through; the verdicts still say what the policies think. */
export function allowedForATime(decision: DeviceDecision): DeviceDecision {
	return {
		...decision,
		device: "authorize",
		state: "authorized",
		refusal: null,
		exemption: "allowed-for-a-time",
		interfaces: decision.interfaces.map((item) => ({
			...item,
			permitted: true,
			functions: item.functions.map(unrefused),
		})),
		functions: decision.functions.map(unrefused),
	};
}

function unrefused(judged: JudgedFunction): JudgedFunction {
	return { ...judged, withheld: null };
}

/** The decision where the whole device is refused for a reason of its own. What the policies refuse keeps their reason. */
export function refusedFor(decision: DeviceDecision, reason: Outside): DeviceDecision {
	if (decision.device === "refuse") return decision;
	const withhold = (judged: JudgedFunction): JudgedFunction => ({
		...judged,
		verdict: judged.withheld === null ? verdictFor(reason, judged.verdict) : judged.verdict,
		withheld: judged.withheld ?? reason,
	});
	return {
		...decision,
		device: "refuse",
		state: "refused",
		refusal: reason,
		exemption: null,
		interfaces: decision.interfaces.map((item) => ({
			...item,
			permitted: false,
			functions: item.functions.map(withhold),
		})),
		functions: decision.functions.map(withhold),
	};
}

/** The decision where single interfaces are refused for a reason of their own. `refused` says which. */
export function interfacesRefusedFor(
	decision: DeviceDecision,
	reason: Outside,
	refused: (configuration: number, number: number) => boolean,
): DeviceDecision {
	if (decision.device === "refuse") return decision;
	let changed = false;
	const interfaces = decision.interfaces.map((item) => {
		if (!item.permitted || !refused(item.configuration, item.number)) return item;
		changed = true;
		const functions = item.functions.map((judged) => ({
			...judged,
			verdict: verdictFor(reason, judged.verdict),
			withheld: reason,
		}));
		return { ...item, permitted: false, functions };
	});
	if (!changed) return decision;
	const functions = decision.functions.flatMap((judged) => split(judged, reason, refused));
	return { ...decision, state: "partial", interfaces, functions };
}

/** A function that several configurations share may be refused in one of them only. */
function split(
	judged: JudgedFunction,
	reason: Outside,
	refused: (configuration: number, number: number) => boolean,
): JudgedFunction[] {
	const { interface: number, configurations, withheld } = judged;
	if (number === null || withheld !== null) return [judged];
	const inside = configurations.filter((value) => refused(value, number));
	const outside = configurations.filter((value) => !refused(value, number));
	const part = (values: readonly number[], why: Withheld | null): JudgedFunction[] =>
		values.length === 0
			? []
			: [
					{
						...judged,
						configuration: values[0] ?? null,
						configurations: values,
						verdict: why === null ? judged.verdict : verdictFor(reason, judged.verdict),
						withheld: why,
					},
				];
	return [...part(outside, null), ...part(inside, reason)];
}

/** A lock without policies is all that spoke; whoever else refuses leaves what the policies said as it is. */
function verdictFor(reason: Outside, verdict: Verdict): Verdict {
	if (reason !== "no-policies" && reason !== "kernel-default") return verdict;
	return { action: "Block", source: "lock", entry: null, overridden: [] };
}

/** What sysfs says of one device, as far as it is needed here. */
export interface AsPresent {
	readonly authorized: boolean;
	readonly interfaces: readonly {
		readonly configuration: number;
		readonly number: number;
		readonly authorized: boolean;
	}[];
}

/** The decision where nothing is written: what is not authorized stays so, and is said to be. */
export function asItIs(decision: DeviceDecision, present: AsPresent, reason: Outside): DeviceDecision {
	if (!present.authorized) return refusedFor(decision, reason);
	const closed = present.interfaces.filter((item) => !item.authorized);
	if (closed.length === 0) return decision;
	return interfacesRefusedFor(decision, reason, (configuration, number) =>
		closed.some((item) => item.configuration === configuration && item.number === number),
	);
}
