import { protocolNumber } from "../../base/protocol.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { Exposure } from "../../enforcers/network/compile/verdict/exposure.ts";
import {
	exposedPorts,
	placesText,
	type Reach,
	reachOf,
} from "../../enforcers/network/compile/verdict/reach.ts";
import { type ForeignChain, foreignChains } from "../../enforcers/network/observe/foreign-chains.ts";
import { type Translation, translationsOf } from "../../enforcers/network/observe/translations.ts";
import { describePublished, type JudgedPort } from "../../enforcers/network/report/guests-status.ts";
import { type Link, readLinks } from "../../kernel/links.ts";
import { type Listener, listeners } from "../../kernel/listeners.ts";
import { type SocketHolder, socketHolders } from "../../kernel/socket-holders.ts";
import { type Command, exit } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { guestsHere, judgedPorts } from "./guests.ts";
import { readModel } from "./read-model.ts";

const help = `Usage: portward exposure [--policy-dir DIR] [--config FILE] [--json]

What listens on this host over TCP and UDP, and from where the policies let new
connections through to it, on each interface that this host has. Whatever they
say, loopback and what essentials accept pass. Ports that are published for
containers and other guests are told apart, with who reaches them. Where
another table translates a port otherwise, policies judge what is behind that,
and this is said; its other rules are not looked at. Only root is told all.

  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --json            print {listeners: [{protocol, address, port, families,
                    unit, process, pid, local, reachable: [{interface,
                    addresses}], translations}], published: [{protocol,
                    family, address, port, guest: {address, port}, bridge, by,
                    hook, reachable, closedBy}]}; interface null: every one;
                    translations and published only where there are any
`;

export const exposure: Command = {
	name: "exposure",
	summary: "what listens on this host, and who can reach it",
	help,
	async run(args, io) {
		const values = parseOnlyOptions(args, { ...policyOptions, json: { type: "boolean" } });
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const model = readModel(settings.config.policyDir, settings.config, io);
		const read = listeners();
		if (!read.ok)
			io.error(`portward: the kernel does not say what listens: ${escapeForTerminal(read.error)}\n`);
		if (model === null || !read.ok) return exit.failure;
		if (!settings.config.enableNetworkPolicyEnforcer)
			io.error("portward: enableNetworkPolicyEnforcer is false, so nothing of this is enforced\n");
		const holders = socketHolders(new Set(read.listeners.map(({ inode }) => inode)));
		const asked = new Exposure(model, read.listeners.flatMap(exposedPorts));
		const chains = foreignChains(settings.config.table);
		const links = readLinks();
		// Packets that come by a member of a bridge or bond bear its name.
		const names = links.ok
			? links.links.filter(({ name, master }) => name !== "lo" && (master === null || master.kind === "vrf"))
			: [];
		const told = read.listeners.map((listener) => {
			const interfaces = names.filter(({ index }) => [0, index].includes(listener.interfaceIndex));
			const holder = holders.get(listener.inode) ?? null;
			const local = isLoopback(listener.address);
			const translations = local || !chains.ok ? [] : translationsTo(listener, chains.chains);
			const reachable = local ? [] : reachBy(asked, listener, interfaces);
			return { ...listener, holder, local, reachable, translations };
		});
		const guests = guestsHere(settings.config, io);
		const published = judgedPorts(model, guests);
		const listening = unique(told.map(toJson));
		if (values.json)
			io.out(prettyJson({ listeners: listening, ...(published.length === 0 ? {} : { published }) }));
		else io.out(describe(told, published, settings.config.guests.forwarded, guests.more));
		return exit.ok;
	},
};

/** Rules of other tables that name the port: what comes there from outside meets them before any policy. */
function translationsTo(
	{ protocol, port }: Listener,
	chains: readonly ForeignChain[],
): readonly Translation[] {
	const asked = { protocol: protocolNumber(protocol), port };
	return translationsOf(chains, "ingress", asked).filter(({ named }) => named);
}

/** A socket that hears one interface alone names it. */
function reachBy(asked: Exposure, listener: Listener, interfaces: readonly Link[]): readonly Reach[] {
	const names = interfaces.map(({ name }) => name);
	const reach = reachOf(asked, listener, names);
	const [only = null] = names;
	return listener.interfaceIndex === 0
		? reach
		: reach.map((one) => ({ ...one, interface: one.interface ?? only }));
}

function isLoopback(address: string): boolean {
	return /^(?:::ffff:)?127\./u.test(address) || address === "::1";
}

interface Told extends Listener {
	readonly holder: SocketHolder | null;
	/** On loopback alone. */
	readonly local: boolean;
	readonly reachable: readonly Reach[];
	readonly translations: readonly Translation[];
}

function toJson({ protocol, address, port, families, holder, local, reachable, translations }: Told) {
	const { unit = null, process = null, pid = null } = holder ?? {};
	return {
		...{ protocol, address, port, families, unit, process, pid, local, reachable },
		...(translations.length === 0 ? {} : { translations }),
	};
}

/** Several sockets of one process on one port are one to whoever reads. */
function unique<T>(items: readonly T[]): T[] {
	return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

function describe(
	told: readonly Told[],
	published: readonly JudgedPort[],
	forwarded: Config["guests"]["forwarded"],
	more: number,
): string {
	const open = told.filter(({ local }) => !local);
	const lines = unique(open.map((one) => linesOf(one, published).join("\n")));
	const hidden = told.length - open.length;
	if (open.length === 0) lines.push("Nothing listens for others.");
	for (const port of published)
		lines.push(escapeForTerminal(`published ${describePublished(port, forwarded)}`));
	if (more > 0) lines.push(`and ${more} more published ports.`);
	if (hidden > 0) lines.push(`${hidden} more on loopback alone.`);
	return lines.map((line) => `${line}\n`).join("");
}

function linesOf(
	{ protocol, address, port, holder, reachable, translations }: Told,
	published: readonly JudgedPort[],
): string[] {
	const forwarded = published.some(
		(one) => one.hook === "forward" && one.protocol === protocol && one.port === port,
	);
	const who = holder?.unit ?? (holder === null ? "somebody" : `${holder.process} (${holder.pid})`);
	const where = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
	const beside = translations.map(({ family, table, chain, tools, port: target }) => {
		const whose = tools.length === 0 ? "" : ` (${tools.join(", ")})`;
		const leads = target === null ? "" : `, to port ${target}`;
		return `  but ${family} ${table} ${chain}${whose} translates it${leads}: policies judge what is behind that, and nothing that is sent on`;
	});
	const lines = reachable.map(({ interface: name, addresses }) => {
		const from = addresses.length === 0 ? "by nobody" : `from ${placesText(addresses)}`;
		return `${who} listens on ${protocol} ${where}; reachable ${from}${name === null ? "" : ` on ${name}`}`;
	});
	// Its guest and who reaches that stand among the published ports.
	const notes = forwarded
		? ["  but it is published: what comes for it from outside is sent on to a guest, and judged as below"]
		: beside;
	return [...lines, ...notes].map(escapeForTerminal);
}
