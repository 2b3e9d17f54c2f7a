/**
 * What counts for quotas: chains behind all that decides, which every packet passes, also those of open flows. They find
 * a rule's packets by plain comparisons and one set of addresses, in every form of the ruleset. Each match is a goto, so
 * that a packet is counted once, and what matches nothing returns to the next quota.
 */

import { type Direction, directions, type Family, type InterfaceMatch } from "../../../../base/model.ts";
import { rangeText } from "../../../../base/port-range.ts";
import { icmp, isTransport, protocolNumber } from "../../../../base/protocol.ts";
import { isPlainInterface } from "../../../../document/iface.ts";
import {
	addressKey,
	addressType,
	byInterface,
	commented,
	counted,
	goto,
	type InterfaceKey,
	inSetGoto,
	joined,
	jump,
	limited,
	logged,
	ofFamily,
	protocolKey,
	withinQuota,
} from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import { logPrefix } from "../../names.ts";
import {
	type AddressRange,
	type Atom,
	canonicalInterface,
	interfaceKey,
	interfaceMatches,
	withoutHoles,
} from "../atom.ts";
import { failsafeReply, failsafeText } from "../failsafe.ts";
import { namesMembers, type PlannedQuota, type QuotaPlan } from "../plan.ts";
import type { NetworkModel, Programs } from "../program.ts";
import type { CompiledQuota } from "../quota.ts";
import { plannedQuota } from "../quota.ts";
import { intervalText } from "./address-text.ts";
import { judgesLeaving } from "./direction.ts";
import { addEssentials, errors } from "./essentials.ts";
import { leadGuests } from "./forward.ts";
import { addGuestEssentials } from "./guests.ts";
import { ruleComment } from "./leaf.ts";
import type { ObjectStore } from "./objects.ts";
import type { RenderOptions } from "./options.ts";
import { type PortKey, packetPort, publishedPort } from "./port-key.ts";

/** One alert a window is wanted; that a record is lost must not cost it. */
const overLog = { snapLength: 160, queueThreshold: 1 };
const overLimit = { rate: 1, burst: 5 };

interface Tree {
	readonly direction: Direction;
	readonly forwarded: boolean;
	readonly ports: PortKey;
}

/** Adds what counts; null where no rule has a quota. */
export function renderQuotas(
	store: ObjectStore,
	{ quotas = [], guests: behind, ...own }: NetworkModel,
	options: RenderOptions,
): QuotaPlan | null {
	if (quotas.length === 0) return null;
	const of = (direction: Direction, place: "host" | "guests") =>
		quotas.filter(({ rule }) => rule.direction === direction && (rule.appliesTo ?? place) === place);
	const host = directions.flatMap((direction) => {
		const asked = of(direction, "host");
		const tree = { direction, forwarded: false, ports: packetPort };
		return asked.length === 0 ? [] : [[direction, addTree(store, asked, own, tree, options)] as const];
	});
	const { guests } = options;
	const forwards = guests !== undefined && directions.some((direction) => of(direction, "guests").length > 0);
	const tree = (direction: Direction, ports: PortKey) =>
		addTree(store, of(direction, "guests"), behind ?? own, { direction, forwarded: true, ports }, options);
	const forward = !forwards
		? []
		: [
				[
					"forward",
					leadGuests(store, guests, {
						published: tree("ingress", publishedPort),
						direct: tree("ingress", packetPort),
						fromGuest: tree("egress", packetPort),
					}),
				] as const,
			];
	// Behind what is in force: what that drops where packets leave is no volume.
	const leaves =
		judgesLeaving(own.egress, options) ||
		of("egress", "host").some(({ written }) => written.interfaces.length > 0);
	return {
		roots: Object.fromEntries([...host, ...forward]),
		...(leaves ? { egressHook: "postrouting" as const } : {}),
		rules: quotas.map((quota) => sparing(plannedQuota(quota), guests?.forwarded === "audit")),
	};
}

/** What is said of the rule to whoever reads an alert. */
function sparing(quota: PlannedQuota, audit: boolean): PlannedQuota {
	const { rule } = quota;
	if (!audit || rule.action !== "Block" || rule.appliesTo === "host") return quota;
	return { ...quota, rule: { ...rule, sparesForwarded: true } };
}

/** Adds the chain that a tree's packets go through. */
function addTree(
	store: ObjectStore,
	quotas: readonly CompiledQuota[],
	programs: Programs,
	tree: Tree,
	options: RenderOptions,
): string {
	if (quotas.length === 0) return store.chain(["accept"]);
	const rules = quotas.map((quota) => jump(addQuota(store, quota, tree, programs, options)));
	return store.chain([...spared(store, programs, tree, options), ...rules, "accept"]);
}

/** What no quota may refuse: what a host needs on its network, and failsafe flows with their replies. */
function spared(store: ObjectStore, programs: Programs, tree: Tree, options: RenderOptions): Rule[] {
	const { direction, forwarded, ports } = tree;
	const needed = ([4, 6] as const).map((family) => {
		const rules = !options.essentials
			? []
			: forwarded
				? [errors[family]]
				: essentials(store, tree, family, options);
		return rules.length === 0 ? [] : [joined(`${ofFamily(family)} `, jump(store.chain(rules)))];
	});
	const other = direction === "ingress" ? "egress" : "ingress";
	return [
		...needed.flat(),
		...programs[direction].failsafe.map((program) => failsafeText(program, ports, false)),
		...programs[other].failsafe.map((program) => failsafeReply(program, direction)),
	];
}

