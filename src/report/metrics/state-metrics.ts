/** Metrics about what is in force. Pure. */

import type { EnforcerState } from "../contribution.ts";
import { type DaemonState, policyCondition, policyConditions } from "../status.ts";
import { byKey, type MetricGroup, one } from "./group.ts";

const enforcerStates: readonly EnforcerState["state"][] = ["active", "disabled", "open", "unavailable"];

export const stateMetrics: MetricGroup<{ readonly state: DaemonState }> = [
	{
		name: "portward_enforcer_up",
		type: "gauge",
		help: "Whether an enforcer is active.",
		labels: ["enforcer"],
		since: "0.2.0",
		samples: ({ state }) =>
			state.enforcers.map(({ name, state }) => ({
				labels: { enforcer: name },
				value: Number(state.state === "active"),
			})),
	},
	{
		name: "portward_enforcer_state",
		type: "gauge",
		help: "1 for the state that an enforcer is in; it is unavailable where it should enforce and cannot, and open under panic-open.",
		labels: ["enforcer", "state"],
		since: "0.2.0",
		samples: ({ state }) =>
			state.enforcers.flatMap(({ name, state: now }) =>
				enforcerStates.map((each) => ({
					labels: { enforcer: name, state: each },
					value: Number(each === now.state),
				})),
			),
	},
	{
		name: "portward_policies",
		type: "gauge",
		help: "Policy documents by state.",
		labels: ["state"],
		since: "0.2.0",
		samples: ({ state }) => {
			const conditions = Object.fromEntries(policyConditions.map((condition) => [condition, 0]));
			for (const policy of state.policies) {
				const condition = policyCondition(policy);
				conditions[condition] = (conditions[condition] ?? 0) + 1;
			}
			return byKey("state", conditions);
		},
	},
	{
		name: "portward_panic_open",
		type: "gauge",
		help: "Whether panic-open stands: 1 while the network table lets everything pass.",
		labels: [],
		since: "0.2.0",
		samples: ({ state }) => one(Number(state.panic !== null)),
	},
];
