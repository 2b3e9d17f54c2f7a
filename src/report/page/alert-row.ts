/** An alert as a row of the page, which the server makes of it, at first and live: text alone, ready to be shown. Pure. */

import { readableTime } from "../alert.ts";
import { alertSentence } from "../alert-sentence.ts";
import { shown } from "./parts.ts";

export interface AlertRow {
	/** UTC, to the millisecond. */
	readonly time: string;
	readonly action: string;
	readonly sentence: string;
	/** What the policy's author says; "" where the sentence says it. */
	readonly note: string;
}

/** @param json an alert's line */
export function alertRow(json: string): AlertRow {
	const alert: unknown = JSON.parse(json);
	const word = (name: string): string => {
		const value = field(alert, name);
		return typeof value === "string" ? value : "";
	};
	const { sentence, note } = alertSentence({
		Operation: word("Operation"),
		Resource: word("Resource"),
		PolicyName: word("PolicyName"),
		Action: word("Action"),
		Result: word("Result"),
		Message: word("Message"),
		EventData: strings(field(alert, "EventData")),
	});
	return {
		time: shown(readableTime(word("UpdatedTime")).slice(0, 23).replace("T", " ")),
		action: shown(word("Action")),
		sentence: shown(sentence),
		note: shown(note),
	};
}

function field(value: unknown, name: string): unknown {
	if (typeof value !== "object" || value === null) return undefined;
	return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function strings(value: unknown): Readonly<Record<string, string>> {
	if (typeof value !== "object" || value === null) return {};
	return Object.fromEntries(
		Object.entries(value).flatMap(([key, text]) => (typeof text === "string" ? [[key, text]] : [])),
	);
}
