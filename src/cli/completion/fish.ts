/** The completion script for fish. */

import type { Command } from "../command.ts";
import type { Offer } from "../options.ts";
import { type CompletedCommand, plainWords } from "./tables.ts";

export function fishScript(commands: readonly CompletedCommand[], described: readonly Command[]): string {
	const lines = [
		...described.map(
			({ name, summary }) => `complete -c portward -n '__portward_at 1' -a ${name} -d ${quoted(summary)}`,
		),
		...commands.flatMap(({ path, options, words, verbs }) => [
			...(verbs.length === 0
				? []
				: [
						`complete -c portward -n '__portward_at ${path.length + 1} ${path.join(" ")}' -a ${quoted(verbs.join(" "))}`,
					]),
			...options.map(({ name, offer }) => {
				const value = offer === null ? "" : ` ${value_(offer)}`;
				return `complete -c portward -n '__portward_is ${path.join(" ")}' -l ${name.slice(2)}${value}`;
			}),
			...words.map((offer, i) => {
				const every = i === words.length - 1 && typeof offer === "string";
				const where = every
					? `__portward_is ${path.join(" ")}`
					: `__portward_at ${path.length + 1 + i} ${path.join(" ")}`;
				const what =
					typeof offer !== "string"
						? `-a ${quoted(plainWords(offer).join(" "))}`
						: offer === "file"
							? "-F"
							: directories;
				return `complete -c portward -n '${where}' ${what}`;
			}),
		]),
	];
	return `# fish completion for portward. Made by: portward completion fish

# Whether the words of the command line begin so.
function __portward_is
	set -l words (commandline -opc)
	set -e words[1]
	test (count $words) -ge (count $argv); or return 1
	for i in (seq (count $argv))
		test "$words[$i]" = "$argv[$i]"; or return 1
	end
end

# The same, where so many words stand before the one that is typed.
function __portward_at
	test (count (commandline -opc)) -eq $argv[1]; and __portward_is $argv[2..-1]
end

complete -c portward -f
complete -c portward -n '__portward_at 1' -a help -d 'what there is, and what a command does'
${lines.join("\n")}
`;
}

const directories = "-a '(__fish_complete_directories)'";

function value_(offer: Offer): string {
	if (offer === "file") return "-r -F";
	if (offer === "directory") return `-x ${directories}`;
	const words = plainWords(offer);
	return words.length === 0 ? "-x" : `-x -a ${quoted(words.join(" "))}`;
}

function quoted(text: string): string {
	return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
