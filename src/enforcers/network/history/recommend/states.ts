/** `recommend.states`: what becomes of each candidate, as one line that people can change. */

import type { Diagnostic } from "../../../../base/diagnostic.ts";
import { quote, suggest } from "../../../../base/suggest.ts";
import { escapeForTerminal } from "../../../../base/terminal.ts";
import { type Candidate, candidateText, compareTexts, parseCandidate } from "./candidate.ts";
import { type Evidence, type Recommendation, type Remembered, type State, states } from "./model.ts";

export const statesFile = "recommend.states";

export type StatesRead =
	| { readonly ok: true; readonly states: readonly Remembered[] }
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

const head = [
	"# What portward recommend found, one candidate a line. The word in front is yours to change:",
	"#   Learn   stays out for now, for the reason behind it; comes in when it is seen often enough",
	"#   Set     is in the policies, and stays there; set what you want in, and run recommend --update",
	"#   Ignore  never comes in, nor by a wider block",
];

/** Candidates that are learnt; more are rare, and are learnt again. */
const mostLearnt = 1000;

const evidenceForm = /^(\d{1,15}) times?, (\S{20,30}) to (\S{20,30})$/u;

export function evidenceText({ count, firstSeen, lastSeen }: Evidence): string {
	const times = count === 1 ? "1 time" : `${count} times`;
	return `${times}, ${new Date(firstSeen).toISOString()} to ${new Date(lastSeen).toISOString()}`;
}

/** @param file how messages name the text */
export function readStates(file: string, text: string): StatesRead {
	const found = new Map<string, Remembered>();
	const diagnostics: Diagnostic[] = [];
	for (const [index, raw] of text.split("\n").entries()) {
		const line = raw.trim();
		if (line === "" || line.startsWith("#")) continue;
		const read = readLine(line);
		if ("message" in read) {
			const place = { file, line: index + 1, column: 1, path: "" };
			diagnostics.push({ ...place, severity: "error", code: "bad-state", ...read });
			continue;
		}
		const key = candidateText(read.candidate);
		if (found.has(key)) {
			const place = { file, line: index + 1, column: 1, path: "" };
			const message = `${quote(key)} is there twice`;
			diagnostics.push({
				...place,
				severity: "error",
				code: "bad-state",
				message,
				hint: "keep one of the lines",
			});
		}
		found.set(key, read);
	}
	return diagnostics.length > 0 ? { ok: false, diagnostics } : { ok: true, states: [...found.values()] };
}

function readLine(line: string): Remembered | { readonly message: string; readonly hint: string } {
	const [what = "", seen, why] = line.split(" | ");
	const [word = "", ...rest] = what.trim().split(/\s+/u);
	const state = states.find((known) => known === word);
	if (state === undefined)
		return { message: `${quote(word)} is no state`, hint: suggest(word, states, "states") };
	const parsed = parseCandidate(rest);
	if (!parsed.ok) return { message: parsed.message, hint: parsed.hint };
	const evidence = seen === undefined ? null : readEvidence(seen.trim());
	if (evidence === "wrong")
		return {
			message: `${quote(seen ?? "")} does not say when it was seen`,
			hint: "leave out what follows the |",
		};
	return { candidate: parsed.candidate, state, evidence, wasIn: evidence !== null && why === undefined };
}

function readEvidence(text: string): Evidence | "wrong" {
	const [, digits = "", from = "", to = ""] = evidenceForm.exec(text) ?? [];
	const [count, firstSeen, lastSeen] = [Number(digits), Date.parse(from), Date.parse(to)];
	if (digits === "" || Number.isNaN(firstSeen) || Number.isNaN(lastSeen) || firstSeen > lastSeen)
		return "wrong";
	return { count, firstSeen, lastSeen };
}

/** The reason behind a candidate that is not in says of it, once its state was changed, that it is in no policy yet. @param before of which the lines that say Ignore stay */
export function statesText(
	{ services, learnt }: Pick<Recommendation, "services" | "learnt">,
	before: readonly Remembered[],
): string {
	const chosen = services.flatMap((one) => one.chosen);
	const line = (state: State, candidate: Candidate, ...more: readonly string[]) =>
		[`${state.padEnd(6)} ${candidateText(candidate)}`, ...more].join(" | ");
	const seen = (evidence: Evidence | null) => (evidence === null ? [] : [evidenceText(evidence)]);
	const sorted = <T extends { readonly candidate: Candidate }>(items: readonly T[]) =>
		items.toSorted((a, b) => compareTexts(candidateText(a.candidate), candidateText(b.candidate)));
	const often = learnt.toSorted(
		(a, b) =>
			b.evidence.count - a.evidence.count ||
			compareTexts(candidateText(a.candidate), candidateText(b.candidate)),
	);
	const ignored = before.filter(({ state }) => state === "Ignore");
	return [
		...head,
		...sorted(chosen).map(({ candidate, evidence }) => line("Set", candidate, ...seen(evidence))),
		...sorted(ignored).map(({ candidate, evidence }) =>
			line("Ignore", candidate, ...seen(evidence), "to be ignored"),
		),
		...sorted(often.slice(0, mostLearnt)).map(({ candidate, evidence, reason }) =>
			line("Learn", candidate, evidenceText(evidence), escapeForTerminal(reason).replaceAll("|", "/")),
		),
		...(often.length > mostLearnt
			? [`# and ${often.length - mostLearnt} more that were seen less often`]
			: []),
		"",
	].join("\n");
}
