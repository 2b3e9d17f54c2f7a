/** Limits of rules in words and in time. */

import type { ConnectionLimit, RateLimit } from "./model.ts";

/** How long a rate's unit is, in seconds. */
export const unitSeconds: Readonly<Record<RateLimit["unit"], number>> = {
	second: 1,
	minute: 60,
	hour: 3600,
	day: 86_400,
};

/** Seconds in which a rate gives its whole burst. */
export function refillSeconds({
	connections,
	unit,
	burst,
}: Pick<RateLimit, "connections" | "unit" | "burst">): number {
	return (burst * unitSeconds[unit]) / connections;
}

/**
 * Such as `10/minute (burst 5) from each source (IPv6: each /64)`, or `20 open connections for the whole rule`. Two
 * texts are equal exactly where the limits are.
 */
export function limitText(limit: RateLimit | ConnectionLimit): string {
	const { per, prefix6 } = limit;
	const amount =
		"max" in limit
			? `${limit.max} open connections`
			: `${limit.connections}/${limit.unit} (burst ${limit.burst})`;
	if (per === "rule") return `${amount} for the whole rule`;
	return `${amount} from each source${prefix6 === 128 ? "" : ` (IPv6: each /${prefix6})`}`;
}
