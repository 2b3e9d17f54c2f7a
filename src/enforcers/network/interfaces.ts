/** Which of the interface names that policies use can match on this host, and which name to write instead. Pure. */

import type { Direction, InterfaceMatch } from "../../base/model.ts";
import { quote } from "../../base/suggest.ts";
import type { NetworkPolicy } from "./model.ts";

/** What is asked about a link of the host. */
export interface HostLink {
	readonly name: string;
	/** Other names of it; packets never bear them. */
	readonly altNames: readonly string[];
	/** bridge, bond, macvlan, …; "" for hardware. */
	readonly kind: string;
	readonly master: { readonly name: string; readonly kind: string } | null;
	/** The link below. */
	readonly parent: string | null;
}

/** A name, or the beginning of one, that policies or the settings use. */
export interface InterfaceUse extends InterfaceMatch {
	/** Who does, such as `ingress[0] of policy "web"`; the first few. */
	readonly users: readonly string[];
}

/**
 * `absent`: no such link. `altname`, `case`: a link has it as another name, or in another case. `member`: packets of
 * the link bear its master's name. `parent`: those to a link on top of it bear that one's.
 */
export type InterfaceReason = "absent" | "altname" | "case" | "member" | "parent";

export interface InterfaceFinding {
	/** As policies write it, a prefix with its `*`. */
	readonly interface: string;
	readonly reason: InterfaceReason;
	/** The name that packets bear; "" where there is none. */
	readonly bears: string;
	readonly users: readonly string[];
	/** A sentence, and what to write. */
	readonly message: string;
	readonly hint: string;
}

/** Users of one name that are told. */
const mostUsers = 3;

/** Packets of its members bear their own name beside the VRF's, and rules match both. */
const transparentMasters: ReadonlySet<string> = new Set(["vrf"]);

/** Links on top of another that take packets of their own address from it, under their own name. */
const sharingKinds: ReadonlySet<string> = new Set(["macvlan", "ipvlan"]);

export type FailsafeInterfaces = Readonly<
	Record<Direction, readonly { readonly interface: InterfaceMatch | null }[]>
>;

/** Every name that the policies and the failsafe rules use, once, in their order. */
export function interfaceUses(
	policies: readonly NetworkPolicy[],
	failsafe: FailsafeInterfaces,
): InterfaceUse[] {
	const uses = new Map<string, InterfaceMatch & { users: string[] }>();
	const note = ({ name, prefix }: InterfaceMatch, user: string) => {
		const key = written({ name, prefix });
		const use = uses.get(key) ?? { name, prefix, users: [] };
		uses.set(key, use);
		if (use.users.length < mostUsers && !use.users.includes(user)) use.users.push(user);
	};
	for (const direction of ["ingress", "egress"] as const) {
		for (const [index, rule] of failsafe[direction].entries()) {
			if (rule.interface !== null) note(rule.interface, `failsafe.${direction}[${index}] of the settings`);
		}
		for (const policy of policies) {
			for (const { index, interfaces } of policy[direction]) {
				for (const match of interfaces) note(match, `${direction}[${index}] of policy ${quote(policy.name)}`);
			}
		}
	}
	return [...uses.values()];
}

/** What keeps the names from matching as they are meant, by the links that there are now. */
export function interfaceFindings(
	uses: readonly InterfaceUse[],
	links: readonly HostLink[],
): InterfaceFinding[] {
	return uses.flatMap((use) => {
		const matching = links.filter(({ name }) => matches(use, name));
		return matching.length === 0
			? [missing(use, links)]
			: matching.flatMap((link) => shared(use, link, links));
	});
}

function written({ name, prefix }: InterfaceMatch): string {
	return prefix ? `${name}*` : name;
}

function matches({ name, prefix }: InterfaceMatch, candidate: string): boolean {
	return prefix ? candidate.startsWith(name) : candidate === name;
}

function missing(use: InterfaceUse, links: readonly HostLink[]): InterfaceFinding {
	const text = quote(written(use));
	const other = links.find(({ altNames }) => altNames.some((name) => matches(use, name)));
	if (other !== undefined) {
		const message = `interface ${text} is another name of ${quote(other.name)}, which packets never bear: nothing matches it`;
		return finding(use, "altname", other.name, message, `write ${quote(other.name)}`);
	}
	const lower = { ...use, name: use.name.toLowerCase() };
	const cased = links.find(({ name }) => matches(lower, name.toLowerCase()));
	if (cased !== undefined) {
		const message = `interface ${text} matches nothing: this host's is written ${quote(cased.name)}`;
		return finding(use, "case", cased.name, message, `write ${quote(cased.name)}`);
	}
	const none = use.prefix ? "no interface of this host begins like that" : "this host has no such interface";
	const message = `interface ${text} matches nothing now: ${none}`;
	return finding(use, "absent", "", message, 'correct the name, as "ip link" shows it before any @');
}

function shared(use: InterfaceUse, link: HostLink, links: readonly HostLink[]): InterfaceFinding[] {
	const text =
		use.prefix && use.name !== link.name
			? `${quote(link.name)} (${quote(written(use))})`
			: quote(written(use));
	const master = lastMaster(link, links);
	if (master !== null) {
		const kind = master.kind === "" ? "" : `the ${master.kind} `;
		const message = `interface ${text} is a member of ${kind}${quote(master.name)}: its packets bear that name, and nothing matches this one`;
		return [finding(use, "member", master.name, message, `write ${quote(master.name)}`)];
	}
	const above = links.filter(({ kind, parent }) => sharingKinds.has(kind) && parent === link.name);
	return above.slice(0, 1).map((top) => {
		const message = `interface ${text} carries the ${top.kind} ${quote(top.name)}: packets to that one's address bear its name`;
		const hint = `name ${quote(top.name)} as well if they are meant`;
		return finding(use, "parent", top.name, message, hint);
	});
}

/** The link on top whose name its packets bear: those of a bond's member in a bridge have the bridge's. */
function lastMaster(
	{ master }: HostLink,
	links: readonly HostLink[],
	left = links.length,
): HostLink["master"] {
	if (master === null || left === 0 || transparentMasters.has(master.kind)) return null;
	const above = links.find(({ name }) => name === master.name);
	return (above && lastMaster(above, links, left - 1)) ?? master;
}

function finding(
	use: InterfaceUse,
	reason: InterfaceReason,
	bears: string,
	message: string,
	hint: string,
): InterfaceFinding {
	return { interface: written(use), reason, bears, users: use.users, message, hint };
}
