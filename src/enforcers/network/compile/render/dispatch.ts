/** Tables as chains for each range of ports: for kernels without interval sets of concatenations. */

import type { Protocol } from "../../../../base/model.ts";
import { rangeText } from "../../../../base/port-range.ts";
import { isTransport } from "../../../../base/protocol.ts";
import { vmap } from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import type { IntervalList } from "../interval.ts";
import type { Segment, Table } from "../table.ts";
import {
	type Field,
	guarded,
	intervals,
	isWhole,
	type LookupContext,
	portField,
	sourceKey,
} from "./cell-sets.ts";

/** Rules of a chain for the addresses of one protocol, and of one range of ports. */
type Body = (protocol: Protocol, list: IntervalList) => Rule[];

/** A map of ranges to chains. */
function dispatch(
	context: LookupContext,
	key: Field,
	verdict: "jump" | "goto",
	ranges: readonly { readonly first: number; readonly last: number; readonly rules: readonly Rule[] }[],
): Rule {
	const values = ranges.map(({ rules }) => {
		context.count(-1);
		return { verdict, chain: context.store.chain(rules) };
	});
	const keys = ranges.map(rangeText).join("\n");
	const leads = ranges.map((_, i) => i);
	const map = context.store.map({ type: key.type, to: "verdict", ...intervals, keys, values, leads });
	return guarded([key], vmap(key.read, map));
}

function portDispatch(
	context: LookupContext,
	protocol: Protocol,
	segments: readonly Segment[],
	verdict: "jump" | "goto",
	body: Body,
): Rule {
	const ranges = segments.map(({ first, last, list }) => ({ first, last, rules: body(protocol, list) }));
	// Of others no rule names ports.
	if (!isTransport(protocol)) throw new RangeError("a protocol without ports");
	return dispatch(context, portField(context, protocol), verdict, ranges);
}

/** The rules that go to the chain of a packet's ports. `missed`: what the chain of a source goes on with for other ports. */
export function dispatches(
	context: LookupContext,
	table: Table & { readonly layer: "P" | "S" },
	verdict: "jump" | "goto",
	body: Body,
	missed: (protocol: Protocol) => readonly Rule[],
): Rule[] {
	if (table.layer === "P") {
		return [...table.segments].map(([protocol, segments]) =>
			portDispatch(context, protocol, segments, verdict, body),
		);
	}
	return [...table.sources].map(([protocol, sources]) => {
		const ranges = sources.map(({ first, last, ports }) => {
			const [only] = ports;
			const rules =
				only !== undefined && isWhole(only)
					? body(protocol, only.list)
					: [portDispatch(context, protocol, ports, verdict, body), ...missed(protocol)];
			return { first, last, rules };
		});
		return dispatch(context, sourceKey(protocol), verdict, ranges);
	});
}
