import { type Explanation, explain as explainPacket } from "../compile/explain.ts";
import { compileNetwork } from "../compile/network.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { Packet } from "../compile/program.ts";
import { compileOptions } from "../daemon/policy-engine.ts";
import { parseCidr } from "../policy/cidr.ts";
import type { Direction, Transport } from "../policy/model.ts";
import { escapeForTerminal } from "../report/terminal.ts";
import { type Command, exit, UsageError } from "./command.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { parseOptions, policyOptions } from "./options.ts";
import { readPolicySet } from "./policy-set.ts";
import { readSettings } from "./settings.ts";

const help = `Usage: portward explain [--policy-dir DIR] [--config FILE] [--json]
                        ingress|egress tcp|udp|sctp ADDRESS PORT [--iface NAME]

What happens to a new connection, and why: ADDRESS is the remote end, PORT the
destination port, NAME the interface (without it, one that no policy names).
`;

const reasons: Readonly<Record<Explanation["overridden"][number]["reason"], string>> = {
	carved: "a more specific rule makes an exception",
	stricter: "the rules overlap, and the stricter one wins",
	same: "both have the same action, and the other is named first",
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
		if (!compiled.ok) return exit.failure;
		const explanation = explainPacket(compiled.model, packet);
		io.out(values.json ? `${JSON.stringify(toJson(explanation), null, 2)}\n` : describe(explanation));
		return errors.length > 0 ? exit.failure : exit.ok;
	},
};

function parsePacket(positionals: readonly string[], networkInterface: string): Packet {
	const [direction, protocol, address, port, ...rest] = positionals;
	if (port === undefined || rest.length > 0) {
		throw new UsageError(
			"write the direction, protocol, address and port, such as: ingress tcp 192.0.2.7 22",
		);
	}
	if (direction !== "ingress" && direction !== "egress")
		throw new UsageError("the direction is ingress or egress");
	const transport = protocol?.toLowerCase();
	if (!isTransport(transport)) throw new UsageError("the protocol is tcp, udp or sctp");
	const remote = parseCidr(address ?? "");
	if (!remote.ok || (address ?? "").includes("/"))
		throw new UsageError(`${address} is not an IPv4 or IPv6 address`);
	if (!/^\d{1,5}$/.test(port) || Number(port) > 65535)
		throw new UsageError("the port is a number from 0 to 65535");
	return {
		direction: direction satisfies Direction,
		family: remote.cidr.family,
		address: remote.cidr.base,
		interface: networkInterface,
		protocol: transport,
		port: Number(port),
	};
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
	if (rule.place === null) return rule.policy;
	return `${rule.policy} ${rule.direction}[${rule.index}] (${rule.place.file}:${rule.place.line})`;
}

function describe({ action, rule, overridden }: Explanation): string {
	const by = rule === null ? "no rule matches, and no Allow makes this direction an allow-list" : name(rule);
	const lines = [`${action}: ${by}`];
	for (const item of overridden) {
		lines.push(`  over ${item.rule.action} ${name(item.rule)}: ${reasons[item.reason]}`);
		if (item.by !== rule) lines.push(`    in favour of ${item.by.action} ${name(item.by)}`);
	}
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
