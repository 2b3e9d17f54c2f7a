/** The YAML documents of a file, with the places of what is in them. */

import { Lines, parseSyntax, splitDocuments, syntaxBudget, syntaxLimits } from "../document/syntax.ts";
import type { Finding } from "./finding.ts";
import type { Source } from "./kubernetes.ts";
import type { SourceText } from "./reading.ts";

export interface Documents {
	readonly sources: readonly Source[];
	/** Why some of the text is no document. */
	readonly problems: readonly Omit<Finding, "kind">[];
}

export function readDocuments({ file, text }: SourceText): Documents {
	const sources: Source[] = [];
	const problems: Omit<Finding, "kind">[] = [];
	const budget = syntaxBudget();
	for (const chunk of splitDocuments(text.slice(0, syntaxLimits.fileLength))) {
		const syntax = parseSyntax(chunk.source, budget);
		const lines = new Lines(chunk);
		for (const { offset, message } of syntax.problems)
			problems.push({ file, ...lines.locate(offset), message });
		const { contents } = syntax;
		if (contents === null || syntax.problems.length > 0) continue;
		sources.push({
			root: contents,
			place: (node) => ({ file, ...lines.locate(node?.range?.[0] ?? 0) }),
		});
	}
	return { sources, problems };
}
