/** Whether the table in the kernel judges packets. */

import type { NftKernel } from "../../../kernel/nftables/kernel.ts";
import type { ListedVerdict } from "../../../kernel/nftables/rule-listing.ts";
import { type BaseName, forwardChain, isPlanChain, leavingChain, rootOf } from "../names.ts";
import { baseChain } from "./base-chains.ts";

/** Whether packets meet a ruleset in the table: base chains that lead to roots that lead to a plan's chains. */
export function isComplete(kernel: Pick<NftKernel, "list" | "rules">, table: string): boolean {
	const listed = kernel.list(table);
	const hooks = listed.ok ? (listed.listing?.hooks ?? {}) : {};
	const leads = (name: string, to: (verdict: ListedVerdict) => boolean) => {
		const read = kernel.rules(table, name);
		return read.ok && read.rules.some(({ verdict }) => verdict !== null && to(verdict));
	};
	const judges = (name: BaseName) =>
		hooks[name]?.hook === baseChain(name).hook.hook &&
		leads(name, ({ word, chain }) => word === "jump" && chain === rootOf(name)) &&
		leads(rootOf(name), ({ word, chain = "" }) => word === "goto" && isPlanChain(chain));
	const forwards = hooks[forwardChain] === undefined || judges(forwardChain);
	return judges("ingress") && (judges("egress") || judges(leavingChain)) && forwards;
}
