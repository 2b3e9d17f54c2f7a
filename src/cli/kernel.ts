/** The network table of this namespace, for commands that change it without a daemon. */

import { Nftables } from "../../ffi/nftables.ts";
import { type AdoptConnections, KernelTable } from "../enforcers/network/apply/kernel-table.ts";
import { listTable } from "../enforcers/network/observe/table-listing.ts";

/** Runs `use` with the table and libnftables, and closes the library. */
export function withKernelTable<T>(
	name: string,
	use: (table: KernelTable, nftables: Nftables) => T,
	adopt?: AdoptConnections,
): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string } {
	const opened = Nftables.open();
	if (!opened.ok) return { ok: false, message: `${opened.reason}; ${opened.remedy}` };
	const { nftables } = opened;
	const table = new KernelTable(
		nftables,
		(wanted) => {
			const listed = listTable(wanted);
			return listed.ok ? { ok: true, listing: listed.names } : listed;
		},
		name,
		adopt,
	);
	try {
		return { ok: true, value: use(table, nftables) };
	} finally {
		nftables.close();
	}
}
