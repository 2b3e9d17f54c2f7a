/** Settings and alerts that the tests of sinks share. */

import * as v from "valibot";
import { type SinkSettings, sinksSchema } from "../../../src/config/sinks.ts";
import type { Alert } from "../../../src/report/alert.ts";
import { sampleAlert } from "../../report/sample.ts";

/** Settings as the file would give them. */
export function sinkSettings(
	written: { readonly name: string; readonly type: SinkSettings["type"] } & Readonly<Record<string, unknown>>,
): SinkSettings {
	const [settings] = v.parse(sinksSchema, [written]);
	if (settings === undefined) throw new Error("no sink");
	return settings;
}

/** An alert that can be told from the others. */
export function numbered(number: number, overrides: Partial<Alert> = {}): Alert {
	return sampleAlert({ Message: `alert ${number}`, ...overrides });
}

export const lineOf = (alert: Alert) => JSON.stringify(alert);

/** The numbers of alerts, as they stand in lines of JSON. */
export function numbersOf(text: string): number[] {
	return [...text.matchAll(/"Message":"alert (\d+)"/g)].map((found) => Number(found[1]));
}
