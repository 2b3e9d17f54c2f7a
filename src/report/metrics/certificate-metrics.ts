/** When certificates end; without samples where the settings name none. Pure. */

import type { DaemonState } from "../status.ts";
import type { MetricGroup } from "./group.ts";

export const certificateMetrics: MetricGroup<{
	readonly state: Pick<DaemonState, "certificates" | "sinks">;
}> = [
	{
		name: "portward_certificate_expiry_timestamp_seconds",
		type: "gauge",
		help: "When a certificate in use ends: status and kubearmor-api, each also with -client-ca, or sink: and the name of a sink that has connected with one.",
		labels: ["certificate"],
		since: "0.2.0",
		samples: ({ state: { certificates, sinks } }) =>
			[
				...certificates,
				...sinks.map(({ name, certificateExpires }) => ({
					name: `sink:${name}`,
					expires: certificateExpires,
				})),
			].flatMap(({ name, expires }) =>
				expires === null || !Number.isFinite(expires)
					? []
					: [{ labels: { certificate: name }, value: expires / 1000 }],
			),
	},
];
