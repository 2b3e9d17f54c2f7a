/** Where a link inside a held directory leads: walked by names that are no links, so that nothing on the way leads out. */

import { realpathSync, type Stats } from "node:fs";
import { join, sep } from "node:path";
import type { HeldDirectory } from "./held-directory.ts";
import type { Problem } from "./policy-signature.ts";

const linkOutside: Problem = {
	code: "link-outside",
	message: "the link leads out of the policy directory",
	hint: "copy what it leads to into the policy directory",
};

/** The directory and the name that a link means, held until it is disposed of. `name` is null for the root itself. */
export class InsidePath implements Disposable {
	readonly problem: Problem | null;
	readonly directory: HeldDirectory;
	readonly name: string | null;
	readonly #held: HeldDirectory[] = [];

	/**
	 * @param root what must not be left.
	 * @param directory where the link `link` lies: `root`, or below it.
	 * @param distrust why a directory on the way is not to be believed, or null.
	 * @throws the system's error, ENOENT where the link leads nowhere
	 */
	constructor(
		root: HeldDirectory,
		directory: HeldDirectory,
		link: string,
		distrust: (stats: Stats) => Problem | null,
	) {
		const parts = namesInside(root, directory, link);
		this.directory = root;
		this.name = parts?.pop() ?? null;
		let problem: Problem | null = parts === null ? linkOutside : null;
		try {
			for (const part of parts ?? []) {
				if (problem !== null) break;
				this.directory = this.directory.enter(part);
				this.#held.push(this.directory);
				problem = distrust(this.directory.stats());
			}
		} catch (error) {
			this[Symbol.dispose]();
			throw error;
		}
		this.problem = problem;
	}

	[Symbol.dispose](): void {
		for (const held of this.#held) held[Symbol.dispose]();
	}
}

/** The names from the root to what a link means; null where that lies outside. */
function namesInside(root: HeldDirectory, directory: HeldDirectory, link: string): string[] | null {
	const real = realpathSync(join(directory.currentPath(), link));
	const top = root.currentPath();
	if (real === top) return [];
	const inside = top === sep ? sep : top + sep;
	return real.startsWith(inside) ? real.slice(inside.length).split(sep) : null;
}
