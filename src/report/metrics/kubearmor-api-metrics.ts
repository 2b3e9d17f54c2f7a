/** Metrics of KubeArmor's log service; absent where it is switched off. Pure. */

import { feeds, type KubearmorApiState } from "../kubearmor-api-status.ts";
import type { DaemonState } from "../status.ts";
import type { Sample } from "./exposition.ts";
import { byKey, type MetricGroup } from "./group.ts";

interface Input {
	readonly state: Pick<DaemonState, "kubearmorApi">;
}

const where =
	(samples: (api: KubearmorApiState) => Sample[]) =>
	({ state }: Input) =>
		state.kubearmorApi === null ? [] : samples(state.kubearmorApi);
const single = (value: (api: KubearmorApiState) => number) =>
	where((api): Sample[] => [{ labels: {}, value: value(api) }]);
const byFeed = (values: (api: KubearmorApiState) => KubearmorApiState["sent"]) =>
	where((api) => feeds.map((feed): Sample => ({ labels: { feed }, value: values(api)[feed] })));

export const kubearmorApiMetrics: MetricGroup<Input> = [
	{
		name: "portward_kubearmor_api_serving",
		type: "gauge",
		help: "Whether KubeArmor's log service is served on every address of the settings.",
		labels: [],
		since: "0.2.0",
		samples: single(({ state }) => (state === "serving" ? 1 : 0)),
	},
	{
		name: "portward_kubearmor_api_connections",
		type: "gauge",
		help: "Connections of clients of KubeArmor's log service.",
		labels: [],
		since: "0.2.0",
		samples: single(({ connections }) => connections),
	},
	{
		name: "portward_kubearmor_api_subscribers",
		type: "gauge",
		help: "Clients that watch alerts, logs or messages over gRPC.",
		labels: ["feed"],
		since: "0.2.0",
		samples: byFeed(({ subscribers }) => subscribers),
	},
	{
		name: "portward_kubearmor_api_sent_total",
		type: "counter",
		help: "Alerts, logs and messages that were sent over gRPC, to all clients together.",
		labels: ["feed"],
		since: "0.2.0",
		samples: byFeed(({ sent }) => sent),
	},
	{
		name: "portward_kubearmor_api_dropped_total",
		type: "counter",
		help: "What a client of KubeArmor's log service missed, as it reads slowly (slow) or the service was busy (busy).",
		labels: ["reason"],
		since: "0.2.0",
		samples: where(({ dropped }) => byKey("reason", dropped)),
	},
	{
		name: "portward_kubearmor_api_errors_total",
		type: "counter",
		help: "Connections to KubeArmor's log service that were refused or ended by an error, such as a failed handshake.",
		labels: [],
		since: "0.2.0",
		samples: single(({ errors }) => errors),
	},
];
