/** The users, groups and units that policies name, and what this host knows of them. Pure. */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import type { Action } from "../../../base/model.ts";
import { nearest, quote } from "../../../base/suggest.ts";
import type { NetworkPolicy, NetworkRule } from "../model.ts";
import {
	type NamedSender,
	nobody,
	type ResolveAccount,
	type SenderKind,
	senderKinds,
	sendersNamed,
} from "./sender.ts";

/** Kinds of senders that are told apart at most: each has lookups of its own. */
export const mostSenderKinds = 1024;

/** Users of one name that are told. */
const mostUsers = 3;

/** Every name, once, in the order of the policies. */
export function namedIn(
	policies: readonly NetworkPolicy[],
	resolve: ResolveAccount = nobody,
): readonly NamedSender[] {
	const found = new Map<string, NamedSender & { users: string[]; action: Action }>();
	const strictness: readonly Action[] = ["Allow", "Audit", "Block"];
	const note = (kind: SenderKind, name: string, { action, index }: NetworkRule, policy: string) => {
		const key = `${kind} ${name}`;
		const known = found.get(key) ?? { kind, name, number: resolve(kind, name), action, users: [] };
		found.set(key, known);
		if (strictness.indexOf(action) > strictness.indexOf(known.action)) known.action = action;
		const user = `egress[${index}] of policy ${quote(policy)}`;
		if (known.users.length < mostUsers && !known.users.includes(user)) known.users.push(user);
	};
	for (const policy of policies) {
		for (const rule of policy.egress) {
			const { users, groups, services } = rule.sender ?? { users: [], groups: [], services: [] };
			for (const name of users) if (typeof name === "string") note("user", name, rule, policy.name);
			for (const name of groups) if (typeof name === "string") note("group", name, rule, policy.name);
			for (const name of services) note("service", name, rule, policy.name);
		}
	}
	return [...found.values()];
}

/** What is said of a name that nobody has; null where somebody may have it. @param known the names that there are */
export function unknownSender(
	{ kind, name, number, action, users }: NamedSender,
	known: readonly string[],
): { readonly message: string; readonly hint: string } | null {
	if (number !== null) return null;
	const blocks = action === "Block" ? ": it blocks nobody" : "";
	if (kind === "service")
		return {
			message: `this kernel does not tell which unit sends, so nothing matches service ${quote(name)}${blocks} (${users.join(", ")})`,
			hint: "name a user, or run Linux 5.13 or later",
		};
	const near = nearest(name, known);
	return {
		message: `this host knows no ${kind} ${quote(name)}, so nothing matches it${blocks} (${users.join(", ")})`,
		hint:
			near === null
				? `write a name of /etc/${kind === "user" ? "passwd" : "group"}, or the number where a directory service knows the ${kind}`
				: `did you mean ${near}?`,
	};
}

/** What is known of this host's units. */
export interface KnownUnits {
	/** For each unit that rules name the number of its control groups. */
	readonly units: Readonly<Record<string, number>>;
	/** Names of units that are there. */
	readonly names: readonly string[];
	/** Whether there is the hierarchy in which units are told apart. */
	readonly hierarchy: boolean;
}

/** What keeps units from being matched. One that only does not run is waited for, without a word. */
export function unitWarnings(
	named: readonly NamedSender[],
	{ units, names, hierarchy }: KnownUnits,
): readonly string[] {
	const missing = named.filter(
		({ kind, name, number }) => kind === "service" && number !== null && (units[name] ?? 0) === 0,
	);
	if (!hierarchy && missing.length > 0)
		return [
			"no unified hierarchy of control groups is mounted, so nothing matches rules that name a service",
		];
	return missing.flatMap(({ name, users }) => {
		const near = nearest(name, names);
		return near === null
			? []
			: `no service ${quote(name)} runs, so nothing matches it now (${users.join(", ")}); did you mean ${near}?`;
	});
}

/** Refuses rules that name more senders together than can be told apart: asked before the rules are multiplied. */
export function checkSenders(
	policies: readonly NetworkPolicy[],
	resolve: ResolveAccount = nobody,
): Diagnostic[] {
	const kinds = senderKinds(sendersNamed(policies, resolve));
	if (kinds <= mostSenderKinds) return [];
	const [first] = policies.flatMap(({ egress: rules }) => rules.filter(({ sender }) => sender !== undefined));
	if (first === undefined) return [];
	return [
		{
			...first.place,
			path: `spec.egress[${first.index}]`,
			severity: "error",
			code: "too-many-senders",
			message: `the users, groups and services that rules name make ${kinds} combinations together, and ${mostSenderKinds} can be told apart`,
			hint: "name fewer of them: a group in place of its users, or users in place of services",
		},
	];
}
