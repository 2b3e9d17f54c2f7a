/** What opens our table in an emergency, and tells that it is open. */

import type { Command } from "../../../kernel/nftables/commands.ts";
import { commented } from "../../../kernel/nftables/expressions.ts";
import type { NftKernel } from "../../../kernel/nftables/kernel.ts";
import { type BaseName, forwardChain, leavingChain } from "../names.ts";
import { baseNames, refill } from "./base-chains.ts";

/** How whoever lists the table sees why it blocks nothing. */
const comment = "opened by portward panic-open";

/**
 * Makes the base chains accept every packet; they lead to no rule any more.
 * The rules, sets and counters stay as they are, so that asserting the base
 * chains puts everything back. A base chain that is missing is made: a hook
 * that accepts does no harm, and a transaction that fails would open nothing.
 * `present`: those that are there.
 */
export function openBaseChains(present: readonly BaseName[]): readonly Command[] {
	const names = new Set<BaseName>([...baseNames({}), ...present]);
	return [...names].flatMap((name) => refill(name, [commented("accept", comment)]));
}

/** Whether our base chains accept every packet. */
export function isOpen(kernel: Pick<NftKernel, "list" | "rules">, table: string): boolean {
	const listed = kernel.list(table);
	if (!listed.ok || listed.listing === null) return false;
	const { chains } = listed.listing;
	const names = [
		...baseNames({}),
		...[leavingChain, forwardChain].filter((name) => chains.includes(name)),
	] as const;
	return names.every((name) => {
		const read = kernel.rules(table, name);
		return read.ok && read.rules.some((rule) => rule.comment === comment);
	});
}
