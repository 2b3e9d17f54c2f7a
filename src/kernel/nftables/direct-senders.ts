/** Lookups by who sends: the owner of a packet's socket, and the control group that it lies in. */

import { type Expression, metaOwner, registerAt } from "./direct-expressions.ts";

/** Of a rule's text; \\0 stands for the name of a map or a set. */
export const senderForm = "(?:meta (?<owner>skuid|skgid) vmap|socket cgroupv2 level (?<level>\\d{1,2})) @\0";

/** The expressions of such a lookup in a map or a set. */
export function senderLookup(
	{ owner, level }: Readonly<Record<string, string | undefined>>,
	set: string,
): readonly Expression[] {
	const register = registerAt(0);
	if (level !== undefined)
		return [
			{ is: "socket", level: Number(level) },
			{ is: "lookup", set, leads: false },
		];
	const key = owner === "skgid" ? metaOwner.skgid : metaOwner.skuid;
	return [
		{ is: "meta", key, register },
		{ is: "lookup", set, leads: true },
	];
}
