/** The rules that look tables up, in both ruleset forms. */

import type { Protocol } from "../../../../base/model.ts";
import { rangeText } from "../../../../base/port-range.ts";
import { isTransport, protocolNumber } from "../../../../base/protocol.ts";
import { joined, jump, protocolKey } from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import type { IntervalList } from "../interval.ts";
import type { Step, Table } from "../table.ts";
import { boxesOf } from "./boxes.ts";
import {
	andPort,
	andProtocol,
	isWhole,
	type LookupContext,
	listCells,
	lookUp,
	plain,
	portField,
	sourceKey,
	type Use,
} from "./cell-sets.ts";
import { dispatches } from "./dispatch.ts";
import type { Cell } from "./hashable.ts";

/**
 * Up to so many protocols without ports are compared one by one: packets of others are spared a lookup, which
 * costs about as much as four comparisons.
 */
const mostCompared = 4;

function plainOf(context: LookupContext, protocol: Protocol, list: IntervalList, use: Use): Rule[] {
	return plain(context, list, use).map((rule) => joined(`${protocolKey} ${protocolNumber(protocol)} `, rule));
}

function protocolLookups(context: LookupContext, table: Table & { readonly layer: "T" }, use: Use): Rule[] {
	const portless = [...table.lists].filter(([protocol]) => !isTransport(protocol));
	const compared = portless.length <= mostCompared ? portless : [];
	const together = [...table.lists].filter(([protocol]) => !compared.some(([other]) => other === protocol));
	const cells = () =>
		together.flatMap(([protocol, list]) => listCells(list, ` . ${protocolNumber(protocol)}`));
	return [
		...(together.length === 0 ? [] : lookUp(context, andProtocol, table, cells, use)),
		...compared.flatMap(([protocol, list]) => plainOf(context, protocol, list, use)),
	];
}

/** Per protocol, so that packets of others are spared the lookup; and one of the ports only where they matter. */
function sourceLookups(context: LookupContext, table: Table & { readonly layer: "S" }, use: Use): Rule[] {
	return [...table.sources].flatMap(([protocol, sources]) => {
		const key = sourceKey(protocol);
		const any: Cell[] = [];
		const limited: Cell[] = [];
		for (const source of sources) {
			for (const { first, last, rank, firstPort, lastPort } of boxesOf(source.ports)) {
				const tail = ` . ${rangeText(source)}`;
				const exact = source.first === source.last;
				const range = { first: firstPort, last: lastPort };
				if (isWhole(range)) any.push({ first, last, rank, tail, exact });
				else {
					const ports = rangeText(range);
					limited.push({
						first,
						last,
						rank,
						tail: `${tail} . ${ports}`,
						exact: exact && firstPort === lastPort,
					});
				}
			}
		}
		const port = isTransport(protocol) ? [portField(context, protocol)] : [];
		return [
			...(any.length === 0 ? [] : lookUp(context, [key], null, () => any, use)),
			...(limited.length === 0 ? [] : lookUp(context, [key, ...port], null, () => limited, use)),
		];
	});
}

/** The rules that look a table up in maps whose keys are concatenations. */
function concatenated(context: LookupContext, table: Table, use: Use): Rule[] {
	if (table.layer === "W") return plain(context, table.list, use);
	if (table.layer === "T") return protocolLookups(context, table, use);
	if (table.layer === "S") return sourceLookups(context, table, use);
	const cells = () =>
		[...table.segments].flatMap(([protocol, segments]) =>
			boxesOf(segments).map(({ first, last, rank, firstPort, lastPort }) => ({
				first,
				last,
				rank,
				tail: ` . ${protocolNumber(protocol)} . ${rangeText({ first: firstPort, last: lastPort })}`,
				exact: firstPort === lastPort,
			})),
		);
	return lookUp(context, andPort(context), table, cells, use);
}

function nested(context: LookupContext, table: Table, use: Use): Rule[] {
	if (table.layer === "W") return plain(context, table.list, use);
	if (table.layer === "T") {
		return [...table.lists].flatMap(([protocol, list]) => plainOf(context, protocol, list, use));
	}
	return dispatches(
		context,
		table,
		"jump",
		(_protocol, list) => plain(context, list, use),
		() => [],
	);
}

/** The rules of one step of a sequence. They decide the packet or let it go on. */
export function stepRules(context: LookupContext, { exempt, table }: Step): Rule[] {
	const rules = tableRules(context, table);
	if (exempt.length === 0) return rules;
	return [jump(context.store.chain(exemptRules(context, exempt, table, rules)))];
}

function tableRules(context: LookupContext, table: Table, use: Use = "vmap"): Rule[] {
	return context.form === "concatenated" ? concatenated(context, table, use) : nested(context, table, use);
}

/** The rules of a chain that returns for what is exempt, and looks the table up, with `rules`, for the rest. */
function exemptRules(
	context: LookupContext,
	exempt: readonly Table[],
	table: Table,
	rules: readonly Rule[] = tableRules(context, table),
): readonly Rule[] {
	const [first, ...others] = exempt;
	if (first === undefined) return rules;
	if (context.form === "concatenated" || first.layer === "W" || first.layer === "T")
		return [...tableRules(context, first, "return"), ...exemptRules(context, others, table, rules)];
	// goto: the end of the segment's chain returns to where this chain was jumped to from.
	// Once a protocol, though each of the segments asks: the table may be a list of 100 000 addresses.
	const known = new Map<Protocol, readonly Rule[]>();
	const rest = (protocol: Protocol) => {
		const rules = known.get(protocol) ?? exemptRules(context, others, onlyOf(table, protocol));
		known.set(protocol, rules);
		return rules;
	};
	const body = (protocol: Protocol, list: IntervalList) => [
		...plain(context, list, "return"),
		...rest(protocol),
	];
	return [...dispatches(context, first, "goto", body, rest), ...exemptRules(context, others, table, rules)];
}

/** What of a table can match packets of a protocol. */
function onlyOf(table: Table, protocol: Protocol): Table {
	const only = <T>(named: ReadonlyMap<Protocol, T>) =>
		new Map([...named].filter(([other]) => other === protocol));
	if (table.layer === "T") return { layer: "T", lists: only(table.lists) };
	if (table.layer === "P") return { layer: "P", segments: only(table.segments) };
	return table.layer === "S" ? { layer: "S", sources: only(table.sources) } : table;
}
