/** A third enforcer, of the tests' own: it knows words, and whether they are to be said aloud. */

import { PartType, type Policy, type PolicyKind } from "../../../src/document/kind.ts";
import { readMetadata } from "../../../src/document/metadata.ts";
import { readDefaults } from "../../../src/document/rule-defaults.ts";
import { readNodeSelector } from "../../../src/document/selector.ts";
import type { Enforcer } from "../../../src/enforcers/contract/enforcer.ts";

export interface Word {
	readonly name: string;
	readonly file: string;
	readonly line: number;
	readonly word: string;
}

/** What is kept of a set, planned and sent alike. */
export interface Words {
	readonly words: readonly string[];
	readonly loud: boolean;
}

const part = new PartType<Word>("words");

const wordKind: PolicyKind = {
	name: "WordPolicy",
	list: null,
	schema: null,
	role: "policy",
	read(reader, root): Policy | null {
		const fields = reader.fields(root, null, ["apiVersion", "kind", "metadata", "spec"]);
		const name = fields && readMetadata(reader, root, fields);
		const spec = fields && reader.present(fields, "spec");
		const own = spec && reader.fields(spec.node, spec.path, ["nodeSelector", "action", "word"]);
		if (!spec || !own || !name) return null;
		const nodeSelector = readNodeSelector(reader, own, spec.node, spec.path);
		const unset = { action: "Block", severity: 1, tags: [], message: "" } as const;
		const { action } = readDefaults(reader, own, unset);
		const field = reader.present(own, "word");
		const word = field && reader.text(field.node, field.path);
		if (reader.failed || !word) return null;
		const place = reader.place(root);
		const head = { kind: "WordPolicy", name, place, nodeSelector, action };
		return part.policy(head, { name, file: place.file, line: place.line, word });
	},
	lint: () => [],
};

export const third: Enforcer<Word, Words, Words, Words, null> = {
	name: part.enforcer,
	part,
	kinds: [wordKind],
	hostBlocks: [],
	enabled: () => true,
	compile(parts) {
		const words = { words: parts.map(({ word }) => word), loud: parts.some(({ word }) => word === "HEY") };
		const diagnostics = parts
			.filter(({ word }) => word.length > 5)
			.map(({ file, line, word }) => ({
				...{ file, line, column: 1, path: "spec.word", severity: "warning" as const, code: "long-word" },
				...{ message: `${word} is long`, hint: "write a short one" },
			}));
		return { ok: true, kept: words, plan: words, diagnostics };
	},
	send: (plan) => plan ?? { words: [], loud: false },
	lintHost: () => [],
	telling: {
		key: "words",
		heading: "Words",
		packets: false,
		lists: [{ name: "word", field: "word", label: "words" }],
	},
	describe: (parts, { loud }) => ({
		rules: parts.map(({ name, file, line, word }, index) => ({
			...{ policy: name, direction: "word", index, action: "Audit" as const, severity: 1, tags: [] },
			...{ message: "", place: { file, line, column: 1 }, conditions: { word: [word] } },
		})),
		defaults: { word: { allowlistMode: loud, unmatched: "accept" } },
	}),
	boot: ({ loud }) => ({ loud }),
	closed: () => ({ loud: true }),
	restore: ({ loud }) => ({ said: loud ? "HEY" : "", errors: [] }),
	calls: () => ({}),
};

/** A document that the third enforcer reads. */
export function wordPolicy(name: string, word: string): string {
	return JSON.stringify({
		apiVersion: "security.kubearmor.com/v1",
		kind: "WordPolicy",
		metadata: { name },
		spec: { nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } }, action: "Audit", word },
	});
}
