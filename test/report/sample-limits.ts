/** Limits of a rule, as a snapshot has them. */

import type { LimitCount } from "../../src/enforcers/network/report/limit-counts.ts";

export const sampleLimits: readonly LimitCount[] = [
	{
		policy: "ssh",
		rule: 0,
		direction: "ingress",
		limit: "rateLimit",
		text: "10/minute (burst 5) from each source (IPv6: each /64)",
		action: "Block",
		exceeded: 17,
		full: 2,
	},
	{
		policy: "ssh",
		rule: 0,
		direction: "ingress",
		limit: "connectionLimit",
		text: "20 open connections for the whole rule",
		action: "Block",
		exceeded: 4,
		full: null,
	},
];
