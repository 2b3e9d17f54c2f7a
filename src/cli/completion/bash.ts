/** The completion script for bash. */

import type { Offer } from "../options.ts";
import { type CompletedCommand, plainWords } from "./tables.ts";

export function bashScript(commands: readonly CompletedCommand[]): string {
	const names = commands.filter(({ path }) => path.length === 1).map(({ path }) => path[0] ?? "");
	const verbs = commands.filter((command) => command.verbs.length > 0);
	const plain = commands.filter((command) => command.verbs.length === 0);
	return `# bash completion for portward. Made by: portward completion bash

_portward_offer() {
	local IFS=$'\\n'
	case $1 in
	file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
	directory) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
	*) COMPREPLY=($(IFS=' '; compgen -W "$2" -- "$cur")) ;;
	esac
}

_portward() {
	local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
	local key=\${COMP_WORDS[1]} at=2 options= valued= n=0 i word
	COMPREPLY=()
	# Of --option=value the sign is a word of its own.
	if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
	if ((COMP_CWORD == 1)); then
		_portward_offer words '${names.join(" ")}'
		return
	fi
	case $key in
${verbs
	.map(
		({ path, verbs: own }) => `	${path.join(" ")})
		if ((COMP_CWORD == 2)); then _portward_offer words '${own.join(" ")}'; return; fi
		key="$key \${COMP_WORDS[2]}" at=3
		;;`,
	)
	.join("\n")}
	esac
	case "$key $prev" in
${plain.flatMap(({ path, options }) => options.flatMap(({ name, offer }) => (offer === null ? [] : [`	'${path.join(" ")} ${name}') ${call(offer)}; return ;;`]))).join("\n")}
	esac
	case $key in
${plain
	.map(({ path, options }) => {
		const all = options.map(({ name }) => name).join(" ");
		const valued = options.filter(({ offer }) => offer !== null).map(({ name }) => name);
		return `	'${path.join(" ")}') options='${all}' valued=' ${valued.join(" ")} ' ;;`;
	})
	.join("\n")}
	esac
	if [[ $cur == -* ]]; then
		_portward_offer words "$options"
		return
	fi
	for ((i = at; i < COMP_CWORD; i++)); do
		word=\${COMP_WORDS[i]}
		case $word in
		=) ((i++)) ;;
		-*) if [[ $valued == *" $word "* && \${COMP_WORDS[i + 1]} != = ]]; then ((i++)); fi ;;
		*) ((n++)) ;;
		esac
	done
	case "$key $n" in
${plain.flatMap(({ path, words }) => words.map((offer, i) => `	'${path.join(" ")} '${i === words.length - 1 && typeof offer === "string" ? "*" : i}) ${call(offer)} ;;`)).join("\n")}
	*) _portward_offer words "$options" ;;
	esac
}

complete -F _portward portward
`;
}

function call(offer: Offer): string {
	return typeof offer === "string"
		? `_portward_offer ${offer}`
		: `_portward_offer words '${plainWords(offer).join(" ")}'`;
}
