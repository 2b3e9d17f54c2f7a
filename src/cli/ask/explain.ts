import { escapeForTerminal } from "../../base/terminal.ts";
import type { CompiledRule } from "../../enforcers/network/compile/plan.ts";
import {
	allowBehind,
	type Explanation,
	explain as explainPacket,
} from "../../enforcers/network/compile/verdict/explain.ts";
import { compileSet } from "../../engine/policy-model.ts";
import { type Command, exit } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { describeOthers, othersJson, othersOf } from "./explain-others.ts";
import { parsePacket } from "./explain-packet.ts";

const help = `Usage: portward explain [--policy-dir DIR] [--config FILE] [--json]
                        ingress|egress PROTOCOL ADDRESS [PORT] [--iface NAME]
                        [--source-port PORT] [--icmp-type TYPE]

What happens to a new connection, and why: ADDRESS is the remote end. PROTOCOL
is tcp, udp or sctp, with PORT, the destination port or a service name such as
ssh; or one without ports: icmp, icmpv6, igmp, ipip, gre, esp, ah, ospf, vrrp,
or a number from 0 to 255. Loopback, what essentials accept, and answers to
what passed are let through before any rule is asked. Changes nothing. Root is
told which chains of other tables on this host decide about such packets, and
which translate their port.

  --policy-dir DIR    policies (default /etc/portward/policies)
  --config FILE       settings (default /etc/portward/config.yaml)
  --iface NAME        the interface; without it, one that no policy names
  --source-port PORT  the port that the packet comes from; without it, one that
                      no policy names
  --icmp-type TYPE    a number or a name; without it what ping sends
  --json              print {action, policy, rule, file, line, overridden}
                      and, where there are any, {others, translations}

Examples: portward explain --policy-dir policies ingress tcp 192.0.2.7 ssh
          portward explain egress icmp 192.0.2.7
`;

const reasons: Readonly<Record<Explanation["overridden"][number]["reason"], string>> = {
	carved: "a more specific rule makes an exception",
	stricter: "the rules overlap, and the stricter one wins",
	same: "both have the same action, and the other is named first",
	failsafe: "a failsafe rule of the settings comes before every policy",
};

export const explain: Command = {
	name: "explain",
	summary: "what happens to a connection, and why",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(args, {
			...policyOptions,
			json: { type: "boolean" },
			iface: { type: "string" },
			"icmp-type": { type: "string" },
			"source-port": { type: "string" },
		});
		const packet = parsePacket(positionals, values);
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const { set, compiled, errors } = compileSet(settings.config.policyDir, settings.config);
		printDiagnostics(errors, io);
		if (!compiled.ok || set.unread) return exit.failure;
		const elsewhere = set.policies.length - set.selected.length;
		if (elsewhere > 0 && !values.json) {
			const all = set.policies.length;
			io.error(`portward: ${elsewhere} of ${all} policies do not select this host and are left out\n`);
		}
		const explanation = explainPacket(compiled.model, packet);
		const others = othersOf(packet, settings.config.table);
		io.out(
			values.json
				? prettyJson({ ...toJson(explanation), ...othersJson(others) })
				: describe(explanation, allowBehind(compiled.model, explanation.rule)) +
						describeOthers(others, explanation.action),
		);
		return errors.length > 0 ? exit.failure : exit.ok;
	},
};

/** The fields that name a rule, in JSON. */
function ruleJson(rule: CompiledRule) {
	return {
		policy: rule.policy,
		rule: rule.index,
		action: rule.action,
		file: rule.place?.file ?? null,
		line: rule.place?.line ?? null,
	};
}

function toJson({ action, rule, overridden }: Explanation) {
	return {
		action,
		...(rule?.wouldBe === undefined ? {} : { wouldBe: rule.wouldBe }),
		policy: rule?.policy ?? null,
		rule: rule === null || rule.index < 0 ? null : rule.index,
		file: rule?.place?.file ?? null,
		line: rule?.place?.line ?? null,
		overridden: overridden.map((item) => ({
			...ruleJson(item.rule),
			reason: item.reason,
			by: ruleJson(item.by),
		})),
	};
}

function name(rule: CompiledRule): string {
	if (rule.place === null)
		return rule.index < 0 ? rule.policy : `${rule.policy} ${rule.direction}[${rule.index}]`;
	return `${rule.policy} ${rule.direction}[${rule.index}] (${rule.place.file}:${rule.place.line})`;
}

function describe({ action, rule, overridden }: Explanation, allow: CompiledRule | null): string {
	const by = rule === null ? "no rule matches, and no Allow makes this direction an allow-list" : name(rule);
	const lines = [`${action}: ${by}`];
	const direction = rule?.direction ?? "this direction";
	if (allow !== null)
		lines.push(`  no rule matches, and Allow ${name(allow)} makes ${direction} an allow-list`);
	if (rule?.wouldBe !== undefined)
		lines.push(`  ${rule.wouldBe} once it is enforced; the settings say enforcement: audit`);
	for (const item of overridden) {
		lines.push(`  over ${item.rule.action} ${name(item.rule)}: ${reasons[item.reason]}`);
		if (item.by !== rule) lines.push(`    in favour of ${item.by.action} ${name(item.by)}`);
	}
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
