/** What opens our table in an emergency, as nft commands. */

import { type BaseName, baseNames, leavingChain, refill } from "./base-chains.ts";

/** One libnftables context. */
interface Runner {
	run(commands: string): { ok: true; output: string } | { ok: false; error: string };
}

/** How whoever lists the table sees why it blocks nothing. */
const comment = "opened by portward panic-open";

/**
 * Makes the base chains accept every packet; they lead to no rule any more.
 * The rules, sets and counters stay as they are, so that asserting the base
 * chains puts everything back. A base chain that is missing is made: a hook
 * that accepts does no harm, and a transaction that fails would open nothing.
 * `present`: those that are there.
 */
export function openBaseChains(table: string, present: readonly BaseName[]): string {
	const names = new Set<BaseName>([...baseNames(undefined), ...present]);
	return [...names].map((name) => refill(table, name, [`accept comment "${comment}"`])).join("");
}

/** Whether our base chains accept every packet. */
export function isOpen(runner: Runner, table: string): boolean {
	const listed = (name: BaseName) => runner.run(`list chain inet ${table} ${name}`);
	const leaving = listed(leavingChain);
	return (
		baseNames(undefined).every((name) => {
			const chain = listed(name);
			return chain.ok && chain.output.includes(comment);
		}) &&
		(!leaving.ok || leaving.output.includes(comment))
	);
}
