/**
 * Leads packets of IPv6 to what is said of addresses of their kind. Kinds of more suffixes come first, so the first whose
 * suffixes all match is the packet's own.
 */

import { goto, joined, maskedAddress } from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import type { SendersProgram } from "../groups.ts";
import type { DirectionProgram } from "../program.ts";
import type { ObjectStore } from "./objects.ts";

/** None where no rule names a suffix. @param met what decides the packets of a kind */
export function suffixRules(
	store: ObjectStore,
	{ suffixes }: Pick<DirectionProgram, "suffixes">,
	side: "saddr" | "daddr",
	met: (program: SendersProgram) => readonly Rule[],
): readonly Rule[] {
	return (suffixes?.programs ?? []).map((program) => {
		const matches = program.kind.map((suffix) => `${maskedAddress(side, suffix)} `);
		return joined(...matches, goto(store.chain(met(program))));
	});
}
