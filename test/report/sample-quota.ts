/** An exhausted quota, as status and metrics are told of it. */

import type { QuotaStatus } from "../../src/enforcers/network/report/quota-windows.ts";

export const sampleQuota: QuotaStatus = {
	policy: "uploads",
	direction: "egress",
	index: 0,
	action: "Block",
	staged: false,
	limit: "2MB",
	limitBytes: 2_097_152,
	usedBytes: 2_097_152,
	exhausted: true,
	beyond: { packets: 4, bytes: 6000 },
	windowSeconds: 1200,
	windowStart: "2026-01-01T00:00:00.000Z",
	windowEnd: "2026-01-01T00:20:00.000Z",
};
