/**
 * Finds the policy files of a directory: recursively, without dotfiles,
 * following links only as far as they stay inside. What cannot be followed is
 * a problem at its place: policies that were there must not vanish unsaid.
 */

import type { Stats } from "node:fs";
import { errorCode, errorText, type HeldDirectory } from "./held-directory.ts";
import { InsidePath } from "./inside-path.ts";
import { distrust } from "./permissions.ts";
import type { Problem } from "./policy-signature.ts";

/** Directory entries looked at before the reading gives up. */
const maxEntries = 100_000;
/** How deep directories nest. */
const maxDepth = 16;

const policyFile = /\.(ya?ml|json)$/i;

/** Whether a file of that name, unless it is hidden, is read. */
export function isPolicyFile(name: string): boolean {
	return policyFile.test(name);
}

const tooDeep: Problem = {
	code: "too-deep",
	message: `directories nest deeper than ${maxDepth}`,
	hint: "move the policies up",
};

export interface WalkVisitor {
	/** A policy file, which lies in `directory` as `name`; `name` is no link, unless it was exchanged just now. */
	file(path: string, directory: HeldDirectory, name: string): void;
	/** An entry that cannot be followed: what lies behind it is not known. */
	refused(path: string, problem: Problem): void;
}

/** A place in the tree: a directory that is held, and the path to it. */
interface Place {
	readonly directory: HeldDirectory;
	readonly path: string;
	readonly depth: number;
}

export class PolicyWalk {
	readonly #root: HeldDirectory;
	readonly #checkPermissions: boolean;
	readonly #visitor: WalkVisitor;
	#entries = maxEntries;
	/** Real directories: a link back up must not show them again. */
	readonly #visited = new Set<string>();

	constructor(root: HeldDirectory, options: { readonly checkPermissions: boolean }, visitor: WalkVisitor) {
		this.#root = root;
		this.#checkPermissions = options.checkPermissions;
		this.#visitor = visitor;
	}

	/** Returns a problem only where the directory as a whole cannot be known. */
	run(): Problem | null {
		this.#visited.add(identity(this.#root.stats()));
		try {
			return this.#walk({ directory: this.#root, path: "", depth: 0 });
		} catch (error) {
			const hint = "make it readable for root";
			if (errorCode(error) === null) throw error;
			const message = `the policy directory cannot be read: ${errorText(error)}`;
			return { code: "unreadable-directory", message, hint };
		}
	}

	#walk(place: Place): Problem | null {
		// Sorted, so that of two ways to a directory every machine takes the same.
		const entries = place.directory.entries().sort((a, b) => (a.name < b.name ? -1 : 1));
		for (const { name, file } of entries.map((entry) => ({ name: entry.name, file: entry.isFile() }))) {
			if (name.startsWith(".")) continue;
			this.#entries -= 1;
			if (this.#entries < 0) {
				return {
					code: "too-many-files",
					message: `the policy directory holds more than ${maxEntries} entries`,
					hint: "keep other files out of it, or put several policies into one file",
				};
			}
			const path = place.path === "" ? name : `${place.path}/${name}`;
			const problem = this.#guarded(place, name, path, file);
			if (problem !== null) return problem;
		}
		return null;
	}

	/** What the system refuses is that entry's problem, not that of its neighbours. */
	#guarded(place: Place, name: string, path: string, file: boolean): Problem | null {
		try {
			// Whoever reads it makes sure that it still is one.
			if (!file) return this.#enter(place, name, path);
			if (isPolicyFile(name)) this.#visitor.file(path, place.directory, name);
			return null;
		} catch (error) {
			const code = errorCode(error);
			if (code === null) throw error;
			const absent = code === "ENOENT";
			// Removed since its directory was read.
			if (absent && place.directory.look(name) === null) return null;
			const message = absent ? "the link leads nowhere" : errorText(error);
			const hint = absent ? "let it lead to a policy, or remove it" : "make it readable, or remove it";
			this.#visitor.refused(path, { code: "unreadable-file", message, hint });
			return null;
		}
	}

	#enter({ directory, depth }: Place, name: string, path: string): Problem | null {
		const found = directory.look(name);
		// Removed since the names were read.
		if (found === null) return null;
		if (found.isSymbolicLink()) return this.#follow(name, path, directory, depth);
		if (found.isDirectory()) {
			using below = directory.enter(name);
			return this.#descend({ directory: below, path, depth: depth + 1 });
		}
		if (isPolicyFile(name)) this.#visitor.file(path, directory, name);
		return null;
	}

	#descend(place: Place): Problem | null {
		const stats = place.directory.stats();
		const real = identity(stats);
		if (this.#visited.has(real)) return null;
		this.#visited.add(real);
		const problem = this.#distrust(stats) ?? (place.depth > maxDepth ? tooDeep : null);
		if (problem === null) return this.#walk(place);
		this.#visitor.refused(place.path, problem);
		return null;
	}

	#follow(name: string, path: string, directory: HeldDirectory, depth: number): Problem | null {
		using inside = new InsidePath(this.#root, directory, name, (stats) => this.#distrust(stats));
		if (inside.problem !== null) {
			this.#visitor.refused(path, inside.problem);
			return null;
		}
		// Null is the root: its policies are read already.
		if (inside.name === null) return null;
		if (inside.directory.look(inside.name)?.isDirectory() === true) {
			using below = inside.directory.enter(inside.name);
			return this.#descend({ directory: below, path, depth: depth + 1 });
		}
		if (isPolicyFile(path)) this.#visitor.file(path, inside.directory, inside.name);
		return null;
	}

	#distrust(stats: Stats): Problem | null {
		if (!this.#checkPermissions) return null;
		const problem = distrust("this directory", stats);
		return problem && { code: "insecure-permissions", ...problem };
	}
}

function identity({ dev, ino }: Stats): string {
	return `${dev}:${ino}`;
}
