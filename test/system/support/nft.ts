/** The product's own table in a lab's namespace, through the nft program, which is the same library in another process. */

import { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import type { Namespace } from "./netns.ts";

interface Listed {
	readonly chain?: { readonly name: string; readonly prio?: number };
	readonly set?: { readonly name: string };
	readonly map?: { readonly name: string };
	readonly counter?: { readonly name: string };
}

export function kernelTable(namespace: Namespace, table: string): KernelTable {
	return new KernelTable(
		{
			run(commands) {
				const { code, out, error } = namespace.try(["nft", "-f", "-"], commands);
				return code === 0 ? { ok: true, output: out } : { ok: false, error };
			},
		},
		(name) => {
			const { code, out, error } = namespace.try(["nft", "-j", "-t", "list", "table", "inet", name]);
			if (code !== 0) {
				return error.includes("No such file or directory")
					? { ok: true, listing: null }
					: { ok: false, error };
			}
			const { nftables }: { nftables: readonly Listed[] } = JSON.parse(out);
			const names = (found: (one: Listed) => { readonly name: string } | undefined) =>
				nftables.map(found).flatMap((one) => (one === undefined ? [] : [one.name]));
			return {
				ok: true,
				listing: {
					chains: names((one) => one.chain),
					priorities: Object.fromEntries(
						nftables.flatMap(({ chain }) => (chain?.prio === undefined ? [] : [[chain.name, chain.prio]])),
					),
					sets: names((one) => one.set),
					maps: names((one) => one.map),
					counters: names((one) => one.counter),
				},
			};
		},
		table,
	);
}
