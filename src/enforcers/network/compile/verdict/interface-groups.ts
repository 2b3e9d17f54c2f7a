/** The interfaces that programs tell apart: names, beginnings of names, and all others. */

import type { InterfaceMatch } from "../../../../base/model.ts";
import { interfaceContains, interfaceDepth, interfaceKey, interfaceNameBytes } from "../atom.ts";
import type { DirectionProgram } from "../program.ts";

export class InterfaceGroup {
	/** `eth0`, `eth*`, or null for those that no rule names. */
	readonly name: string | null;
	/** An interface of the group and of no narrower one; "" where `name` is null. */
	readonly example: string;
	readonly #match: InterfaceMatch | null;

	constructor(match: InterfaceMatch | null, example: string) {
		this.#match = match;
		this.name = match === null ? null : interfaceKey(match);
		this.example = example;
	}

	/** Whether every interface of the other group is one of this, too. */
	holds(other: InterfaceGroup): boolean {
		return interfaceContains(this.#match, other.#match);
	}
}

/** From the widest to the narrowest. A beginning whose every name is in a narrower group is left out. */
export function interfaceGroups(programs: readonly DirectionProgram[]): readonly InterfaceGroup[] {
	const matches = new Map<string, InterfaceMatch>();
	for (const { literals, prefixes, members, failsafe } of programs) {
		const named = [
			...[...literals, ...members].map(({ name }) => ({ name, prefix: false })),
			...prefixes.map(({ name }) => ({ name, prefix: true })),
			...failsafe.flatMap(({ match }) => match.interface ?? []),
		];
		for (const match of named) matches.set(interfaceKey(match), match);
	}
	const sorted = [...matches.values()].sort(
		(a, b) => interfaceDepth(a) - interfaceDepth(b) || (a.name < b.name ? -1 : 1),
	);
	const groups = sorted.flatMap((match) => {
		const example = match.prefix ? exampleOf(match, sorted) : match.name;
		return example === null ? [] : new InterfaceGroup(match, example);
	});
	return [new InterfaceGroup(null, ""), ...groups];
}

/** A name that begins like this and like no longer one, and that nobody names. */
function exampleOf({ name }: InterfaceMatch, all: readonly InterfaceMatch[]): string | null {
	const narrower = all.filter((one) => one.name.length > name.length || (!one.prefix && one.name === name));
	const taken = (text: string) =>
		narrower.some((one) => (one.prefix ? text.startsWith(one.name) : text === one.name));
	if (!taken(name)) return name;
	if (name.length >= interfaceNameBytes) return null;
	for (let i = 0; i <= narrower.length; i++) {
		const text = `${name}${i}`;
		if (text.length <= interfaceNameBytes && !taken(text)) return text;
	}
	for (const letter of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") {
		if (!taken(`${name}${letter}`)) return `${name}${letter}`;
	}
	return null;
}
