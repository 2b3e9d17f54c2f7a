/** What opens our table in an emergency, as nft commands. */

import type { Direction } from "../policy/model.ts";
import { baseChain } from "./transaction.ts";

const directions: readonly Direction[] = ["ingress", "egress"];

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
 */
export function openBaseChains(table: string): string {
	return directions
		.map(
			(direction) =>
				`add chain inet ${table} ${direction} { ${baseChain(direction).hook} }\n` +
				`flush chain inet ${table} ${direction}\n` +
				`add rule inet ${table} ${direction} accept comment "${comment}"\n`,
		)
		.join("");
}

/** Whether our base chains accept every packet. */
export function isOpen(runner: Runner, table: string): boolean {
	return directions.every((direction) => {
		const listed = runner.run(`list chain inet ${table} ${direction}`);
		return listed.ok && listed.output.includes(comment);
	});
}
