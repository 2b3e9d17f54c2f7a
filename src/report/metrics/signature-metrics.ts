/** Metrics about the signature of the policy directory; without samples where none is required. Pure. */

import type { DaemonState } from "../status.ts";
import { type MetricGroup, one } from "./group.ts";

export const signatureMetrics: MetricGroup<{ readonly state: DaemonState }> = [
	{
		name: "portward_policy_signature_ok",
		type: "gauge",
		help: "Whether the policy directory is signed with a trusted key and no older than what was in force.",
		labels: [],
		since: "0.2.0",
		samples: ({ state: { signature } }) => (signature === null ? [] : one(Number(signature.ok))),
	},
	{
		name: "portward_policy_serial",
		type: "gauge",
		help: "Serial number of the signed policies that are taken.",
		labels: [],
		since: "0.2.0",
		samples: ({ state: { signature } }) =>
			typeof signature?.serial === "number" ? one(signature.serial) : [],
	},
];
