/** All hosts: which of them need somebody. */

import { dashboard, labelVariable, type Section } from "./panels.ts";

const own = 'job=~"$job"';

const sections: readonly Section[] = [
	{
		title: "Who needs somebody",
		panels: [
			{
				kind: "stat",
				title: "Hosts",
				description: "Hosts that answered the last scrape.",
				queries: [[`count(up{${own}} == 1)`, "up"]],
				unit: "short",
				width: 4,
			},
			{
				kind: "stat",
				title: "Hosts down",
				description: "Hosts that did not answer. What they enforce stays in their kernel.",
				queries: [[`count(up{${own}} == 0) or vector(0)`, "down"]],
				unit: "short",
				thresholds: { red: 1 },
				width: 4,
			},
			{
				kind: "stat",
				title: "Cannot enforce",
				description: "Enforcers that should enforce and cannot.",
				queries: [[`sum(portward_enforcer_state{${own},state="unavailable"}) or vector(0)`, "unavailable"]],
				unit: "short",
				thresholds: { red: 1 },
				width: 4,
			},
			{
				kind: "stat",
				title: "Opened by hand",
				description: "Hosts where panic-open stands: everything passes.",
				queries: [[`sum(portward_panic_open{${own}}) or vector(0)`, "open"]],
				unit: "short",
				thresholds: { red: 1 },
				width: 4,
			},
			{
				kind: "stat",
				title: "Policies not in force",
				description: "Policies that are broken, replaced by their last good version, or refused.",
				queries: [
					[`sum(portward_policies{${own},state=~"last_good|invalid|refused"}) or vector(0)`, "policies"],
				],
				unit: "short",
				thresholds: { yellow: 1 },
				width: 4,
			},
			{
				kind: "stat",
				title: "Changes to confirm",
				description: "Hosts with a change that rolls back unless it is confirmed.",
				queries: [[`sum(portward_change_pending{${own}}) or vector(0)`, "pending"]],
				unit: "short",
				thresholds: { yellow: 1 },
				width: 4,
			},
			{
				kind: "table",
				title: "Hosts with trouble",
				description: "Each line is a host and what is wrong with it. docs/runbooks.md says what to do.",
				queries: [
					[
						[
							`label_replace(up{${own}} == 0, "trouble", "down", "", "")`,
							`label_replace(portward_enforcer_state{${own},state="unavailable"} == 1, "trouble", "$1 cannot enforce", "enforcer", "(.*)")`,
							`label_replace(portward_panic_open{${own}} == 1, "trouble", "opened by hand", "", "")`,
							`label_replace(portward_settings_ok{${own}} == 0, "trouble", "broken settings", "", "")`,
							`label_replace(portward_policy_signature_ok{${own}} == 0, "trouble", "signature refused", "", "")`,
							`label_replace(portward_last_reload_successful{${own}} == 0, "trouble", "policies on disk not in force", "", "")`,
							`label_replace(portward_sink_failing{${own}} == 1, "trouble", "sink $1 fails", "sink", "(.*)")`,
							`label_replace(portward_sink_blocked{${own}} == 1, "trouble", "sink $1 is blocked", "sink", "(.*)")`,
						].join(" or "),
						"",
					],
				],
				unit: "short",
				width: 24,
			},
		],
	},
	{
		title: "What is decided",
		panels: [
			{
				kind: "timeseries",
				title: "Blocked packets by host",
				description:
					"The ten hosts that block most. A host that stands out is scanned, or has a policy that is wrong.",
				queries: [
					[
						`topk(10, sum by (instance) (rate(portward_policy_packets_total{${own},action="Block"}[$__rate_interval])))`,
						"{{instance}}",
					],
				],
				unit: "pps",
				width: 12,
			},
			{
				kind: "timeseries",
				title: "Alerts by action",
				description: "Alerts raised a second, over all hosts.",
				queries: [[`sum by (action) (rate(portward_alerts_total{${own}}[$__rate_interval]))`, "{{action}}"]],
				unit: "short",
				width: 12,
			},
			{
				kind: "table",
				title: "Policies that block most in an hour",
				description: "Over all hosts.",
				queries: [
					[
						`topk(20, sum by (policy) (increase(portward_policy_packets_total{${own},action="Block"}[1h])))`,
						"",
					],
				],
				unit: "short",
				width: 12,
			},
			{
				kind: "timeseries",
				title: "USB functions refused",
				description: "Functions of USB devices that were refused in ten minutes, by host.",
				queries: [
					[
						`topk(10, sum by (instance) (increase(portward_usb_decisions_total{${own},action="Block"}[10m])))`,
						"{{instance}}",
					],
				],
				unit: "short",
				width: 12,
			},
		],
	},
	{
		title: "The agents",
		panels: [
			{
				kind: "bargauge",
				title: "Versions",
				description: "Hosts by the version that they run.",
				queries: [[`count by (version) (portward_build_info{${own}})`, "{{version}}"]],
				unit: "short",
				width: 8,
			},
			{
				kind: "timeseries",
				title: "Alerts lost",
				description: "Alerts that no outlet could take, and that no sink could keep, in ten minutes.",
				queries: [
					[`sum by (reason) (increase(portward_alerts_dropped_total{${own}}[10m]))`, "{{reason}}"],
					[
						`sum by (sink, reason) (increase(portward_sink_dropped_total{${own}}[10m]))`,
						"{{sink}}: {{reason}}",
					],
				],
				unit: "short",
				width: 8,
			},
			{
				kind: "timeseries",
				title: "Changes of the table by somebody else",
				description: "Found and repaired, in ten minutes.",
				queries: [
					[`topk(10, sum by (instance) (increase(portward_drift_total{${own}}[10m])))`, "{{instance}}"],
				],
				unit: "short",
				width: 8,
			},
			{
				kind: "table",
				title: "Certificates by the time that is left",
				description: "The twenty that end first.",
				queries: [[`bottomk(20, portward_certificate_expiry_timestamp_seconds{${own}} - time())`, ""]],
				unit: "s",
				width: 12,
			},
			{
				kind: "timeseries",
				title: "Memory",
				description: "Resident memory of the ten largest agents.",
				queries: [[`topk(10, process_resident_memory_bytes{${own}})`, "{{instance}}"]],
				unit: "bytes",
				width: 12,
			},
		],
	},
];

export const fleet = dashboard(
	"fleet",
	"Fleet",
	"All hosts that Portward guards: which of them need somebody, what they decide, how the agents are.",
	[labelVariable("job", "Job", "portward_build_info", true)],
	sections,
);
