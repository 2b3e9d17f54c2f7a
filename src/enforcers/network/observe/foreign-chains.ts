/**
 * What other tables decide about the same packets: their base chains, and whose they are. Chains are few beside sets and
 * rules; no element of a set is read, however large it is.
 */

import { existsSync, readFileSync } from "node:fs";
import { NETLINK_NETFILTER } from "../../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../../ffi/netlink.ts";
import type { Direction } from "../../../base/model.ts";
import {
	AttributeTable,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "../../../kernel/netlink-message.ts";
import { ask } from "../../../kernel/netlink-request.ts";
import {
	hookNames,
	NFNL_SUBSYS_NFTABLES,
	NFT_MSG_GETCHAIN,
	NFTA_CHAIN_HOOK,
	NFTA_CHAIN_NAME,
	NFTA_HOOK_HOOKNUM,
	NFTA_HOOK_PRIORITY,
	NFTA_TABLE,
} from "../../../kernel/nftables-message.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NF_DROP = 0;

const families: Readonly<Record<number, ForeignChain["family"]>> = { 1: "inet", 2: "ip", 10: "ip6" };

export type Hook = (typeof hookNames)[number];

export interface ForeignChain {
	readonly family: "inet" | "ip" | "ip6";
	readonly table: string;
	readonly chain: string;
	readonly type: "filter" | "nat" | "route";
	readonly hook: Hook;
	readonly priority: number;
	/** Null where it cannot be read: legacy iptables has a language of its own. */
	readonly policy: "accept" | "drop" | null;
	/** Programs that are known to make such tables or chains, such as Docker. */
	readonly tools: readonly string[];
	/** Of the iptables of before nftables. */
	readonly legacy: boolean;
}

/** By how the names of tables, and of chains in them, begin. */
const toolsByTable: readonly (readonly [string, string])[] = [
	["firewalld", "firewalld"],
	["f2b-table", "fail2ban"],
	["docker", "Docker"],
	["kube-proxy", "Kubernetes"],
	["crowdsec", "CrowdSec"],
	["libvirt", "libvirt"],
	["netavark", "Podman"],
	["sshguard", "SSHGuard"],
];
const toolsByChain: readonly (readonly [string, string])[] = [
	["f2b-", "fail2ban"],
	["DOCKER", "Docker"],
	["KUBE-", "Kubernetes"],
	["cali-", "Kubernetes (Calico)"],
	["CILIUM_", "Kubernetes (Cilium)"],
	["ufw", "ufw"],
	["LIBVIRT_", "libvirt"],
	["NETAVARK", "Podman"],
	["CNI-", "CNI"],
];

/** Hosts with a chain for every service have some ten thousand; more are not looked at. */
const mostChains = 100_000;

/** Where legacy iptables hooks in, by its table. */
const legacyHooks: Readonly<Record<string, readonly (readonly [Hook, number])[]>> = {
	filter: [
		["input", 0],
		["forward", 0],
		["output", 0],
	],
	nat: [
		["prerouting", -100],
		["input", 100],
		["output", -100],
		["postrouting", 100],
	],
	mangle: [
		["prerouting", -150],
		["input", -150],
		["forward", -150],
		["output", -150],
		["postrouting", -150],
	],
	raw: [
		["prerouting", -300],
		["output", -300],
	],
	security: [
		["input", 50],
		["forward", 50],
		["output", 50],
	],
};

/** Every base chain of others, in the order in which packets meet them on a hook; an error text where none can be read. */
export function foreignChains(
	ownTable: string,
):
	| { readonly ok: true; readonly chains: readonly ForeignChain[] }
	| { readonly ok: false; readonly error: string } {
	const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, receiveBuffer: 4 * 1024 * 1024 });
	if (!opened.ok) return opened;
	try {
		const found: ForeignChain[] = [];
		const tools = new Map<string, Set<string>>();
		const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETCHAIN;
		const request = new MessageWriter(type, NLM_F_REQUEST | NLM_F_DUMP, 1).familyHeader(0).finish();
		const attributes = new AttributeTable(NFTA_CHAIN_TYPE);
		const answer = ask(opened.socket, request, 1);
		for (let count = 0; count < mostChains; count++) {
			const step = answer.next();
			if (step.done === true) {
				if (!step.value.ok) return { ok: false, error: step.value.error };
				break;
			}
			const cursor = step.value;
			const family = families[cursor.family() ?? -1];
			if (family === undefined) continue;
			attributes.read(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
			const table = attributes.text(NFTA_TABLE) ?? "";
			if (family === "inet" && table === ownTable) continue;
			noteTools(tools, `${family} ${table}`, table, attributes.text(NFTA_CHAIN_NAME) ?? "");
			const chain = readBase(attributes, family, table);
			if (chain !== null) found.push(chain);
		}
		const named = found.map((chain) => ({
			...chain,
			tools: [...(tools.get(`${chain.family} ${chain.table}`) ?? [])].sort(),
		}));
		return { ok: true, chains: [...named, ...legacyChains()].sort((a, b) => a.priority - b.priority) };
	} finally {
		opened.socket.close();
	}
}

