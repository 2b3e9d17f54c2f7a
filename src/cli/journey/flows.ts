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
import { type Grouping, groupFlows, groupings, groupsJson, sortedFlows } from "./flow-groups.ts";
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
			return await followFlows({ ask, wanted, tell: teller(io, values.json === true) }, io);
		}
		const history = await chosenHistory(values, () => commandSettings(values, io), io);
		if (history === null) return exit.failure;
		const chosen = { ...history, flows: sortedFlows(history.flows.filter(wanted)) };
		const limit = values.limit === undefined ? Number.POSITIVE_INFINITY : Number(values.limit);
		if (values.json === true) io.out(prettyJson(asJson(chosen, grouping, limit)));
		else show(chosen, grouping, limit, io);
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
}): (flow: SeenFlow) => boolean {
	const word = values.verdict?.toLowerCase();
	const names = Object.keys(verdicts);
	if (word !== undefined && !names.includes(word))
		throw new UsageError(
			`--verdict is no ${JSON.stringify(values.verdict)}; ${suggest(word, names, "verdicts")}`,
		);
	const action = word === undefined ? null : verdicts[word];
	return (flow) => (action === null || flow.action === action) && (values.new !== true || flow.isNew);
}

function teller(io: Io, json: boolean): (flow: SeenFlow, more: number) => void {
	return (flow, more) =>
		io.out(json ? `${escapeJson(JSON.stringify(flowJson(flow)))}\n` : followLine(flow, more));
}

function asJson(history: SeenHistory, grouping: Grouping | null, limit: number): unknown {
	if (grouping === null) return historyJson({ ...history, flows: history.flows.slice(0, limit) });
	return groupsJson(history, grouping, groupFlows(history.flows, grouping).slice(0, limit));
}

/** The table goes to standard output, what is to be known about it to standard error. */
function show(history: SeenHistory, grouping: Grouping | null, limit: number, io: Io): void {
	const now = Date.now();
	const groups = grouping === null ? null : groupFlows(history.flows, grouping);
	const left = Math.max(0, (groups ?? history.flows).length - limit);
	if (history.flows.length > 0) {
		io.out(
			groups === null || grouping === null
				? flowsTable(history.flows.slice(0, limit), now)
				: groupsTable(groups.slice(0, limit), grouping.toUpperCase(), now),
		);
	}
	io.error(historyNote(history, left));
}
