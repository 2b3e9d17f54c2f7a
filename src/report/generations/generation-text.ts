/** A change of the policies in sentences, for the page and the terminal. Pure. */

import type {
	Generation,
	GenerationBox,
	GenerationConfirmation,
	GenerationRule,
	Shortened,
} from "../../base/generation.ts";
import { boxLine, forwardedHeading } from "./box-text.ts";

const fields: Readonly<Record<string, string>> = { device: "matchDevice" };

/** What happened, in a few words. */
export function generationTitle({ rules, verdicts, forwarded, problem }: Generation): string {
	if (rules === null || verdicts === null) return problem;
	const guests = forwarded === undefined ? "" : `, ${changedCount(forwarded)} of what is forwarded`;
	return `${plural(total(rules), "rule")}, ${plural(changedCount(verdicts), "verdict")} of new connections${guests}`;
}

function changedCount({ told, more }: Shortened<GenerationBox>): number {
	return told.filter(({ before, after }) => before !== after).length + more;
}

/** The rules in words: what was done to each. */
export function ruleLine({ change, policy, list, index, action }: GenerationRule): string {
	return `${change}: ${action} ${policy} ${fields[list] ?? list}[${index}]`;
}

export function confirmationLine(
	confirmation: GenerationConfirmation | null,
	rollbackOf: string | null,
): string {
	if (rollbackOf !== null) return `took change ${rollbackOf} back`;
	if (confirmation === null) return "";
	const { id, from, asker, result, settled, how } = confirmation;
	const by = asker === null ? "" : `, asked for by process ${asker.pid} of user ${asker.uid}`;
	const head = `change ${id} from ${from}${by}`;
	if (result === "pending") return `${head}: waits for its confirmation`;
	return `${head}: ${result === "confirmed" ? "confirmed" : "rolled back"} ${settled ?? ""}${how === "" ? "" : ` (${how})`}`;
}

/** Everything that is told of one change, by what it is about. */
export function generationLines(
	generation: Generation,
): readonly { readonly heading: string; readonly lines: readonly string[] }[] {
	const { files, settings, rules, verdicts, forwarded } = generation;
	const fileLines = listed(files, ({ change, file }) => `${change}: ${file}`);
	return [
		{ heading: "Files", lines: settings ? [...fileLines, "the settings changed"] : fileLines },
		{ heading: "Rules", lines: rules === null ? [] : listed(rules, ruleLine) },
		{
			heading: "New connections whose verdict changed",
			lines: verdicts === null ? [] : listed(verdicts, boxLine),
		},
		{ heading: forwardedHeading, lines: forwarded === undefined ? [] : forwardedLines(forwarded) },
	].filter(({ lines }) => lines.length > 0);
}

function forwardedLines(forwarded: Shortened<GenerationBox>): string[] {
	return forwarded.told.length === 0 ? ["nothing changed"] : listed(forwarded, boxLine);
}

function listed<T>({ told, more }: Shortened<T>, line: (item: T) => string): string[] {
	return [...told.map(line), ...(more > 0 ? [`and ${more} more`] : [])];
}

function total({ told, more }: Shortened<unknown>): number {
	return told.length + more;
}

function plural(count: number, noun: string): string {
	return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
