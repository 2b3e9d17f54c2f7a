import { formatAddress } from "../../base/cidr.ts";
import { isIcmp, isTransport, protocolText } from "../../base/protocol.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import {
	decidePacket,
	type NetworkModel,
	type Packet,
	type Verdict,
} from "../../enforcers/network/compile/program.ts";
import type { CompiledQuota } from "../../enforcers/network/compile/quota.ts";
import { type SenderKey, senderText } from "../../enforcers/network/compile/sender.ts";
import { type Question, searchVerdict } from "../../enforcers/network/compile/verdict/verdict-search.ts";
import { type Command, exit, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { describeQuotas, quotasJson, quotasOf } from "./explain-quotas.ts";
import { parseQuery, querySyntax } from "./query.ts";
import { readModel } from "./read-model.ts";

const help = `Usage: portward search QUERY [--policy-dir DIR] [--config FILE] [--json]

Is there a new connection of which the policies say this? Prints an example and
its rule, or that there is none, which is then certain. QUERY is one argument:

  ${querySyntax.replaceAll(/ (?=\[interface|\[service|verdict)/gu, "\n      ")}

\`!\` before a block leaves it out; of everything, where no block stands without
it. Without an interface every one is searched, and without a user, a group or
a service (egress alone) whoever sends; of a user without a group, all of hers.
Verdicts are those while no quota is exhausted; quotas=exhausted asks what
becomes of packets when each of them is.

  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --json            print {found, example}; an example may have {quotas} that
                    it counts for

Example: portward search 'ingress tcp 22 from !192.168.0.0/16 verdict=Allow'

Exit codes: 0 found, 2 there is none, 1 failure.
`;

/** Stands for a protocol that no policy names: for experiments (RFC 3692). */
const unnamedProtocol = "253";

export const search: Command = {
	name: "search",
	summary: "find a connection that the policies allow, or block",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(args, { ...policyOptions, json: { type: "boolean" } });
		if (positionals.length === 0) throw new UsageError(`write the question in quotes: '${querySyntax}'`);
		const question = parseQuery(positionals.join(" "));
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const model = readModel(settings.config.policyDir, settings.config, io);
		if (model === null) return exit.failure;
		const packet = searchVerdict(model, question);
		const example = packet === null ? null : exampleOf(packet, verdictOf(model, packet, question));
		const quotas = packet === null ? [] : countedBy(model, packet);
		if (values.json)
			io.out(
				prettyJson({ found: example !== null, example: example && { ...example, ...quotasJson(quotas) } }),
			);
		else io.out(example === null ? "There is none.\n" : describe(example) + describeQuotas(quotas));
		return example === null ? exit.changes : exit.ok;
	},
};

/** The quotas that count it while none is exhausted. */
function countedBy(model: NetworkModel, packet: Packet): readonly CompiledQuota[] {
	const hook = packet.direction === "ingress" ? "input" : "output";
	return quotasOf(model, packet, { hook, unasked: null }, decidePacket(model, packet));
}

function verdictOf(model: NetworkModel, packet: Packet, { quotas, action }: Question): Verdict {
	const decided = decidePacket(model, packet);
	if (quotas === undefined || decided.action === action) return decided;
	const rule = countedBy(model, packet).find((quota) => quota.rule.action === action)?.rule ?? null;
	return { action, rule };
}

function exampleOf(packet: Packet, { action, rule }: Verdict) {
	const { direction, protocol, family, source, port } = packet;
	return {
		direction,
		protocol: protocol === null ? unnamedProtocol : protocolText(protocol),
		address: formatAddress(family, packet.address),
		port: isTransport(protocol) ? port : null,
		...(source === null ? {} : isIcmp(protocol) ? { icmpType: source } : { sourcePort: source }),
		/** Null: one that no policy names. */
		interface: packet.interface === "" ? null : packet.interface,
		...senderFields(packet.sender),
		action,
		policy: rule?.policy ?? null,
		rule: rule === null || rule.index < 0 ? null : rule.index,
		file: rule?.place?.file ?? null,
		line: rule?.place?.line ?? null,
	};
}

function senderFields(sender: SenderKey | undefined) {
	return Object.fromEntries(Object.entries(sender ?? {}).filter(([, value]) => value !== null));
}

function describe(example: ReturnType<typeof exampleOf>): string {
	const { action, direction, protocol, port, address, policy, rule, file, line } = example;
	const traffic = port === null ? protocol : `${protocol} ${port}`;
	const { user, group, service } = { user: null, group: null, service: null, ...example };
	const sender = senderText({ user, group, service });
	const place =
		(example.interface === null ? "" : ` on ${example.interface}`) + (sender === "" ? "" : ` by ${sender}`);
	const by =
		policy === null
			? "no rule matches, and no Allow makes this direction an allow-list"
			: `${policy}${rule === null ? "" : ` ${direction}[${rule}] (${file}:${line})`}`;
	const way = direction === "ingress" ? "from" : "to";
	return `${escapeForTerminal(`${action}: ${direction} ${traffic} ${way} ${address}${place}: ${by}`)}\n`;
}
