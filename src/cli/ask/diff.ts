import { escapeForTerminal } from "../../base/terminal.ts";
import { diffAllLimits, diffForwarded } from "../../enforcers/network/compile/verdict/forwarded-diff.ts";
import type { LimitChange } from "../../enforcers/network/compile/verdict/limit-diff.ts";
import {
	diffQuotas,
	type QuotaChange,
	type QuotaTerms,
} from "../../enforcers/network/compile/verdict/quota-diff.ts";
import type { VerdictBox } from "../../enforcers/network/compile/verdict/verdict-box.ts";
import { diffVerdicts } from "../../enforcers/network/compile/verdict/verdict-diff.ts";
import { boxLine, boxWords } from "../../report/generations/box-text.ts";
import { type Command, exit, UsageError } from "../command.ts";
import { plural, printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { readModel } from "./read-model.ts";

const help = `Usage: portward diff A B [--config FILE] [--json | --markdown]

For which new connections the policies of B say something else than those of A:
the difference of what they mean, not of their text, while no quota is
exhausted. What has \`any protocol\` or no interface is about those that no other
line names. A and B are policy directories or files. Changes nothing, and needs
neither root nor a daemon.

  --config FILE  settings (default /etc/portward/config.yaml)
  --json         print {equal, boxes}, and limits and quotas of rules and what
                 is forwarded where these differ
  --markdown     print a table, for a review

Exit codes: 0 no difference, 2 a difference, 1 failure.
`;

export const diff: Command = {
	name: "diff",
	summary: "what changes in meaning between two sets of policies",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(
			args,
			{
				config: { type: "string" },
				json: { type: "boolean" },
				markdown: { type: "boolean" },
			},
			["directory", "directory"],
		);
		const [a, b, ...rest] = positionals;
		if (a === undefined || b === undefined || rest.length > 0)
			throw new UsageError("name two policy directories or files, the old and the new");
		if (values.json && values.markdown) throw new UsageError("--json and --markdown exclude each other");
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const before = readModel(a, settings.config, io);
		const after = readModel(b, settings.config, io);
		if (before === null || after === null) return exit.failure;
		const boxes = diffVerdicts(before, after);
		const forwarded = diffForwarded(before, after, boxes);
		const limits = diffAllLimits(before, after);
		const quotas = diffQuotas(before, after);
		const equal = boxes.length + (forwarded ?? []).length + limits.length + quotas.length === 0;
		if (values.json)
			io.out(
				prettyJson({
					...{ equal, boxes },
					...(forwarded === null ? {} : { forwarded }),
					...(limits.length === 0 ? {} : { limits }),
					...(quotas.length === 0 ? {} : { quotas }),
				}),
			);
		else {
			const told = values.markdown ? markdown : boxesText;
			const parts = [
				...(boxes.length > 0 || equal ? [told(boxes)] : []),
				...(forwarded === null || equal ? [] : [forwardedText(forwarded, told)]),
				...(limits.length === 0 ? [] : [limitsText(limits)]),
				...(quotas.length === 0 ? [] : [quotasText(quotas)]),
			];
			io.out(parts.join("\n"));
		}
		return equal ? exit.ok : exit.changes;
	},
};

const nothing = "The two sets say the same about every new connection.\n";

export function boxesText(boxes: readonly VerdictBox[]): string {
	if (boxes.length === 0) return nothing;
	const count = boxes.filter((box) => box.before !== box.after).length;
	return `${boxes.map(boxLine).map(escapeForTerminal).join("\n")}\n${plural(count, "difference")}\n`;
}

function forwardedText(boxes: readonly VerdictBox[], told: typeof boxesText): string {
	const text = boxes.length === 0 ? "nothing changes\n" : told(boxes);
	return `What is forwarded to guests and from them:\n\n${text}`;
}

/** Lines behind the boxes, as a list that Markdown knows as well. */
function limitsText(limits: readonly LimitChange[]): string {
	const lines = limits.map(
		({ change, policy, direction, rule, limit, text, exceedAction }) =>
			`- ${change}: ${limit} ${text} of ${policy} ${direction}[${rule}], beyond it ${exceedAction}`,
	);
	return `Limits of rules:\n${lines.map(escapeForTerminal).join("\n")}\n`;
}

function quotasText(quotas: readonly QuotaChange[]): string {
	const words = ({ text, action }: QuotaTerms) => `${text}, beyond it ${action}`;
	const lines = quotas.map((quota) => {
		const { change, policy, direction, rule, before } = quota;
		const was = before === undefined ? "" : ` (before: ${words(before)})`;
		return `- ${change}: limit ${words(quota)}, of ${policy} ${direction}[${rule}]${was}`;
	});
	return `Quotas of rules:\n${lines.map(escapeForTerminal).join("\n")}\n`;
}

function markdown(boxes: readonly VerdictBox[]): string {
	if (boxes.length === 0) return nothing;
	const rows = boxes.map((box) => {
		const { protocol, ports, addresses, sender } = boxWords(box);
		const cells = [
			box.direction,
			protocol + sender,
			ports,
			addresses,
			box.interface ?? "any",
			box.before,
			box.after,
		];
		return `| ${cells.map((cell) => escapeForTerminal(cell).replaceAll("|", "\\|")).join(" | ")} |`;
	});
	return [
		"| direction | protocol | ports | addresses | interface | before | after |",
		"| --- | --- | --- | --- | --- | --- | --- |",
		...rows,
		"",
	].join("\n");
}
