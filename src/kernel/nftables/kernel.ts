/** The kernel's nf_tables as drivers' users see it: typed transactions, and what a table holds. */

import type { Nftables } from "../../../ffi/nftables.ts";
import { UnwritableError } from "./check.ts";
import type { Command } from "./commands.ts";
import { listTable, type TableRead } from "./listing.ts";
import { listRules, type RulesRead } from "./rule-listing.ts";
import { script } from "./writer.ts";

export type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: string };

export interface NftKernel {
	/** One transaction on a table of family inet: all commands take effect, or none. */
	run(table: string, commands: readonly Command[]): Outcome;
	/** The names in a table. */
	list(table: string): TableRead;
	/** The rules of a chain; none where there is no such chain. */
	rules(table: string, chain: string): RulesRead;
}

/** The kernel of this thread's network namespace. What is written goes through libnftables, what is read does not. */
export function nftKernel(nftables: Pick<Nftables, "run">): NftKernel {
	return {
		run: (table, commands) => {
			const text = written(table, commands);
			if (!text.ok) return text;
			const result = nftables.run(text.script);
			return result.ok ? { ok: true } : { ok: false, error: result.error };
		},
		list: listTable,
		rules: listRules,
	};
}

/** A saved ruleset may hold what must not be written: nothing of it is, as if the kernel had refused it. */
function written(
	table: string,
	commands: readonly Command[],
): { readonly ok: true; readonly script: string } | { readonly ok: false; readonly error: string } {
	try {
		return { ok: true, script: script(table, commands) };
	} catch (error) {
		if (error instanceof UnwritableError) return { ok: false, error: error.message };
		throw error;
	}
}