function essentials(
	store: ObjectStore,
	{ direction }: Tree,
	family: Family,
	{ guests }: RenderOptions,
): readonly Rule[] {
	const own = addEssentials(store, direction, family);
	if (direction === "egress" || guests === undefined) return own;
	return [...own, ...addGuestEssentials(store, guests, family)];
}

/** The chain that finds the packets of one rule. */
function addQuota(
	store: ObjectStore,
	quota: CompiledQuota,
	tree: Tree,
	programs: Programs,
	options: RenderOptions,
): string {
	const { interfaces, ports, peers, groups } = quota.written;
	const counts = addCount(store, quota, tree.forwarded && options.guests?.forwarded === "audit", options);
	const addresses =
		peers.length === 0 && groups === undefined ? counts : addAddresses(store, quota.atoms, tree, counts);
	const found =
		ports.length === 0
			? addresses
			: store.chain(portRules(quota, tree.ports).map((text) => joined(`${text} `, goto(addresses))));
	const keys = interfaceTexts(interfaces, tree.direction, programs, options);
	return keys.length === 0 ? found : store.chain(keys.map((text) => joined(`${text} `, goto(found))));
}

function addAddresses(
	store: ObjectStore,
	atoms: readonly Atom[],
	{ direction }: Tree,
	counts: string,
): string {
	const rules = ([4, 6] as const).flatMap((family): Rule[] => {
		const own = atoms.filter((atom) => atom.family === family);
		const ranges = merged(own.flatMap(withoutHoles));
		if (ranges.length === 0) return [];
		const set = store.set({
			type: addressType(family),
			flags: ["interval"],
			keys: ranges.map(({ first, last }) => intervalText(first, last)).join("\n"),
		});
		return [inSetGoto(addressKey(family, direction === "ingress" ? "saddr" : "daddr"), set, counts)];
	});
	return store.chain(rules);
}

/** The same addresses in rising order, each once. */
export function merged(ranges: readonly AddressRange[]): AddressRange[] {
	const sorted = ranges.toSorted((a, b) => (a.first < b.first ? -1 : 1));
	const found: { first: AddressRange["first"]; last: AddressRange["last"] }[] = [];
	for (const { first, last } of sorted) {
		const before = found.at(-1);
		if (before === undefined || BigInt(first) > BigInt(before.last) + 1n) found.push({ first, last });
		else if (last > before.last) before.last = last;
	}
	return found;
}

function portRules({ atoms }: CompiledQuota, ports: PortKey): string[] {
	const texts = atoms.map(({ protocol, range, source, family }) => {
		if (protocol === null) return ofFamily(family);
		if (!isTransport(protocol)) {
			const type = source === null ? null : rangeText(source);
			const name = protocol === icmp ? "icmp" : "icmpv6";
			return type === null ? `${protocolKey} ${protocolNumber(protocol)}` : `${name} type ${type}`;
		}
		const from = source === null ? "" : `${protocol} sport ${rangeText(source)}`;
		if (range === null) return from === "" ? `${protocolKey} ${protocolNumber(protocol)}` : from;
		const { guard, read } = ports.read(protocol);
		return `${from === "" ? "" : `${from} `}${guard}${read} ${rangeText(range)}`;
	});
	return [...new Set(texts)];
}

/** In a VRF a packet comes in by two names, and goes out by a member. */
function interfaceTexts(
	interfaces: readonly InterfaceMatch[],
	direction: Direction,
	programs: Programs,
	{ form }: RenderOptions,
): string[] {
	const named = interfaces
		.map(canonicalInterface)
		.filter((match) => match !== null && isPlainInterface(match.name)) as InterfaceMatch[];
	const keys: readonly InterfaceKey[] =
		direction === "egress" ? ["oifname"] : namesMembers(form) ? ["meta sdifname", "iifname"] : ["iifname"];
	const own = named.flatMap((match) => keys.map((key) => byInterface(key, interfaceKey(match))));
	if (direction === "ingress") return own;
	const members = [...programs.egress.vrfOf].filter(([member, vrf]) =>
		named.some((match) => interfaceMatches(match, [vrf]) && isPlainInterface(member)),
	);
	return [...own, ...members.map(([member]) => byInterface("oifname", member))];
}

/** The chain that counts, and does what is to be done beyond the limit. */
function addCount(
	store: ObjectStore,
	{ object, bytes, rule }: CompiledQuota,
	passes: boolean,
	{ nflogGroup }: RenderOptions,
): string {
	store.quota(object, bytes);
	store.counter(rule.counter);
	const target = { prefix: logPrefix + rule.id, group: nflogGroup, ...overLog };
	const verdict = rule.action === "Block" && !passes ? "drop" : "return";
	const over = store.chain([
		counted(rule.counter),
		`${limited(overLimit)} ${logged(target)}`,
		commented(verdict, `${ruleComment(rule)} beyond its limit`),
	]);
	return store.chain([joined(`${withinQuota(object)} `, goto(over))]);
}
