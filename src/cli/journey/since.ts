/** `--since 7d` or a time, for the commands about what was seen. Pure. */

import { isDay } from "../../base/utc.ts";
import type { SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { UsageError } from "../command.ts";

const unitMs: Readonly<Record<string, number>> = {
	s: 1000,
	m: 60_000,
	h: 3_600_000,
	d: 86_400_000,
	w: 604_800_000,
};

/** A day, or a time of it; in UTC where no zone is told. */
const timeForm = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/u;

/**
 * Milliseconds since the epoch, or null where nothing is asked.
 * @param now the same of this moment
 * @throws UsageError for what is neither a duration nor a time
 */
export function parseSince(text: string | undefined, now: number): number | null {
	if (text === undefined) return null;
	const [, digits, unit = ""] = /^(\d{1,6})([smhdw])$/u.exec(text) ?? [];
	const ms = unitMs[unit];
	if (digits !== undefined && ms !== undefined) return Math.max(0, now - Number(digits) * ms);
	const [, day, clock = "00:00", zone = "Z"] = timeForm.exec(text) ?? [];
	const time = day === undefined || !isDay(day) ? Number.NaN : Date.parse(`${day}T${clock}${zone}`);
	if (Number.isFinite(time) && time >= 0) return time;
	throw new UsageError(
		"--since is a duration such as 90s, 10m, 2h, 7d or 4w, or a time such as 2026-11-30 or 2026-11-30T08:00 (UTC)",
	);
}

/** The flows that were last seen at or after a time; null: all. */
export function seenSince(history: SeenHistory, since: number | null): SeenHistory {
	if (since === null) return history;
	const { since: begun, merged, lost, flows } = history;
	return {
		since: Math.max(begun, since),
		merged,
		lost,
		flows: flows.filter(({ lastSeen }) => lastSeen >= since),
	};
}
