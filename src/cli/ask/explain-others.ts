/** What other tables on this host do to the packet that `portward explain` is asked about. */

import type { Action } from "../../base/model.ts";
import { isTransport, protocolNumber } from "../../base/protocol.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Packet } from "../../enforcers/network/compile/program.ts";
import {
	decidingChains,
	describeChain,
	type ForeignChain,
	foreignChains,
} from "../../enforcers/network/observe/foreign-chains.ts";
import { type Translation, translationsOf } from "../../enforcers/network/observe/translations.ts";

export interface Others {
	readonly deciding: readonly ForeignChain[];
	readonly translations: readonly Translation[];
}

/**
 * None where nobody may look, or there are none. What is forwarded to a guest has been translated already.
 * @param table our own, which is left out.
 */
export function othersOf({ direction, protocol, port }: Packet, table: string, forwarded = false): Others {
	const read = foreignChains(table);
	if (!read.ok) return { deciding: [], translations: [] };
	const asked =
		!forwarded && protocol !== null && isTransport(protocol)
			? { protocol: protocolNumber(protocol), port }
			: null;
	return {
		deciding: decidingChains(read.chains, forwarded ? "forward" : direction),
		translations: asked === null ? [] : translationsOf(read.chains, direction, asked),
	};
}

/** The fields of `--json`; none where there is nothing to tell. */
export function othersJson({ deciding, translations }: Others) {
	return {
		...(deciding.length === 0 ? {} : { others: deciding }),
		...(translations.length === 0 ? {} : { translations }),
	};
}

/** Lines below the verdict. */
export function describeOthers({ deciding, translations }: Others, action: Action): string {
	const ours = action === "Block" ? "Portward blocks, whatever others say" : "Portward allows";
	const lines = [
		...deciding.map((chain) => `  ${ours}; ${describeChain(chain)} also decides`),
		...translations.map(describeTranslation),
	];
	return lines.map((line) => `${escapeForTerminal(line)}\n`).join("");
}

function describeTranslation({ family, table, chain, tools, port, named }: Translation): string {
	const whose = tools.length === 0 ? "" : ` (${tools.join(", ")})`;
	const where = `${family} ${table} ${chain}${whose}`;
	const leads = port === null ? "ask about where it leads" : `ask about port ${port}`;
	const what = named
		? "redirects or translates this port"
		: "may redirect or translate this port, as a rule of it names none";
	return `  ${where} ${what}: policies judge the packet behind that; ${leads}`;
}
