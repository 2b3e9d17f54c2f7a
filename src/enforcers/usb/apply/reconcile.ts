/** From what a device is and what it should be to the next thing to do about it. Pure. */

import type { DeviceDecision } from "../compile/decide.ts";

/** What sysfs says about the authorization of one device. */
export interface AuthorizationState {
	readonly authorized: boolean;
	readonly interfaces: readonly {
		readonly name: string;
		readonly configuration: number;
		readonly number: number;
		readonly authorized: boolean;
		readonly driver: string | null;
	}[];
}

export type Step =
	/** Take the whole device away. */
	| { readonly kind: "refuse-device" }
	/** Take these interfaces away. */
	| { readonly kind: "refuse-interfaces"; readonly names: readonly string[] }
	/** Authorize the device if it is not, then what is permitted of the interfaces that it shows by then. */
	| { readonly kind: "authorize" };

/** Whether an interface of the configuration in force may be used. One that no descriptor announced may not. */
export function isPermitted(
	decision: Pick<DeviceDecision, "interfaces">,
	item: { readonly configuration: number; readonly number: number },
): boolean {
	return decision.interfaces.some(
		({ configuration, number, permitted }) =>
			permitted && configuration === item.configuration && number === item.number,
	);
}

/**
 * What to do next, null when all is as it should be. Refusing comes before
 * authorizing: what is to be withheld must not gain from what is to be given.
 */
export function nextStep(current: AuthorizationState, decision: DeviceDecision): Step | null {
	if (decision.device === "refuse") return current.authorized ? { kind: "refuse-device" } : null;
	if (!current.authorized) return { kind: "authorize" };
	const names: string[] = [];
	let missing = false;
	for (const item of current.interfaces) {
		const permitted = isPermitted(decision, item);
		if (item.authorized && !permitted && decision.state === "partial") names.push(item.name);
		if (!item.authorized && permitted) missing = true;
	}
	if (names.length > 0) return { kind: "refuse-interfaces", names };
	return missing ? { kind: "authorize" } : null;
}

/** Whether what is to be refused was to be refused before, so that somebody else must have authorized it. */
export function wasRefused(
	step: Step,
	before: DeviceDecision,
	present: Pick<AuthorizationState, "interfaces">,
): boolean {
	if (step.kind === "refuse-device") return before.device === "refuse";
	if (step.kind === "authorize") return false;
	const refused = present.interfaces.filter(({ name }) => step.names.includes(name));
	return before.device === "authorize" && refused.some((item) => !isPermitted(before, item));
}
