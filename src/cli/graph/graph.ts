import { forwardedModel, forwardedUnasked } from "../../enforcers/network/compile/enforcement.ts";
import { zonesOf } from "../../enforcers/network/compile/verdict/zones.ts";
import { forwardedHeadings, ownHeadings } from "../../enforcers/network/report/graph/labels.ts";
import { graphTitle, svg } from "../../enforcers/network/report/graph/svg.ts";
import { readModel } from "../ask/read-model.ts";
import { type Command, exit, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { dot, mermaid } from "./diagram-text.ts";

const formats = ["svg", "mermaid", "dot"] as const;

const help = `Usage: portward graph [--policy-dir DIR] [--config FILE]
                      [--forwarded] [--format svg|mermaid|dot | --json]

Draws what the policies make of the world: zones, which are addresses about
which they say the same, and what becomes of which services for each of them.
It is a drawing of their meaning, not of their text: rules that are written in
another way give the same one. Changes nothing, and needs neither root nor a
daemon. Flows whose source port or type of ICMP a rule names are not in it.
It is drawn for what this host itself receives and sends, or for what it
forwards to its guests and from them.

  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --forwarded       what is forwarded: published ports, guests' own addresses,
                    and what guests send. With guests.forwarded: audit a Block
                    is an Audit
  --format FORMAT   svg (default), in light and dark colours; mermaid, which
                    GitHub and GitLab draw in Markdown; dot, for Graphviz
  --json            print {zones: [{direction, interface, addresses, rest,
                    otherwise, services}]}
`;

export const graph: Command = {
	name: "graph",
	summary: "draw zones, services and verdicts",
	help,
	async run(args, io) {
		const values = parseOnlyOptions(args, {
			...policyOptions,
			json: { type: "boolean" },
			forwarded: { type: "boolean" },
			format: { type: "string", offer: formats },
		});
		const format = formats.find((name) => name === (values.format ?? "svg"));
		if (format === undefined) throw new UsageError("--format takes svg, mermaid or dot");
		if (values.json && values.format !== undefined)
			throw new UsageError("--json and --format exclude each other");
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const own = readModel(settings.config.policyDir, settings.config, io);
		if (own === null) return exit.failure;
		const { forwarded = false } = values;
		const model = forwarded ? forwardedModel(own, settings.config.guests.forwarded) : own;
		if (model === null) {
			io.error(`portward: ${forwardedUnasked}\n`);
			return exit.failure;
		}
		const found = zonesOf(model);
		if (!found.ok) {
			io.error(`portward: ${found.message}; draw a smaller set with --policy-dir, or use portward search\n`);
			return exit.failure;
		}
		const { zones } = found;
		const headings = forwarded ? forwardedHeadings : ownHeadings;
		if (values.json) io.out(prettyJson({ zones }));
		else if (format === "svg") io.out(svg(zones, graphTitle, headings));
		else io.out(format === "dot" ? dot(zones, headings) : mermaid(zones, headings));
		return exit.ok;
	},
};
