/**
 * The chains that the kernel calls for packets, as pure text: the one source of what the daemon loads, what `render`
 * prints and what tests pin. Their rules never change; plans are swapped in below them.
 */

import type { Direction } from "../../../base/model.ts";
import type { EgressHook } from "../compile/plan.ts";

/** Judges what leaves where policies name its interface: only behind all of `output` is it final. */
export const leavingChain = "leaving";

/** The base chains, by name. */
export type BaseName = Direction | typeof leavingChain;

const allNames: readonly BaseName[] = ["ingress", "egress", leavingChain];

export interface BaseChain {
	readonly name: BaseName;
	/** `input`, `output` or `postrouting`. */
	readonly hook: string;
	readonly priority: number;
	readonly rules: readonly string[];
}

/**
 * Later than every filter of others, firewalld's at 10 among them, so that what they drop is dropped, and counted, there;
 * before 100, where source addresses are translated.
 */
const filterPriority = 20;

/** Later in `output` than translations of destinations, also those that somebody put at 100. */
const outputPriority = 120;

/** The interface of a packet in `output` is that of before any translation, so the address has to be local too. */
const loopbackOut = "oif lo fib daddr type local accept";

const established = "ct state established accept";

const bases: Readonly<Record<BaseName, BaseChain>> = {
	ingress: {
		name: "ingress",
		hook: "input",
		priority: filterPriority,
		rules: ["iif lo accept", established, "jump root_ingress"],
	},
	egress: {
		name: "egress",
		hook: "output",
		priority: outputPriority,
		rules: [established, loopbackOut, "ct status dnat fib daddr type local accept", "jump root_egress"],
	},
	leaving: {
		name: leavingChain,
		hook: "postrouting",
		priority: filterPriority,
		// Forwarded and bridged packets come by here too. They have neither a process nor an address of this host.
		rules: [
			established,
			loopbackOut,
			"meta skuid != 4294967295 jump root_leaving",
			"fib saddr type local jump root_leaving",
			"fib saddr . oif type local jump root_leaving",
		],
	},
};

export function baseChain(name: BaseName): BaseChain {
	return bases[name];
}

/** The base chains that a plan needs. Nothing that is forwarded pays for a hook that judges nothing. */
export function baseNames(egressHook: EgressHook): readonly BaseName[] {
	return egressHook === "postrouting" ? allNames : ["ingress", "egress"];
}

/** Where the chain hooks in, as it stands inside its braces. */
export function hookText({ hook, priority }: Pick<BaseChain, "hook" | "priority">): string {
	return `type filter hook ${hook} priority ${priority}; policy accept;`;
}

/** The chain between a base chain and a plan's. */
export function rootOf(name: BaseName): string {
	return `root_${name}`;
}

/** Makes or keeps the base chain, emptied and with these rules. Atomic for packets, as long as no set is made with it. */
export function refill(table: string, name: BaseName, rules: readonly string[]): string {
	return (
		`add chain inet ${table} ${name} { ${hookText(baseChain(name))} }\n` +
		`flush chain inet ${table} ${name}\n` +
		rules.map((rule) => `add rule inet ${table} ${name} ${rule}\n`).join("")
	);
}

/** Makes these base chains what they must be, whether they are there or not. */
export function assertBaseChains(table: string, names: readonly BaseName[]): string {
	return names.map((name) => refill(table, name, baseChain(name).rules)).join("");
}

/** What of a listing tells where base chains hook in. */
interface Listed {
	/** Of the base chains. */
	readonly priorities?: Readonly<Record<string, number>>;
}

/** Base chains that are there with the priority of another version, or of somebody else. */
export function misplaced({ priorities }: Listed): BaseName[] {
	return allNames.filter((name) => {
		const found = priorities?.[name];
		return found !== undefined && found !== baseChain(name).priority;
	});
}

/** Base chains of ours that are there. */
export function presentBases({ priorities }: Listed): BaseName[] {
	return allNames.filter((name) => priorities?.[name] !== undefined);
}

/** Deletes base chains, to be made anew in the same transaction. */
export function dropBases(table: string, names: readonly BaseName[]): string {
	return names
		.map((name) => `flush chain inet ${table} ${name}\ndelete chain inet ${table} ${name}\n`)
		.join("");
}

/**
 * Moves base chains to the priority that they must have, in transactions one after the other. A hook cannot be moved, and
 * a packet on its way may know only the hooks of before. So another chain judges as well while the old one is exchanged.
 */
export function moveBases(table: string, names: readonly BaseName[]): string[] {
	if (names.length === 0) return [];
	const stand = (name: BaseName) => `moving_${name}`;
	const each = (commands: (name: BaseName) => string) => names.map(commands).join("");
	return [
		each(
			(name) =>
				`add chain inet ${table} ${stand(name)} { ${hookText(baseChain(name))} }\n` +
				`flush chain inet ${table} ${stand(name)}\n` +
				baseChain(name)
					.rules.map((rule) => `add rule inet ${table} ${stand(name)} ${rule}\n`)
					.join(""),
		),
		dropBases(table, names) + assertBaseChains(table, names),
		each((name) => `flush chain inet ${table} ${stand(name)}\ndelete chain inet ${table} ${stand(name)}\n`),
	];
}