/** Hooks on which packets are judged: those of a direction, or those that are forwarded. */
const judgedOn: Readonly<Record<Direction | "forward", readonly Hook[]>> = {
	ingress: ["input"],
	egress: ["output", "postrouting"],
	forward: ["forward"],
};

/** Those that judge the same packets after or before us, on the same hooks: they can drop what we accept. */
export function decidingChains(
	chains: readonly ForeignChain[],
	where: Direction | "forward",
): ForeignChain[] {
	return chains.filter(({ type, hook }) => type !== "nat" && judgedOn[where].includes(hook));
}

/** `inet firewalld filter_INPUT (firewalld; input, priority 10, policy accept)`. */
export function describeChain({
	family,
	table,
	chain,
	tools,
	hook,
	priority,
	policy,
	legacy,
}: ForeignChain): string {
	const facts = [hook, `priority ${priority}`];
	if (policy !== null) facts.push(`policy ${policy}`);
	if (legacy) facts.push("legacy iptables");
	const whose = tools.length === 0 ? "" : `${tools.join(", ")}; `;
	return `${family} ${table} ${chain} (${whose}${facts.join(", ")})`;
}

/** Programs that are known to make tables or chains of such names. */
export function toolsOf(table: string, chain: string): readonly string[] {
	return [
		...toolsByTable.filter(([start]) => table.startsWith(start)),
		...toolsByChain.filter(([start]) => chain.startsWith(start)),
	].map(([, tool]) => tool);
}

function noteTools(tools: Map<string, Set<string>>, key: string, table: string, chain: string): void {
	const found = toolsOf(table, chain);
	if (found.length === 0) return;
	const known = tools.get(key) ?? new Set();
	tools.set(key, known);
	for (const tool of found) known.add(tool);
}

function readBase(
	attributes: AttributeTable,
	family: ForeignChain["family"],
	table: string,
): ForeignChain | null {
	if (attributes.length(NFTA_CHAIN_HOOK) < 0) return null;
	const type = attributes.text(NFTA_CHAIN_TYPE);
	const policy = attributes.u32(NFTA_CHAIN_POLICY);
	const chain = attributes.text(NFTA_CHAIN_NAME) ?? "";
	const place = new AttributeTable(NFTA_HOOK_PRIORITY).readNested(attributes, NFTA_CHAIN_HOOK);
	const hook = hookNames[place.u32(NFTA_HOOK_HOOKNUM) ?? -1];
	if (hook === undefined || (type !== "filter" && type !== "nat" && type !== "route")) return null;
	return {
		family,
		table,
		chain,
		type,
		hook,
		// Signed, in network order.
		priority: (place.u32(NFTA_HOOK_PRIORITY) ?? 0) | 0,
		policy: policy === NF_DROP ? "drop" : "accept",
		tools: [],
		legacy: false,
	};
}

/** The tables of legacy iptables that are loaded in this namespace. */
function legacyChains(): ForeignChain[] {
	const sources = [
		["ip", "/proc/self/net/ip_tables_names"],
		["ip6", "/proc/self/net/ip6_tables_names"],
	] as const;
	return sources.flatMap(([family, file]) =>
		readNames(file).flatMap((table) =>
			(legacyHooks[table] ?? []).map(
				([hook, priority]): ForeignChain => ({
					family,
					table,
					chain: hook.toUpperCase(),
					type: table === "nat" ? "nat" : "filter",
					hook,
					priority,
					policy: null,
					tools: [],
					legacy: true,
				}),
			),
		),
	);
}

function readNames(file: string): string[] {
	if (!existsSync(file)) return [];
	try {
		return readFileSync(file, "utf8")
			.split("\n")
			.filter((name) => name !== "");
	} catch {
		// Only root reads it, as only root reads the rest.
		return [];
	}
}
