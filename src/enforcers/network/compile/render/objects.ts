/** Collects a plan's objects: equal content is one object, and an object names only earlier ones. */

import { digest } from "../../../../base/digest.ts";
import type { NftObject } from "../plan.ts";

const prefixes: Record<"set" | "map" | "chain", string> = { set: "s", map: "m", chain: "x" };

/** The name of an object with this body in this epoch. */
export function objectName(epoch: string, kind: "set" | "map" | "chain", body: string): string {
	return `${prefixes[kind]}_${digest(epoch, kind, body)}`;
}

export class ObjectStore {
	readonly #byName = new Map<string, NftObject>();
	readonly #epoch: string;

	/** @param epoch Part of every name but those of counters. */
	constructor(epoch: string) {
		this.#epoch = epoch;
	}

	/** Adds an object named by its content, and returns the name. `lines` are the declaration's body, without indentation. */
	add(kind: "set" | "map" | "chain", lines: readonly string[], elements = 0): string {
		const body = lines.map((line) => `\t${line}\n`).join("");
		const name = objectName(this.#epoch, kind, body);
		this.#insert({ kind, name, text: `${kind} ${name} {\n${body}}\n`, elements });
		return name;
	}

	/** Adds a named counter; its name outlives epochs. */
	counter(name: string): void {
		this.#insert({ kind: "counter", name, text: `counter ${name} {\n}\n`, elements: 0 });
	}

	#insert(object: NftObject): void {
		const known = this.#byName.get(object.name);
		if (known !== undefined && known.text !== object.text) {
			throw new Error(`two objects share the name ${object.name}`);
		}
		if (known === undefined) this.#byName.set(object.name, object);
	}

	get objects(): readonly NftObject[] {
		return [...this.#byName.values()];
	}
}
