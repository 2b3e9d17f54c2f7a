/** The product's own table in a lab's namespace, through the nft program, which is the same library in another process. */

import { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import type { NftKernel } from "../../../src/kernel/nftables/kernel.ts";
import type { ListedRule, ListedVerdict } from "../../../src/kernel/nftables/rule-listing.ts";
import { script } from "../../../src/kernel/nftables/writer.ts";
import type { Namespace } from "./netns.ts";

type Expression = Readonly<Partial<Record<ListedVerdict["word"], { readonly target: string } | null>>>;

interface Listed {
	readonly chain?: { readonly name: string; readonly hook?: string; readonly prio?: number };
	readonly set?: { readonly name: string };
	readonly map?: { readonly name: string };
	readonly counter?: { readonly name: string };
	readonly quota?: { readonly name: string };
	readonly rule?: { readonly expr: readonly Expression[]; readonly comment?: string };
}

export function kernelTable(namespace: Namespace, table: string): KernelTable {
	return new KernelTable(kernelOf(namespace), table);
}

function kernelOf(namespace: Namespace): NftKernel {
	const listed = (...what: readonly string[]) => {
		const { code, out, error } = namespace.try(["nft", "-j", "-t", "list", ...what]);
		if (code !== 0)
			return error.includes("No such file or directory")
				? { ok: true as const, items: null }
				: { ok: false as const, error };
		const { nftables }: { nftables: readonly Listed[] } = JSON.parse(out);
		return { ok: true as const, items: nftables };
	};
	return {
		run(table, commands) {
			const { code, error } = namespace.try(["nft", "-f", "-"], script(table, commands));
			return code === 0 ? { ok: true } : { ok: false, error };
		},
		list(table) {
			const read = listed("table", "inet", table);
			if (!read.ok) return read;
			const { items } = read;
			if (items === null) return { ok: true, listing: null };
			const names = (found: (one: Listed) => { readonly name: string } | undefined) =>
				items.map(found).flatMap((one) => (one === undefined ? [] : [one.name]));
			const hooks = items.flatMap(({ chain }) =>
				chain?.hook === undefined ? [] : [[chain.name, { hook: chain.hook, priority: chain.prio ?? 0 }]],
			);
			return {
				ok: true,
				listing: {
					chains: names((one) => one.chain),
					hooks: Object.fromEntries(hooks),
					sets: names((one) => one.set),
					maps: names((one) => one.map),
					counters: names((one) => one.counter),
					quotas: names((one) => one.quota),
				},
			};
		},
		rules(table, chain) {
			const read = listed("chain", "inet", table, chain);
			if (!read.ok) return read;
			return { ok: true, rules: (read.items ?? []).flatMap(({ rule }) => (rule ? [listedRule(rule)] : [])) };
		},
	};
}

const words = ["accept", "drop", "jump", "goto", "return"] as const;

function listedRule(rule: NonNullable<Listed["rule"]>): ListedRule {
	const comment = rule.comment ?? null;
	const { expr } = rule;
	const last = expr.at(-1) ?? {};
	const word = words.find((one) => one in last);
	if (word === undefined) return { verdict: null, unconditional: false, comment };
	const target = last[word]?.target;
	const verdict = target === undefined ? { word } : { word, chain: target };
	return { verdict, unconditional: expr.length === 1, comment };
}
