import { suggest } from "../../base/suggest.ts";
import { type Command, exit, UsageError } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOptions } from "../options.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { completedCommands } from "./tables.ts";
import { zshScript } from "./zsh.ts";

const help = `Usage: portward completion bash|zsh|fish [--json]

Prints what the shell has to know to complete commands, verbs, options and
their values. install.sh puts it where the shells look; without that:

  bash  portward completion bash > /etc/bash_completion.d/portward
  zsh   portward completion zsh > DIR/_portward, with DIR in fpath
  fish  portward completion fish > ~/.config/fish/completions/portward.fish

  --json  print {shell, script}
`;

const shells = ["bash", "zsh", "fish"] as const;

/** @param commands every command, this one with them. */
export function completionCommand(commands: () => readonly Command[]): Command {
	return {
		name: "completion",
		summary: "what a shell completes commands by",
		help,
		async run(args, io) {
			const { values, positionals } = parseOptions(args, { json: { type: "boolean" } }, [shells]);
			const [word = "", more] = positionals;
			const shell = shells.find((name) => name === word);
			if (shell === undefined || more !== undefined)
				throw new UsageError(`name one shell; ${suggest(more ?? word, shells, "shells")}`);
			const script = await scriptFor(shell, commands());
			io.out(values.json ? prettyJson({ shell, script }) : script);
			return exit.ok;
		},
	};
}

async function scriptFor(shell: (typeof shells)[number], commands: readonly Command[]): Promise<string> {
	const completed = await completedCommands(commands);
	if (shell === "bash") return bashScript(completed);
	return shell === "zsh" ? zshScript(completed, commands) : fishScript(completed, commands);
}
