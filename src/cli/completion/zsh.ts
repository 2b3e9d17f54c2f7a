/** The completion script for zsh. */

import type { Command } from "../command.ts";
import type { Offer } from "../options.ts";
import { type CompletedCommand, plainWords } from "./tables.ts";

export function zshScript(commands: readonly CompletedCommand[], described: readonly Command[]): string {
	const verbs = commands.filter((command) => command.verbs.length > 0);
	const plain = commands.filter((command) => command.verbs.length === 0);
	return `#compdef portward
# zsh completion for portward. Made by: portward completion zsh

_portward() {
	local cur=\${words[CURRENT]} prev=\${words[CURRENT-1]} key=\${words[2]} word
	local -i at=3 n=0 i
	local -a options valued commands
	if ((CURRENT == 2)); then
		commands=(
			'help:what there is, and what a command does'
${described.map(({ name, summary }) => `			${quoted(`${name}:${summary}`)}`).join("\n")}
		)
		_describe command commands
		return
	fi
	case $key in
${verbs
	.map(
		({ path, verbs: own }) => `	(${path.join(" ")})
		if ((CURRENT == 3)); then compadd -- ${own.join(" ")}; return; fi
		key="$key \${words[3]}"
		at=4
		;;`,
	)
	.join("\n")}
	esac
	if [[ $cur == --*=* ]]; then
		prev=\${cur%%=*}
		compset -P '*='
	fi
	case "$key $prev" in
${plain.flatMap(({ path, options }) => options.flatMap(({ name, offer }) => (offer === null ? [] : [`	('${path.join(" ")} ${name}') ${call(offer)}; return ;;`]))).join("\n")}
	esac
	case $key in
${plain
	.map(({ path, options }) => {
		const all = options.map(({ name }) => name).join(" ");
		const valued = options.filter(({ offer }) => offer !== null).map(({ name }) => name);
		return `	('${path.join(" ")}') options=(${all}) valued=(${valued.join(" ")}) ;;`;
	})
	.join("\n")}
	esac
	if [[ $cur == -* ]]; then
		compadd -- $options
		return
	fi
	for ((i = at; i < CURRENT; i++)); do
		word=\${words[i]}
		case $word in
		(-*) if ((\${valued[(Ie)$word]})); then ((i += 1)); fi ;;
		(*) ((n += 1)) ;;
		esac
	done
	case "$key $n" in
${plain.flatMap(({ path, words }) => words.map((offer, i) => `	('${path.join(" ")} '${i === words.length - 1 && typeof offer === "string" ? "*" : i}) ${call(offer)} ;;`)).join("\n")}
	(*) compadd -- $options ;;
	esac
}

if [[ $funcstack[1] == _portward ]]; then _portward "$@"; else compdef _portward portward; fi
`;
}

function call(offer: Offer): string {
	if (typeof offer === "string") return offer === "file" ? "_files" : "_files -/";
	const words = plainWords(offer);
	return words.length === 0 ? "_message value" : `compadd -- ${words.join(" ")}`;
}

function quoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}
