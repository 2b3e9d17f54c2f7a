import type { Command } from "./command.ts";

/** The text of `portward help`. */
export function helpText(commands: readonly Command[]): string {
	const width = Math.max(...commands.map((command) => command.name.length));
	const lines = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
	return `portward guards a Linux host's network and USB ports with KubeArmor policies.

Usage: portward COMMAND [OPTION]...

${lines.join("\n")}

\`portward help COMMAND\` tells more, \`man portward\` everything. Exit codes: 0 ok, 1
failure, 2 what the help of a command says, such as plan and diff, 64 wrong usage.
NO_COLOR in the environment turns colours off.
`;
}
