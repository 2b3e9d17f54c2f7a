/**
 * What changed between the set of policies that was in force before and the one that is now, as far as it can be told
 * within a moment: this runs on the thread that compiles, after the new set is in force.
 */

import {
	type GenerationBox,
	type GenerationFile,
	type GenerationRule,
	mostGenerationAddresses,
	mostGenerationBoxes,
	mostGenerationFiles,
	mostGenerationRules,
	type SetChange,
	type Shortened,
	shorten,
} from "../../base/generation.ts";
import type { Config } from "../../config/model.ts";
import type { Enforcer } from "../../enforcers/contract/enforcer.ts";
import type { NetworkModel } from "../../enforcers/network/compile/program.ts";
import { diffForwarded } from "../../enforcers/network/compile/verdict/forwarded-diff.ts";
import type { VerdictBox } from "../../enforcers/network/compile/verdict/verdict-box.ts";
import { diffVerdicts } from "../../enforcers/network/compile/verdict/verdict-diff.ts";
import { networkEnforcer } from "../../enforcers/network/enforcer.ts";
import type { EnforcedDocument } from "../collection.ts";
import { compileParts } from "../compile-set.ts";
import { kindsOf } from "../enforcers.ts";
import { hasFeed } from "../groups/groups.ts";
import { type Change, diffSets, type SetPart } from "../policy-diff.ts";
import { noText, policiesOf, type SetText, setText } from "./set-text.ts";

/** What was in force before. */
export interface Before {
	/** Null where nobody knows, as before the first start. */
	readonly text: SetText | null;
	/** Null where the daemon did not run; then the settings of now are taken for those of before. */
	readonly config: Config | null;
}

export interface Told {
	/** What is in force now, for the next time. */
	readonly text: SetText;
	/** Null where the policies say what they said before. */
	readonly change: SetChange | null;
}

export interface InForce {
	readonly documents: readonly EnforcedDocument[];
	/** What every enforcer has of them; null where it could not be compiled. */
	readonly parts: readonly {
		readonly enforcer: Enforcer;
		readonly parts: readonly unknown[];
		readonly kept: unknown;
	}[];
	readonly directory: string;
	readonly config: Config;
}

/** Atoms of both sets together that are compared: it takes about a second where each is told apart from all others. */
const mostAtoms = 2000;

/** Tells of one set after the other. */
export class ChangeTeller {
	/** What was told last, which its asker may not know yet. */
	#last: Before | null = null;

	/** @param before for a thread that has told nothing yet */
	tell(before: Before, now: InForce): Told {
		const told = tellChange(this.#last ?? before, now);
		this.#last = { text: told.text, config: now.config };
		return told;
	}
}

export function tellChange(before: Before, now: InForce): Told {
	const text = setText(now.documents);
	const old = before.text ?? noText;
	const config = before.config ?? now.config;
	const settings = !Bun.deepEquals(config, now.config);
	if (!settings && old.digest === text.digest) return { text, change: null };
	const head = { files: fileChanges(old, text), settings };
	const compared = compare(old, config, text, now);
	if (typeof compared === "string")
		return { text, change: { ...head, rules: null, verdicts: null, problem: compared } };
	const { rules, verdicts, forwarded } = compared;
	const same = rules.length + verdicts.length + (forwarded ?? []).length === 0;
	return {
		text,
		change: same
			? null
			: {
					...head,
					rules: shorten(rules, mostGenerationRules),
					verdicts: shorten(verdicts, mostGenerationBoxes),
					...(forwarded === null ? {} : { forwarded: shorten(forwarded, mostGenerationBoxes) }),
					problem: "",
				},
	};
}

const tooLarge = "the sets of policies are too large to be compared here; portward diff compares directories";

const unremembered =
	"what the files of groups held before is not remembered; portward diff compares directories";

interface Compared {
	readonly rules: readonly GenerationRule[];
	readonly verdicts: readonly GenerationBox[];
	/** Null where it is as for the host. */
	readonly forwarded: readonly GenerationBox[] | null;
}

/** The changes, or why they cannot be told. */
function compare(old: SetText, config: Config, text: SetText, now: InForce): string | Compared {
	if (old.documents === null || text.documents === null) {
		return now.documents.some(({ document }) => hasFeed(document)) ? unremembered : tooLarge;
	}
	const present = now.parts.filter(({ kept }) => kept !== null);
	if (present.length < now.parts.length) return "part of the policies could not be compiled";
	if (atomsOf(present) > mostAtoms) return tooLarge;
	const registered = present.map(({ enforcer }) => enforcer);
	const compiled = compileParts(
		policiesOf(old.documents, now.directory, kindsOf(registered)),
		registered,
		() => ({ config, purpose: "question", wish: null }),
	);
	const past = compiled.flatMap(({ enforcer, parts, result }): SetPart[] =>
		result.ok ? [{ enforcer, parts, kept: result.kept }] : [],
	);
	if (past.length < present.length) return "what was in force before cannot be compiled any more";
	if (atomsOf(past) + atomsOf(present) > mostAtoms) return tooLarge;
	const { lists } = diffSets(past, present, now.config);
	const [was, is] = [modelOf(past, config), modelOf(present, now.config)];
	const rules = lists.flatMap(({ changes }) => changes.flatMap(ruleOf));
	if (was === null || is === null) return { rules, verdicts: [], forwarded: null };
	const boxes = diffVerdicts(was, is);
	const forwarded = diffForwarded(was, is, boxes);
	return { rules, verdicts: boxes.map(boxOf), forwarded: forwarded?.map(boxOf) ?? null };
}

/** Null where no packets are filtered. */
function modelOf(set: readonly SetPart[], config: Config): NetworkModel | null {
	if (!networkEnforcer.enabled(config)) return null;
	const found = set.find(({ enforcer }) => enforcer.name === networkEnforcer.name);
	// What is under its name came out of its own compiler.
	return (found?.kept ?? null) as NetworkModel | null;
}

function atomsOf(set: readonly SetPart[]): number {
	const found = set.find(({ enforcer }) => enforcer.name === networkEnforcer.name);
	const model = (found?.kept ?? null) as NetworkModel | null;
	return model === null ? 0 : model.ingress.atoms.length + model.egress.atoms.length;
}

function fileChanges({ files: old }: SetText, { files }: SetText): Shortened<GenerationFile> {
	if (old === null || files === null) return { told: [], more: 0 };
	const names = [...new Set([...Object.keys(old), ...Object.keys(files)])].sort();
	const changes = names.flatMap((file): GenerationFile[] => {
		const [was, is] = [old[file], files[file]];
		if (was === is) return [];
		return [{ change: was === undefined ? "added" : is === undefined ? "removed" : "changed", file }];
	});
	return shorten(changes, mostGenerationFiles);
}

function ruleOf({ before, after }: Change): GenerationRule[] {
	const rule = after ?? before;
	if (rule === null) return [];
	const { policy, direction, index, action } = rule;
	const change = before === null ? "added" : after === null ? "removed" : "changed";
	return [{ change, policy, list: direction, index, action }];
}

function boxOf({ addresses, ...box }: VerdictBox): GenerationBox {
	const { told, more } = shorten(addresses, mostGenerationAddresses);
	return { ...box, addresses: told, moreAddresses: more };
}
