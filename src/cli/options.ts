/** Command-line options, on top of `util.parseArgs`. */

import { type ParseArgsConfig, parseArgs } from "node:util";
import { suggest } from "../base/suggest.ts";
import { UsageError } from "./command.ts";

type Descriptor = NonNullable<ParseArgsConfig["options"]>[string];

/** What a shell can offer for a word: names of files or of directories, or these. */
export type Offer = "file" | "directory" | readonly string[];

/** `offer`: what the option's value can be. */
export type OptionTable = Readonly<Record<string, Descriptor & { readonly offer?: Offer }>>;

/** Longer words of the command line are cut in messages. */
const shownLength = 80;

/** Stands alone in place of the arguments, where a command is asked which it takes. No command line can hold it. */
export const askedForOptions = "\0options";

/** Thrown in place of parsing: the tables by which a command would parse its arguments. */
export class CommandTables extends Error {
	constructor(
		readonly options: OptionTable,
		/** By position; the last one stands for all that follow. */
		readonly words: readonly Offer[],
	) {
		super("a command was asked for its tables");
	}
}

/**
 * Parses strictly; a bad option is a UsageError that says what to write instead.
 * @param words what a shell can offer for the arguments beside options.
 */
export function parseOptions<const T extends OptionTable>(
	args: readonly string[],
	options: T,
	words: readonly Offer[] = [],
) {
	if (args[0] === askedForOptions) throw new CommandTables(options, words);
	checkNames(args, options);
	try {
		return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
	} catch (error) {
		throw new UsageError(error instanceof Error ? error.message : String(error));
	}
}

/** Like parseOptions, for a command that takes no arguments beside options. @param words those that it took before */
export function parseOnlyOptions<const T extends OptionTable>(
	args: readonly string[],
	options: T,
	words: readonly Offer[] = [],
) {
	const { values, positionals } = parseOptions(args, options, words);
	const [first] = positionals;
	if (first !== undefined) throw new UsageError(`${show(first)} is not expected here; ${known(options)}`);
	return values;
}

/** Refuses options that are unknown, given twice or without their value. */
function checkNames(args: readonly string[], options: OptionTable): void {
	const { tokens } = parseArgs({
		args: [...args],
		options,
		strict: false,
		allowPositionals: true,
		tokens: true,
	});
	const seen = new Set<string>();
	for (const token of tokens) {
		if (token.kind !== "option") continue;
		const { name, rawName, value } = token;
		const option = Object.hasOwn(options, name) ? options[name] : undefined;
		if (option === undefined) {
			const names = Object.keys(options);
			const hint = rawName.startsWith("--")
				? suggest(
						rawName,
						names.map((each) => `--${each}`),
						"options",
					)
				: known(options);
			throw new UsageError(
				`there is no option ${show(rawName)}; ${names.length === 0 ? known(options) : hint}`,
			);
		}
		if (option.type === "string" && (value === undefined || value === "")) {
			throw new UsageError(`${rawName} needs a value, such as ${rawName}=${name.toUpperCase()}`);
		}
		if (option.type === "boolean" && value !== undefined) {
			throw new UsageError(`${rawName} takes no value; write ${rawName} alone`);
		}
		if (seen.has(name) && option.multiple !== true)
			throw new UsageError(`${rawName} is given twice; give it once`);
		seen.add(name);
	}
}

function known(options: OptionTable): string {
	const names = Object.keys(options).map((name) => `--${name}`);
	return names.length === 0 ? "this command takes no options" : `known options: ${names.join(", ")}`;
}

function show(word: string): string {
	return JSON.stringify(word.length > shownLength ? `${word.slice(0, shownLength)}...` : word);
}

/** The options of every command that reads policies offline. */
export const policyOptions = {
	"policy-dir": { type: "string" },
	config: { type: "string" },
} as const;
