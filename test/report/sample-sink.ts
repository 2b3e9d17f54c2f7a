/** A sink that the tests of this folder share. */

import type { SinkState } from "../../src/report/sink-status.ts";

/** One sink that failed after it had worked. */
export const sampleSink: SinkState = {
	name: "siem",
	type: "webhook",
	state: "failing",
	error: "the receiver answers 503",
	diskError: "",
	queued: 3,
	queuedBytes: 900,
	sent: 7,
	cut: 1,
	dropped: { full: 1, refused: 2, lost: 4 },
	errors: 5,
	lastSuccess: 1_771_821_095_104,
	addresses: [],
	blocked: "",
	certificateExpires: 1_900_000_000_000,
};
