import { type Address, parseAddress } from "../../base/cidr.ts";
import { protocolNames } from "../../base/protocol.ts";
import { quote } from "../../base/suggest.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { guestModel, type NetworkModel, type Packet } from "../../enforcers/network/compile/program.ts";
import { allowBehind, explain as explainPacket } from "../../enforcers/network/compile/verdict/explain.ts";
import { networkPart } from "../../enforcers/network/model.ts";
import type { GuestFacts } from "../../enforcers/network/observe/guests/guests.ts";
import { type CompiledSet, compileSet } from "../../engine/policy-model.ts";
import { selectionNote } from "../../engine/policy-set.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { readStandardInput } from "../standard-input.ts";
import { type AlertedPacket, alertedPacket } from "./alert-packet.ts";
import { explainAlert } from "./explain-alert.ts";
import { explainAll } from "./explain-all.ts";
import { entriesIn } from "./explain-entries.ts";
import { describeOthers, othersJson, othersOf } from "./explain-others.ts";
import { parseInterfaceName, parsePacket } from "./explain-packet.ts";
import {
	auditedBy,
	describePlace,
	describeStagedVerdict,
	explainAt,
	type PlaceOptions,
	placeJson,
	placeOf,
	stagedAt,
	stagedJson,
	unaskedBecause,
} from "./explain-place.ts";
import { describeQuotas, quotasJson, quotasOf } from "./explain-quotas.ts";
import { describeExplanation, explanationJson } from "./explain-text.ts";
import { guestsHere } from "./guests.ts";
import { type SenderOptions, senderOptions, withSender } from "./sender-options.ts";

const help = `Usage: portward explain [--policy-dir DIR] [--config FILE] [--json]
                        ingress|egress PROTOCOL ADDRESS [PORT] [--iface NAME]
                        [--source-port PORT] [--icmp-type TYPE]
                        [--user USER] [--group GROUP] [--service UNIT]
                        [--published | --from-guest ADDRESS]
       portward explain --all ADDRESS [--iface NAME] ...
       portward explain --from-alert LINE|- ...

What happens to a new connection, and why: ADDRESS is the remote end. PROTOCOL
is tcp, udp or sctp, with PORT, the destination port or a service name such as
ssh; or one without ports: icmp, icmpv6, igmp, ipip, gre, esp, ah, ospf, vrrp,
or a number from 0 to 255. Loopback, what essentials accept, and answers to
what passed are let through before any rule is asked. A port of the host that
leads to a container or another guest is judged as the policies mean for those.
Changes nothing. Root is told which ports are published, which chains of other
tables on this host decide about such packets, and which translate their port.

  --policy-dir DIR    policies (default /etc/portward/policies)
  --config FILE       settings (default /etc/portward/config.yaml)
  --iface NAME        the interface; without it, one that no policy names
  --source-port PORT  the port that the packet comes from; without it, one that
                      no policy names
  --icmp-type TYPE    a number or a name; without it what ping sends
  --user USER         whose socket sends it, by name or number; without it,
                      one that no policy names
  --group GROUP       the same of a group
  --service UNIT      the unit of systemd that sends it
  --published         ask about a port that leads to a guest, whether or not
                      one does now
  --from-guest ADDRESS
                      egress of the guest that has this address
  --all ADDRESS       what becomes of every port of this remote address, both
                      ways, in ranges with the rule that decides
  --from-alert LINE   an alert's JSON, or - for the first line of what comes on
                      standard input: why, and the smallest policy that would
                      let just this pass, held against the whole set
  --json              print {action, policy, rule, file, line, overridden,
                      hook} and, where there are any, {entries, quotas,
                      staged, published, guest, unasked, others,
                      translations}; with
                      --all {address, verdicts}, with --from-alert {packet,
                      alert, change} as well

Examples: portward explain --policy-dir policies ingress tcp 192.0.2.7 ssh
          portward explain egress icmp 192.0.2.7
          portward explain egress udp 192.0.2.53 53 --from-guest 172.17.0.2
          portward explain --all 192.0.2.7
          portward alerts --json --action Block | grep NetworkFirewall |
              tail -n 1 | portward explain --from-alert -
`;

/** An alert has less than this, and a whole log has not to be read. */
const maxInputBytes = 16 * 1024 * 1024;

export const explain: Command = {
	name: "explain",
	summary: "what happens to a connection, and why",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(
			args,
			{
				...policyOptions,
				json: { type: "boolean" },
				iface: { type: "string" },
				"icmp-type": { type: "string" },
				"source-port": { type: "string" },
				all: { type: "string" },
				"from-alert": { type: "string" },
				"from-guest": { type: "string" },
				published: { type: "boolean" },
				...senderOptions,
			},
			[["ingress", "egress"], protocolNames.map((name) => name.toLowerCase())],
		);
		const question = await questionOf(values, positionals, io);
		if (typeof question === "string") {
			io.error(`portward: ${escapeForTerminal(question)}\n`);
			return exit.failure;
		}
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const { config } = settings;
		const json = values.json === true;
		const read = compileSet(config.policyDir, config);
		printDiagnostics(read.errors, io);
		const { compiled, set } = read;
		if (!compiled.ok || set.unread) return exit.failure;
		const { kept: model } = compiled;
		if ("all" in question) noteLeftOut(config.policyDir, read, io);
		else if (!json) noteOthers(read, io);
		if ("all" in question) io.out(explainAll(model, question.all, question.interface, json));
		else if (question.alert !== undefined) io.out(explainAlert(question, model, set, config, json));
		else io.out(explainOne(question.packet, model, { values, config, json, set }, guestsHere(config, io)));
		return read.errors.length > 0 ? exit.failure : exit.ok;
	},
};

