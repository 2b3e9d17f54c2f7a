/** Metrics about the ruleset in the kernel, and what keeps it from meaning what was written. Pure. */

import { byKey, type MetricGroup, one } from "../../../../report/metrics/group.ts";
import type { InterfaceFinding } from "../../interfaces.ts";
import type { NetworkEnforcerState } from "../network-status.ts";

export interface RulesetFacts {
	readonly state: Pick<NetworkEnforcerState, "allowlistMode" | "generation" | "elements">;
	/** Elements that a ruleset may have (`maxElements`). */
	readonly maxElements: number;
	/** Interface names that do not match as they are meant. */
	readonly interfaces: readonly InterfaceFinding[];
	/** How often somebody else's change of the table was found and repaired. */
	readonly drift: number;
}

export const rulesetMetrics: MetricGroup<RulesetFacts> = [
	{
		name: "portward_allowlist_mode",
		type: "gauge",
		help: "Whether the default posture decides unmatched packets of a direction.",
		labels: ["direction"],
		since: "0.2.0",
		samples: ({ state: { allowlistMode } }) =>
			byKey("direction", {
				ingress: Number(allowlistMode.ingress),
				egress: Number(allowlistMode.egress),
			}),
	},
	{
		name: "portward_ruleset_generation",
		type: "gauge",
		help: "Number of the ruleset in force; it grows with every change.",
		labels: [],
		since: "0.2.0",
		samples: ({ state }) => one(state.generation),
	},
	{
		name: "portward_ruleset_elements",
		type: "gauge",
		help: "Kernel set and map elements of the ruleset in force.",
		labels: [],
		since: "0.2.0",
		samples: ({ state }) => one(state.elements),
	},
	{
		name: "portward_ruleset_elements_limit",
		type: "gauge",
		help: "Elements that a ruleset may have (maxElements); one with more is refused.",
		labels: [],
		since: "0.2.0",
		samples: ({ maxElements }) => one(maxElements),
	},
	{
		name: "portward_interface_warning",
		type: "gauge",
		help: "Constant 1 for each interface name in policies or settings that does not match as meant; bears is the name on its packets.",
		labels: ["interface", "reason", "bears"],
		since: "0.2.0",
		samples: ({ interfaces }) =>
			interfaces.map(({ interface: name, reason, bears }) => ({
				labels: { interface: name, reason, bears },
				value: 1,
			})),
	},
	{
		name: "portward_drift_total",
		type: "counter",
		help: "Changes of the table by somebody else that were found.",
		labels: [],
		since: "0.2.0",
		samples: ({ drift }) => one(drift),
	},
];
