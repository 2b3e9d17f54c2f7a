/** One host: what is enforced there, and what it does. */

import { dashboard, labelVariable, type Panel, type Query, type Section } from "./panels.ts";

const own = 'job=~"$job",instance=~"$instance"';

function stat(
	title: string,
	description: string,
	expr: string,
	unit: string,
	thresholds: NonNullable<Panel["thresholds"]> = {},
): Panel {
	return { kind: "stat", title, description, queries: [[expr, ""]], unit, thresholds, width: 4 };
}

function series(title: string, description: string, queries: readonly Query[], unit: string): Panel {
	return { kind: "timeseries", title, description, queries, unit, width: 12 };
}

const rate = (metric: string, matchers = "") => `rate(${metric}{${own}${matchers}}[$__rate_interval])`;

const sections: readonly Section[] = [
	{
		title: "State",
		panels: [
			stat(
				"Enforcers active",
				"Of those that are switched on.",
				`sum(portward_enforcer_up{${own}})`,
				"short",
			),
			stat(
				"Policies not in force",
				"Broken, replaced by their last good version, or refused.",
				`sum(portward_policies{${own},state=~"last_good|invalid|refused"})`,
				"short",
				{ yellow: 1 },
			),
			stat(
				"Generation",
				"It grows with every change in force.",
				`max(portward_ruleset_generation{${own}})`,
				"short",
			),
			stat(
				"Elements of the limit",
				"Of maxElements. A ruleset beyond it is refused.",
				`max(portward_ruleset_elements{${own}} / portward_ruleset_elements_limit{${own}})`,
				"percentunit",
				{ yellow: 0.8, red: 0.95 },
			),
			stat(
				"Since the last good reload",
				"When all that is on disk was last put in force.",
				`time() - max(portward_last_reload_success_timestamp_seconds{${own}})`,
				"s",
			),
			stat(
				"Rolls back in",
				"0 unless a change waits for its confirmation.",
				`max(portward_change_seconds_left{${own}})`,
				"s",
				{ yellow: 1 },
			),
		],
	},
	{
		title: "Network",
		panels: [
			series(
				"Packets by action",
				"What rules and postures decided; only the first packets of connections are.",
				[
					[
						`sum by (action, direction) (${rate("portward_policy_packets_total")})`,
						"{{action}} {{direction}}",
					],
				],
				"pps",
			),
			series(
				"Rules that block most",
				"By policy and rule.",
				[
					[
						`topk(10, sum by (policy, rule) (${rate("portward_policy_packets_total", ',action="Block"')}))`,
						"{{policy}} {{rule}}",
					],
				],
				"pps",
			),
			series(
				"Packets of no flow",
				"Dropped, as connection tracking found them invalid or met them in the midst of a connection.",
				[
					[`sum by (hook) (${rate("portward_invalid_packets_total")})`, "{{hook}}"],
					[`sum(${rate("portward_midstream_packets_total")})`, "midstream"],
				],
				"pps",
			),
			series(
				"Failsafe",
				"Packets that failsafe rules accepted before any policy was asked.",
				[
					[
						`sum by (direction, cidr, port) (${rate("portward_failsafe_packets_total")})`,
						"{{direction}} {{cidr}} {{port}}",
					],
				],
				"pps",
			),
			series(
				"Connections ended",
				"Open connections that were ended, by why.",
				[[`sum by (reason) (increase(portward_open_connections_ended_total{${own}}[10m]))`, "{{reason}}"]],
				"short",
			),
			series(
				"Flows that are kept",
				"Against observe.maxFlows; beyond it flows are merged.",
				[
					[`sum(portward_flows_known{${own}})`, "kept"],
					[`sum(portward_flows_limit{${own}})`, "limit"],
					[`sum(increase(portward_flows_merged_total{${own}}[10m]))`, "merged in ten minutes"],
				],
				"short",
			),
			series(
				"Beyond limits",
				"Packets of new connections beyond a rule's limit, and those whose source a limit had no room for, in ten minutes.",
				[
					[
						`sum by (policy, rule, action) (increase(portward_limit_exceeded_packets_total{${own}}[10m]))`,
						"{{policy}} {{rule}}: {{action}}",
					],
					[
						`sum by (policy, rule, action) (increase(portward_limit_full_packets_total{${own}}[10m]))`,
						"{{policy}} {{rule}}: no room, {{action}}",
					],
				],
				"short",
			),
			series(
				"Quotas",
				"How much of each rule's volume is used in the window that runs.",
				[
					[
						`max by (policy, rule) (portward_quota_used_bytes{${own}} / portward_quota_limit_bytes{${own}})`,
						"{{policy}} {{rule}}",
					],
				],
				"percentunit",
			),
			series(
				"Lists of address groups",
				"Blocks that are taken of each file. A step down is worth a look.",
				[[`sum by (group) (portward_group_file_blocks{${own}})`, "{{group}}"]],
				"short",
			),
		],
	},
	{
		title: "USB",
		panels: [
			series(
				"Devices",
				"Plugged in, by what became of them.",
				[[`sum by (state) (portward_usb_devices{${own}})`, "{{state}}"]],
				"short",
			),
			series(
				"Decisions",
				"Functions that were judged in ten minutes.",
				[[`sum by (action) (increase(portward_usb_decisions_total{${own}}[10m]))`, "{{action}}"]],
				"short",
			),
		],
	},
	{
		title: "Alerts",
		panels: [
			series(
				"Alerts by policy",
				"Raised a second, by policy and action.",
				[[`topk(10, sum by (policy, action) (${rate("portward_alerts_total")}))`, "{{policy}} {{action}}"]],
				"short",
			),
			series(
				"Alerts lost or held back",
				"In ten minutes.",
				[
					[`sum by (reason) (increase(portward_alerts_dropped_total{${own}}[10m]))`, "lost: {{reason}}"],
					[`sum(increase(portward_alerts_throttled_total{${own}}[10m]))`, "held back"],
				],
				"short",
			),
			series(
				"KubeArmor's log service",
				"Clients that watch, and what they missed in ten minutes.",
				[
					[`sum by (feed) (portward_kubearmor_api_subscribers{${own}})`, "{{feed}}"],
					[
						`sum by (reason) (increase(portward_kubearmor_api_dropped_total{${own}}[10m]))`,
						"missed: {{reason}}",
					],
				],
				"short",
			),
			series(
				"Queues of sinks",
				"Alerts that wait.",
				[[`sum by (sink) (portward_sink_queue_alerts{${own}})`, "{{sink}}"]],
				"short",
			),
			series(
				"Sinks",
				"Alerts that receivers took, attempts that failed, and alerts that never arrive, in ten minutes.",
				[
					[`sum by (sink) (increase(portward_sink_sent_total{${own}}[10m]))`, "{{sink}}: sent"],
					[`sum by (sink) (increase(portward_sink_errors_total{${own}}[10m]))`, "{{sink}}: errors"],
					[`sum by (sink) (increase(portward_sink_dropped_total{${own}}[10m]))`, "{{sink}}: lost"],
				],
				"short",
			),
		],
	},
	{
		title: "The agent",
		panels: [
			series(
				"Reloads",
				"In ten minutes, by how they ended.",
				[[`sum by (result) (increase(portward_reloads_total{${own}}[10m]))`, "{{result}}"]],
				"short",
			),
			series(
				"Time to enforce a change",
				"From the parsed policies to the ruleset in force.",
				[0.5, 0.95].map(
					(share): Query => [
						`histogram_quantile(${share}, sum by (le) (rate(portward_apply_duration_seconds_bucket{${own}}[1h])))`,
						`${share * 100} %`,
					],
				),
				"s",
			),
			series("CPU", "Cores in use.", [[`sum(${rate("process_cpu_seconds_total")})`, "cores"]], "short"),
			series("Memory", "Resident.", [[`sum(process_resident_memory_bytes{${own}})`, "resident"]], "bytes"),
		],
	},
];

export const host = dashboard(
	"host",
	"Host",
	"One host: what is enforced, what the rules and the USB lock decide, where alerts go, and how the agent is.",
	[
		labelVariable("job", "Job", "portward_build_info", true),
		labelVariable("instance", "Host", 'portward_build_info{job=~"$job"}', false),
	],
	sections,
);
