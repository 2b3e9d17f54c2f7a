import { type Explanation, explain as explainPacket } from "../compile/explain.ts";
import { compileNetwork } from "../compile/network.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { Packet } from "../compile/program.ts";
import { compileOptions } from "../daemon/policy-engine.ts";
import { parseAddress } from "../policy/cidr.ts";
import { parseInterface } from "../policy/iface.ts";
import type { Direction, Transport } from "../policy/model.ts";
import { lookupService, serviceNames } from "../policy/services.ts";
import { nearest, printable, quote } from "../policy/suggest.ts";
import { escapeForTerminal } from "../report/terminal.ts";
import { type Command, exit, UsageError } from "./command.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { prettyJson } from "./json.ts";
import { parseOptions, policyOptions } from "./options.ts";
import { readPolicySet } from "./policy-set.ts";
import { readSettings } from "./settings.ts";

const help = `Usage: portward explain [--policy-dir DIR] [--config FILE] [--json]
                        ingress|egress tcp|udp|sctp ADDRESS PORT [--iface NAME]

What happens to a new connection, and why: ADDRESS is the remote end, PORT the
destination port or a service name such as ssh. Changes nothing.

  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --iface NAME      the interface; without it, one that no policy names
  --json            print {action, policy, rule, file, line, overridden}

Example: portward explain --policy-dir policies ingress tcp 192.0.2.7 ssh
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
		});
		const packet = parsePacket(positionals, values.iface ?? "");
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const set = readPolicySet([settings.config.policyDir], settings.config);
		const compiled = compileNetwork(set.selected, compileOptions(settings.config, "0", "concatenated"));
		const errors = [...set.diagnostics, ...compiled.diagnostics].filter(
			({ severity }) => severity === "error",
		);
		printDiagnostics(errors, io);
		if (!compiled.ok || set.unread) return exit.failure;
		const others = set.policies.length - set.selected.length;
		if (others > 0 && !values.json) {
			const all = set.policies.length;
			io.error(`portward: ${others} of ${all} policies do not select this host and are left out\n`);
		}
		const explanation = explainPacket(compiled.model, packet);
		io.out(values.json ? prettyJson(toJson(explanation)) : describe(explanation));
		return errors.length > 0 ? exit.failure : exit.ok;
	},
};

function parsePacket(positionals: readonly string[], networkInterface: string): Packet {
	const [direction, protocol, address, port, ...rest] = positionals;
	if (port === undefined || address === undefined || rest.length > 0) {
		throw new UsageError(
			"write the direction, protocol, address and port, such as: ingress tcp 192.0.2.7 22",
		);
	}
	const way = direction?.toLowerCase();
	if (way !== "ingress" && way !== "egress")
		throw new UsageError(`${quote(direction ?? "")} is no direction; write ingress or egress`);
	const transport = protocol?.toLowerCase();
	if (!isTransport(transport))
		throw new UsageError(`${quote(protocol ?? "")} is no protocol; write tcp, udp or sctp`);
	const remote = parseAddress(address);
	if ("message" in remote)
		throw new UsageError(
			`${quote(address)} is no address; write one such as 192.0.2.7 or 2001:db8::7, without a prefix length`,
		);
	return {
		direction: way satisfies Direction,
		family: remote.family,
		address: remote.value,
		interface: parseInterfaceName(networkInterface),
		protocol: transport,
		port: parsePort(port, transport),
	};
}

/** A number from 0 to 65535, or a service name in any case. */
function parsePort(text: string, transport: Transport): number {
	if (/^\d+$/.test(text)) {
		if (text.length <= 5 && Number(text) <= 65535) return Number(text);
		throw new UsageError(`${quote(text)} is no port; write a number from 0 to 65535, or a name such as ssh`);
	}
	const service = lookupService(text, transport);
	if (service.ok) return service.port;
	const meant = nearest(text, serviceNames());
	const hint = meant === null || meant === text.toLowerCase() ? service.hint : `did you mean ${meant}?`;
	throw new UsageError(printable(`${service.message}; ${hint}`));
}

/** "" stands for an interface that no policy names. */
function parseInterfaceName(text: string): string {
	if (text === "") return text;
	const parsed = parseInterface(text);
	if (!parsed.ok) throw new UsageError(`--iface ${quote(text)}: ${parsed.message}; ${parsed.hint}`);
	if (parsed.match === "any" || parsed.match.prefix)
		throw new UsageError(`--iface ${quote(text)} is a pattern; write one interface's name, such as eth0`);
	return parsed.match.name;
}

function isTransport(text: string | undefined): text is Transport {
	return text === "tcp" || text === "udp" || text === "sctp";
}

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

function describe({ action, rule, overridden }: Explanation): string {
	const by = rule === null ? "no rule matches, and no Allow makes this direction an allow-list" : name(rule);
	const lines = [`${action}: ${by}`];
	if (rule?.wouldBe !== undefined)
		lines.push(`  ${rule.wouldBe} once it is enforced; the settings say enforcement: audit`);
	for (const item of overridden) {
		lines.push(`  over ${item.rule.action} ${name(item.rule)}: ${reasons[item.reason]}`);
		if (item.by !== rule) lines.push(`    in favour of ${item.by.action} ${name(item.by)}`);
	}
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
