/** What to say where the daemon does not run: whether its rules hold on, as far as can be seen, and how to start it. */

import type { Config } from "../config/model.ts";
import { baseNames } from "../enforcers/network/apply/base-chains.ts";
import { isOpen } from "../enforcers/network/apply/open-table.ts";
import { withKernelTable } from "./kernel.ts";

/** Two or three sentences. */
export function stoppedDaemon(config: Pick<Config, "table">): string {
	return `The daemon is not running. ${rulesLeft(config.table)} Start it with systemctl start portward, or portward run.`;
}

/** What the kernel holds without a daemon. Only root may see it. */
function rulesLeft(table: string): string {
	if (process.getuid?.() !== 0) return "Rules that it loaded stay in the kernel.";
	const looked = withKernelTable(table, (_, kernel) => {
		const listed = kernel.list(table);
		const chains = listed.ok ? (listed.listing?.chains ?? []) : [];
		if (!baseNames({}).some((name) => chains.includes(name))) return "none";
		return isOpen(kernel, table) ? "open" : "kept";
	});
	if (!looked.ok) return "Rules that it loaded stay in the kernel.";
	if (looked.value === "kept") return "Its rules are still in the kernel.";
	return looked.value === "open"
		? "Its table is still in the kernel, and lets every packet pass (panic-open)."
		: "None of its rules are in the kernel: it blocks no packet.";
}