interface Way {
	readonly values: PlaceOptions;
	readonly config: Config;
	readonly json: boolean;
	readonly set: CompiledSet["set"];
}

/** The whole answer about one packet, as text or as JSON. */
function explainOne(
	packet: Packet,
	model: NetworkModel,
	{ values, config, json, set }: Way,
	facts: GuestFacts,
): string {
	const place = placeOf(packet, values, facts);
	const forwarded = place.hook === "forward";
	const explanation = explainAt(model, packet, place, config);
	const would = stagedAt(model, packet, place, config);
	const others = othersOf(packet, config.table, forwarded);
	const unasked = unaskedBecause(place, config.guests.forwarded);
	const quotas = quotasOf(model, packet, { hook: place.hook, unasked }, explanation);
	const entriesOf = entriesIn(set, packet);
	if (json) {
		const what = { ...explanationJson(explanation, entriesOf), ...placeJson(place, config) };
		return prettyJson({ ...what, ...quotasJson(quotas), ...stagedJson(would), ...othersJson(others) });
	}
	const judged = forwarded ? (guestModel(model) ?? model) : model;
	const audited = forwarded ? auditedBy(config) : undefined;
	const head =
		unasked === null
			? describeExplanation(explanation, { allow: allowBehind(judged, explanation.rule), audited, entriesOf })
			: `${explanation.action}: ${escapeForTerminal(unasked)}\n`;
	const own = forwarded && place.guest === null ? explainPacket(model, packet) : null;
	return (
		head +
		describeQuotas(quotas) +
		describeStagedVerdict(would) +
		describePlace(place, own, values.published === true) +
		describeOthers(others, explanation.action)
	);
}

interface Asked extends SenderOptions {
	readonly all?: string | undefined;
	readonly "from-alert"?: string | undefined;
	readonly iface?: string | undefined;
	readonly "icmp-type"?: string | undefined;
	readonly "source-port"?: string | undefined;
	readonly "from-guest"?: string | undefined;
	readonly published?: boolean | undefined;
}

type Question =
	| { readonly packet: Packet; readonly alert?: never }
	| AlertedPacket
	| { readonly all: Address; readonly interface: string | null };

/** What is asked about; a text says why nothing can be. */
async function questionOf(values: Asked, positionals: readonly string[], io: Io): Promise<Question | string> {
	const { all, "from-alert": alert } = values;
	if (all === undefined && alert === undefined) return { packet: packetOf(positionals, values) };
	const option = all === undefined ? "--from-alert" : "--all";
	const more = all !== undefined && alert !== undefined ? "--from-alert" : positionals[0];
	if (more !== undefined) throw new UsageError(`${quote(more)} is not expected with ${option}`);
	for (const name of ["icmp-type", "source-port", "iface"] as const) {
		if (values[name] !== undefined && (alert !== undefined || name !== "iface"))
			throw new UsageError(`--${name} is not expected with ${option}`);
	}
	for (const name of ["from-guest", "published", "user", "group", "service"] as const) {
		if (values[name] !== undefined) throw new UsageError(`--${name} is not expected with ${option}`);
	}
	if (all !== undefined) {
		const remote = parseAddress(all);
		if ("message" in remote) throw new UsageError(`--all ${quote(all)}: ${remote.message}; ${remote.hint}`);
		return { all: remote, interface: values.iface === undefined ? null : parseInterfaceName(values.iface) };
	}
	const text = alert === "-" ? await readStandardInput(maxInputBytes, io.signal) : (alert ?? "");
	if (text === null) return "standard input is too long for an alert";
	const line = text.split("\n").find((one) => one.trim() !== "");
	return line === undefined ? "nothing came through standard input" : alertedPacket(line);
}

function packetOf(positionals: readonly string[], values: Asked): Packet {
	for (const name of ["user", "group", "service"] as const) {
		if (values[name] !== undefined && values["from-guest"] !== undefined)
			throw new UsageError(`what a guest sends has no ${name} of this host: leave out --${name}`);
	}
	return withSender(parsePacket(positionals, values), values);
}

/** Staged policies, too: the table is of what is in force. */
function noteLeftOut(path: string, { set }: CompiledSet, io: Io): void {
	const note = selectionNote(set);
	if (note !== null) io.error(`portward: ${escapeForTerminal(`${path}: ${note}`)}\n`);
}

function noteOthers({ set }: CompiledSet, io: Io): void {
	const all = networkPart.all(set.policies).length;
	const elsewhere = all - networkPart.all(set.selected).length;
	if (elsewhere > 0)
		io.error(`portward: ${elsewhere} of ${all} policies do not select this host and are left out\n`);
}
