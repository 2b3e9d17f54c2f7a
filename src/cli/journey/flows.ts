import type { Action } from "../../base/model.ts";
import { suggest } from "../../base/suggest.ts";
import { escapeJson } from "../../base/terminal.ts";
import {
	flowJson,
	historyJson,
	type SeenFlow,
	type SeenHistory,
} from "../../enforcers/network/history/seen-flow.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { chosenHistory } from "./chosen-history.ts";
import { type Grouping, groupFlows, groupings, groupsJson } from "./flow-groups.ts";
import { FlowArray, type FlowList, orderedFlows } from "./flow-list.ts";
import { flowsTable, followLine, groupsTable, historyNote } from "./flows-text.ts";
import { followFlows } from "./follow-flows.ts";
import { readHistory } from "./read-history.ts";

const help = `Usage: portward flows [--since 7d|TIME] [--group-by KEY] [--verdict VERDICT]
                      [--new] [--limit N] [--json] [--from FILE|-]
       portward flows --follow [--verdict VERDICT] [--new] [--json]
       either with [--config FILE] [--status-address ADDRESS]

Prints who connected to what, as the kernel saw it, the most frequent first:
connections that look the same to a policy are one flow. Where no daemon runs,
what the last one kept is shown.

  --since 7d|TIME           last seen since then: 90s, 10m, 2h, 7d, 4w, or a
                            time such as 2026-11-30T08:00 (UTC)
  --group-by KEY            sums by remote, port, policy or prefix (/24 and
                            /64)
  --verdict VERDICT         allow, audit or block only
  --new                     only what no recommendation was made from
  --limit N                 the first N rows only
  --follow                  print flows as they are seen, until interrupted
  --json                    {since, flows, merged, lost}; with --group-by
                            {since, groupBy, groups, merged, lost}; with
                            --follow one flow a line
  --from FILE|-             flows that --json printed, perhaps on another host
  --config FILE             settings (default /etc/portward/config.yaml)
  --status-address ADDRESS  IP:port or unix:/path (default: root asks on
                            status.sock in stateDir, others at status.address)
`;

const verdicts: Readonly<Record<string, Action>> = { allow: "Allow", audit: "Audit", block: "Block" };

export const flows: Command = {
	name: "flows",
	summary: "who connected to what, as the kernel saw it",
	help,
	async run(args, io) {
		const values = parseOnlyOptions(args, {
			since: { type: "string" },
			"group-by": { type: "string", offer: groupings },
			verdict: { type: "string", offer: Object.keys(verdicts) },
			new: { type: "boolean" },
			limit: { type: "string" },
			follow: { type: "boolean" },
			json: { type: "boolean" },
			from: { type: "string", offer: "file" },
			config: { type: "string" },
			"status-address": { type: "string" },
		});
		const grouping = groupingOf(values["group-by"]);
		const wanted = filterOf(values);
		if (values.limit !== undefined && !/^[1-9]\d{0,6}$/u.test(values.limit))
			throw new UsageError("--limit is a whole number from 1 to 9999999, such as --limit 20");
		if (values.follow === true) {
			const other = ["since", "group-by", "limit", "from"].find((name) => Object.hasOwn(values, name));
			if (other !== undefined)
				throw new UsageError(`--follow prints new flows only; write it without --${other}`);
			const config = commandSettings(values, io);
			const named = values["status-address"] !== undefined;
			const ask = (since: number | null) => readHistory(config, { named, signal: io.signal, since });
			const tell = teller(io, values.json === true);
			return await followFlows({ ask, wanted: (flow) => wanted(flow.action, flow.isNew), tell }, io);
		}
		const history = await chosenHistory(values, () => commandSettings(values, io), io);
		if (history === null) return exit.failure;
		const list = history.list ?? new FlowArray(history.flows);
		const { since, merged, lost } = history;
		const chosen: Chosen = {
			since,
			merged,
			lost,
			list,
			order: orderedFlows(list, wanted),
			limit: values.limit === undefined ? Number.POSITIVE_INFINITY : Number(values.limit),
		};
		if (values.json === true) io.out(prettyJson(asJson(chosen, grouping)));
		else show(chosen, grouping, io);
		return exit.ok;
	},
};

function groupingOf(text: string | undefined): Grouping | null {
	const known = groupings.find((each) => each === text?.toLowerCase());
	if (text !== undefined && known === undefined)
		throw new UsageError(`--group-by is no ${JSON.stringify(text)}; ${suggest(text, groupings, "keys")}`);
	return known ?? null;
}

function filterOf(values: {
	readonly verdict?: string;
	readonly new?: boolean;
}): (action: Action, isNew: boolean) => boolean {
	const word = values.verdict?.toLowerCase();
	const names = Object.keys(verdicts);
	if (word !== undefined && !names.includes(word))
		throw new UsageError(
			`--verdict is no ${JSON.stringify(values.verdict)}; ${suggest(word, names, "verdicts")}`,
		);
	const action = word === undefined ? null : verdicts[word];
	return (is, isNew) => (action === null || is === action) && (values.new !== true || isNew);
}

function teller(io: Io, json: boolean): (flow: SeenFlow, more: number) => void {
	return (flow, more) =>
		io.out(json ? `${escapeJson(JSON.stringify(flowJson(flow)))}\n` : followLine(flow, more));
}

/** Flows in the order in which they are to stand. */
interface Chosen extends Omit<SeenHistory, "flows"> {
	readonly list: FlowList;
	readonly order: Uint32Array;
	/** Rows at most. */
	readonly limit: number;
}

function flowsOf({ list, order }: Chosen): SeenFlow[] {
	return Array.from(order, (index) => list.flow(index));
}

function asJson(chosen: Chosen, grouping: Grouping | null): unknown {
	const { since, merged, lost, order, limit } = chosen;
	const sums = { since, merged, lost };
	if (grouping === null)
		return historyJson({ ...sums, flows: flowsOf({ ...chosen, order: order.subarray(0, limit) }) });
	return groupsJson(sums, grouping, groupFlows(flowsOf(chosen), grouping).slice(0, limit));
}

/** The table goes to standard output, what is to be known about it to standard error. */
function show(chosen: Chosen, grouping: Grouping | null, io: Io): void {
	const { list, order, limit } = chosen;
	const now = Date.now();
	const groups = grouping === null ? null : groupFlows(flowsOf(chosen), grouping);
	const left = Math.max(0, (groups ?? order).length - limit);
	if (groups !== null && grouping !== null && order.length > 0)
		io.out(groupsTable(groups.slice(0, limit), grouping.toUpperCase(), now));
	if (groups === null && order.length > 0) {
		for (const piece of flowsTable(list, order.subarray(0, limit), now)) {
			// Who read enough has left.
			if (io.signal.aborted) break;
			io.out(piece);
		}
	}
	const times = order.reduce((sum, index) => sum + list.count(index), 0);
	io.error(historyNote(chosen, order.length, times, left));
}
