/** Deletes what is left of earlier plans. */

import type { Command } from "../../../kernel/nftables/commands.ts";
import type { Outcome } from "../../../kernel/nftables/kernel.ts";
import { ifOurs } from "./transaction.ts";

/** Where a table goes meanwhile, libnftables compares names for each command refused: minutes for ten thousand. */
const deletedAtOnce = 500;

/** Runs the commands a part at a time, as long as the table is ours. @param run makes one transaction on it */
export function deleteParts(
	run: (...commands: readonly Command[]) => Outcome,
	commands: readonly Command[] | null,
): Outcome {
	for (let from = 0; commands !== null && from < commands.length; from += deletedAtOnce) {
		const deleted = run(ifOurs, ...commands.slice(from, from + deletedAtOnce));
		if (!deleted.ok) return deleted;
	}
	return { ok: true };
}
