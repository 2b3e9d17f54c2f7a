import { zonesOf } from "../../enforcers/network/compile/verdict/zones.ts";
import { svg } from "../../enforcers/network/report/graph/svg.ts";
import { type Command, exit, UsageError } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";
import type { Facts } from "./facts.ts";
import { gather } from "./gather.ts";
import { reportLines } from "./lines.ts";
import { profileNames, profiles } from "./profiles.ts";
import { disclaimer, type Report, reportHtml, reportMarkdown } from "./report-text.ts";

const formats = ["html", "json", "md"] as const;

const help = `Usage: portward report [--profile cis|stig-rhel9|pci]
                       [--format html|json|md | --json]
                       [--policy-dir DIR] [--config FILE]

Evidence for an audit: what is enforced since when, what is denied by default,
who can reach what listens, whether USB devices are blocked before a connection
is established and which were refused last, what others changed, which changes
were made and who confirmed them, versions and signatures. Each line says how
and when it was established. What could not be is said to be unknown; nothing
is claimed beyond what was measured. Root is told most. Changes nothing.

  --profile NAME    name the controls that a line is evidence for: of the CIS
                    Controls v8, the STIG for RHEL 9, or PCI DSS v4
  --format FORMAT   html (default), one file that prints well; json; md
  --json            like --format json: print {time, host, version, profile,
                    note, lines: [{id, title, state, text, how, time, details,
                    controls}]}
  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
`;

export const report: Command = {
	name: "report",
	summary: "evidence for an audit: what is enforced, denied, exposed and changed",
	help,
	async run(args, io) {
		const values = parseOnlyOptions(args, {
			...policyOptions,
			json: { type: "boolean" },
			format: { type: "string", offer: formats },
			profile: { type: "string", offer: profileNames },
		});
		const format = formats.find((name) => name === (values.format ?? (values.json ? "json" : "html")));
		if (format === undefined) throw new UsageError("--format takes html, json or md");
		if (values.json && format !== "json") throw new UsageError("--json and --format exclude each other");
		const name = profileNames.find((known) => known === values.profile);
		if (values.profile !== undefined && name === undefined)
			throw new UsageError(`--profile takes ${profileNames.join(", ")}`);
		const profile = name === undefined ? null : profiles[name];
		const facts = await gather(commandSettings(values, io), io.signal);
		const { time, host, version } = facts;
		const lines = reportLines(facts).map((line) => ({ ...line, controls: profile?.controls[line.id] ?? [] }));
		if (format === "json") {
			io.out(prettyJson({ time, host, version, profile: profile?.title ?? null, note: disclaimer, lines }));
			return exit.ok;
		}
		const found: Report = { time, host, version, profile, lines, drawing: drawingOf(facts) };
		io.out(format === "md" ? reportMarkdown(found) : reportHtml(found));
		return exit.ok;
	},
};

function drawingOf({ meaning }: Facts): string | null {
	const zones = meaning.ok ? zonesOf(meaning.value.network) : null;
	return zones?.ok === true ? svg(zones.zones, "What the policies let pass") : null;
}
