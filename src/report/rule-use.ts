/** When rules last matched, in words. Pure. */

import type { RuleStatus } from "./status.ts";

const day = 86_400_000;

/** Rules of which nothing was seen for less than this say nothing yet. */
const quietMs = day;

type Used = Pick<RuleStatus, "direction" | "index" | "since" | "lastMatch">;

/** Such as `3 days`, `1 hour`, `a moment`; what has not come yet is a moment. @param ms milliseconds */
export function spanText(ms: number): string {
	const units = [
		[day, "day"],
		[3_600_000, "hour"],
		[60_000, "minute"],
	] as const;
	for (const [size, name] of units) {
		const count = Math.floor(ms / size);
		if (count >= 1) return `${count} ${name}${count === 1 ? "" : "s"}`;
	}
	return "a moment";
}

/** When any of the rules last matched, such as `3 days ago`; null where none did since counting began. */
export function lastMatchText(rules: readonly Used[], now: number): string | null {
	const times = rules.flatMap(({ lastMatch }) => (lastMatch === null ? [] : [Date.parse(lastMatch)]));
	return times.length === 0 ? null : `${spanText(now - Math.max(...times))} ago`;
}

export interface UnusedRules {
	/** Such as `ingress[0]`. */
	readonly rules: readonly string[];
	/** Since the last of them matched, or since counting began; milliseconds. */
	readonly quiet: number;
	/** None of them ever matched since counting began. */
	readonly never: boolean;
}

/** Rules that matched nothing for a day or longer, those of one day together; the longest first. @param now milliseconds since the epoch */
export function unusedRules(rules: readonly Used[], now: number): UnusedRules[] {
	const groups = new Map<string, { rules: string[]; quiet: number; never: boolean }>();
	for (const { direction, index, since, lastMatch } of rules) {
		const quiet = now - Date.parse(lastMatch ?? since);
		if (!(quiet >= quietMs)) continue;
		const never = lastMatch === null;
		const key = `${Math.floor(quiet / day)} ${never}`;
		const group = groups.get(key) ?? { rules: [], quiet, never };
		groups.set(key, group);
		group.rules.push(`${direction}[${index}]`);
		group.quiet = Math.min(group.quiet, quiet);
	}
	return [...groups.values()].sort((a, b) => b.quiet - a.quiet);
}

/** Rules that are named in one line. */
const mostNamed = 5;

/** Such as `unused for 30 days: ingress[1], egress[0]`. */
export function describeUnused({ rules, quiet, never }: UnusedRules): string {
	const rest = rules.length > mostNamed ? ` and ${rules.length - mostNamed} more` : "";
	const since = never ? ", as long as it is counted" : "";
	return `unused for ${spanText(quiet)}${since}: ${rules.slice(0, mostNamed).join(", ")}${rest}`;
}
