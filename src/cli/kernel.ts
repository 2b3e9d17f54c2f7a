/** The network table of this namespace, for commands that change it without a daemon. */

import { Nftables } from "../../ffi/nftables.ts";
import { type AdoptConnections, KernelTable } from "../enforcers/network/apply/kernel-table.ts";
import { type NftKernel, nftKernel } from "../kernel/nftables/kernel.ts";

/** Runs `use` with the table and the kernel that has it, and closes the library. */
export function withKernelTable<T>(
	name: string,
	use: (table: KernelTable, kernel: NftKernel) => T,
	adopt?: AdoptConnections,
): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string } {
	const opened = Nftables.open();
	if (!opened.ok) return { ok: false, message: `${opened.reason}; ${opened.remedy}` };
	const { nftables } = opened;
	const kernel = nftKernel(nftables);
	try {
		return { ok: true, value: use(new KernelTable(kernel, name, adopt), kernel) };
	} finally {
		nftables.close();
	}
}
