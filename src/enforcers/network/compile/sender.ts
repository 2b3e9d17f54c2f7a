/**
 * Who sends, as one more dimension of rules: a user, a group and a unit of systemd, each of which an atom may name. A
 * packet has at most one of each, since a unit's control group never lies in another's. Pure.
 */

import type { Action } from "../../../base/model.ts";
import type { Account, NetworkPolicy, NetworkRule, RuleSender } from "../model.ts";

/** What is asked about a packet, or named by an atom; null: any, of a packet: none that is known. */
export interface SenderKey {
	/** 0..2^32-2 */
	readonly user: number | null;
	readonly group: number | null;
	/** Its whole name, such as `nginx.service`. */
	readonly service: string | null;
}

/** What an atom names of the sender: one at least is not null. */
export interface Sender extends SenderKey {
	/** Equal exactly when the senders are. */
	readonly key: string;
	/** How many are named: what is contained names more. */
	readonly depth: number;
}

/** What a rule may name. */
export type SenderKind = "user" | "group" | "service";

/** The number of a user or group of this host by its name; null where it is not known, or where units cannot be told apart. */
export type ResolveAccount = (kind: SenderKind, name: string) => number | null;

/** One name of rules. Numbers are not looked up. */
export interface NamedSender {
	readonly kind: SenderKind;
	readonly name: string;
	/** Of the user or the group; null where this host knows none of the name. Of a unit, null where the kernel cannot tell units apart. */
	readonly number: number | null;
	/** The strictest of the rules that name it. */
	readonly action: Action;
	/** Who does, such as `egress[0] of policy "web"`; the first few. */
	readonly users: readonly string[];
}

/** Where names are not resolved nobody has one. */
export const nobody: ResolveAccount = (kind) => (kind === "service" ? 0 : null);

/** A packet of which nothing is known: what is forwarded, and what the kernel sends by itself. */
export const noSender: SenderKey = { user: null, group: null, service: null };

export function senderKey({ user, group, service }: SenderKey): string {
	return `${user ?? ""}:${group ?? ""}:${service ?? ""}`;
}

function senderOf(key: SenderKey): Sender {
	const depth = Number(key.user !== null) + Number(key.group !== null) + Number(key.service !== null);
	return { ...key, key: senderKey(key), depth };
}

/**
 * The senders that a rule names, each once: the cross product of its lists. Null: it names none. None: of a list that
 * it has, this host knows nobody.
 */
export function sendersOf({ sender }: NetworkRule, resolve: ResolveAccount): readonly Sender[] | null {
	if (sender === undefined) return null;
	const { users, groups, services } = resolved(sender, resolve);
	const senders = new Map<string, Sender>();
	for (const user of users)
		for (const group of groups)
			for (const service of services) {
				const one = senderOf({ user, group, service });
				senders.set(one.key, one);
			}
	return [...senders.values()];
}

/** What the rules of policies name, as far as this host knows it, without making all that they name together. */
export function sendersNamed(policies: readonly NetworkPolicy[], resolve: ResolveAccount): NamedSenders {
	const users = new Set<number | null>();
	const groups = new Set<number | null>();
	const services = new Set<string | null>();
	for (const { egress } of policies) {
		for (const { sender } of egress) {
			if (sender === undefined) continue;
			const named = resolved(sender, resolve);
			// Of one list this host knows nobody: nobody is what all of them name together.
			if (Object.values(named).some((list) => list.length === 0)) continue;
			for (const user of named.users) users.add(user);
			for (const group of named.groups) groups.add(group);
			for (const service of named.services) services.add(service);
		}
	}
	const present = <T>(all: ReadonlySet<T | null>) => [...all].filter((one) => one !== null);
	return { users: present(users), groups: present(groups), services: present(services) };
}

/** Null stands for whoever it is, where the rule has no such list. */
function resolved({ users, groups, services }: RuleSender, resolve: ResolveAccount) {
	return {
		users: accounts("user", users, resolve),
		groups: accounts("group", groups, resolve),
		services: units(services, resolve),
	};
}

function units(named: readonly string[], resolve: ResolveAccount): readonly (string | null)[] {
	return named.length === 0 ? [null] : named.filter((name) => resolve("service", name) !== null);
}

function accounts(
	kind: "user" | "group",
	named: readonly Account[],
	resolve: ResolveAccount,
): readonly (number | null)[] {
	if (named.length === 0) return [null];
	return named.flatMap((account) => (typeof account === "number" ? account : (resolve(kind, account) ?? [])));
}

/** Whether `outer` holds every sender that `inner` holds. */
export function senderContains(outer: SenderKey | undefined, inner: SenderKey | undefined): boolean {
	if (outer === undefined) return true;
	if (inner === undefined) return false;
	return senderMatches(outer, inner);
}

/** Whether what an atom names holds for a packet's sender. */
export function senderMatches(named: SenderKey | undefined, of: SenderKey): boolean {
	if (named === undefined) return true;
	return (
		(named.user === null || named.user === of.user) &&
		(named.group === null || named.group === of.group) &&
		(named.service === null || named.service === of.service)
	);
}

/** What the atoms of a direction name: of users, groups and services each value once, in one order. */
export interface NamedSenders {
	readonly users: readonly number[];
	readonly groups: readonly number[];
	readonly services: readonly string[];
}

export function namedSenders(senders: Iterable<SenderKey | undefined>): NamedSenders {
	const users = new Set<number>();
	const groups = new Set<number>();
	const services = new Set<string>();
	for (const sender of senders) {
		if (sender === undefined) continue;
		if (sender.user !== null) users.add(sender.user);
		if (sender.group !== null) groups.add(sender.group);
		if (sender.service !== null) services.add(sender.service);
	}
	const byNumber = (a: number, b: number) => a - b;
	return {
		users: [...users].sort(byNumber),
		groups: [...groups].sort(byNumber),
		services: [...services].sort(),
	};
}

/** How many kinds of senders have to be told apart, those that no rule names included. */
export function senderKinds({ users, groups, services }: NamedSenders): number {
	return (users.length + 1) * (groups.length + 1) * (services.length + 1);
}

/** Every kind of senders but those that no rule names. */
export function senderCombinations({ users, groups, services }: NamedSenders): readonly SenderKey[] {
	const found: SenderKey[] = [];
	for (const service of [null, ...services])
		for (const user of [null, ...users])
			for (const group of [null, ...groups])
				if (service !== null || user !== null || group !== null) found.push({ user, group, service });
	return found;
}

/** The same values, to be asked about many packets. */
export interface NamedSets {
	readonly users: ReadonlySet<number>;
	readonly groups: ReadonlySet<number>;
	readonly services: ReadonlySet<string>;
}

export function namedSets({ users, groups, services }: NamedSenders): NamedSets {
	return { users: new Set(users), groups: new Set(groups), services: new Set(services) };
}

/** The kind that a packet's sender is of: values that no rule names do not matter. */
export function kindOf({ users, groups, services }: NamedSets, of: SenderKey): SenderKey {
	return {
		user: of.user !== null && users.has(of.user) ? of.user : null,
		group: of.group !== null && groups.has(of.group) ? of.group : null,
		service: of.service !== null && services.has(of.service) ? of.service : null,
	};
}

/** As people read it: `user 1000 and service nginx.service`; "" for whoever sends. */
export function senderText({ user, group, service }: SenderKey): string {
	return [
		user === null ? [] : [`user ${user}`],
		group === null ? [] : [`group ${group}`],
		service === null ? [] : [`service ${service}`],
	]
		.flat()
		.join(" and ");
}
