/** What every command takes, asked of the commands themselves: they answer with the tables that they parse by. */

import type { Command, Io } from "../command.ts";
import { askedForOptions, CommandTables, type Offer } from "../options.ts";
import { CommandVerbs } from "../verbs.ts";

export interface CompletedOption {
	/** With its dashes. */
	readonly name: string;
	/** Null: it takes no value. */
	readonly offer: Offer | null;
}

/** A command, or a verb of one. */
export interface CompletedCommand {
	/** `["usb", "list"]`. */
	readonly path: readonly string[];
	readonly options: readonly CompletedOption[];
	/** By position beside options; the last one stands for all that follow. */
	readonly words: readonly Offer[];
	/** Then there is nothing else. */
	readonly verbs: readonly string[];
}

/** What options mean wherever they stand. */
const offersByName: Readonly<Record<string, Offer>> = {
	config: "file",
	"policy-dir": "directory",
	"state-dir": "directory",
	key: "file",
	junit: "file",
	descriptors: "file",
	"trusted-key": "file",
};

/** Nothing that a command writes on the way to its tables is of interest. */
const silent: Io = { out() {}, error() {}, errorColour: false, signal: new AbortController().signal };

export async function completedCommands(commands: readonly Command[]): Promise<CompletedCommand[]> {
	const all = await Promise.all(commands.map(({ name, run }) => tablesOf([name], run)));
	const names = commands.map(({ name }) => name);
	return [{ path: ["help"], options: [], words: [names], verbs: [] }, ...all.flat()];
}

async function tablesOf(path: readonly string[], run: Command["run"]): Promise<CompletedCommand[]> {
	try {
		await run([askedForOptions], silent);
	} catch (answer) {
		if (answer instanceof CommandVerbs) {
			const verbs = Object.entries(answer.verbs);
			const own = { path, options: [], words: [], verbs: verbs.map(([name]) => name) };
			const inner = await Promise.all(verbs.map(([name, verb]) => tablesOf([...path, name], verb)));
			return [own, ...inner.flat()];
		}
		if (!(answer instanceof CommandTables)) throw answer;
		const options = Object.entries(answer.options).map(([name, { type, offer }]) => ({
			name: `--${name}`,
			offer:
				type === "boolean"
					? null
					: (offer ?? (Object.hasOwn(offersByName, name) ? offersByName[name] : []) ?? []),
		}));
		return [{ path, options: [...options, { name: "--help", offer: null }], words: answer.words, verbs: [] }];
	}
	throw new Error(`${path.join(" ")} parses no options`);
}

/** Words that need no quotes in any shell; others are left to whoever types. */
export function plainWords(offer: readonly string[]): readonly string[] {
	return offer.filter((word) => /^[\w.:/@+-]+$/u.test(word));
}
