/** A change on its way through a fleet: from staged and audited to enforced. */

import { dashboard, labelVariable, type Section } from "./panels.ts";

const own = 'job=~"$job",instance=~"$instance"';

const sections: readonly Section[] = [
	{
		title: "Staged: what would happen",
		panels: [
			{
				kind: "table",
				title: "Would be blocked",
				description:
					"Packets of an hour that pass and that a staged policy would block. Promote it when this stays empty.",
				queries: [[`sum by (policy) (increase(portward_staged_would_block_total{${own}}[1h])) > 0`, ""]],
				unit: "short",
				width: 8,
			},
			{
				kind: "timeseries",
				title: "Packets a staged policy is asked about",
				description: "Without any, an empty table says nothing.",
				queries: [
					[`sum by (policy) (rate(portward_staged_evaluated_total{${own}}[$__rate_interval]))`, "{{policy}}"],
				],
				unit: "pps",
				width: 8,
			},
			{
				kind: "timeseries",
				title: "USB functions a staged policy would block",
				description: "In an hour, and how many it was asked about.",
				queries: [
					[
						`sum by (policy) (increase(portward_staged_usb_would_block_total{${own}}[1h]))`,
						"{{policy}}: would block",
					],
					[
						`sum by (policy) (increase(portward_staged_usb_evaluated_total{${own}}[1h]))`,
						"{{policy}}: asked",
					],
				],
				unit: "short",
				width: 8,
			},
		],
	},
	{
		title: "Audited: what still matches",
		panels: [
			{
				kind: "table",
				title: "Audit rules that match",
				description: "In a day. Look at them before they become Block.",
				queries: [
					[
						`sum by (policy, rule) (increase(portward_policy_packets_total{${own},action="Audit"}[1d])) > 0`,
						"",
					],
				],
				unit: "short",
				width: 8,
			},
			{
				kind: "bargauge",
				title: "Hosts by enforcement",
				description: "A host with audit refuses nothing.",
				queries: [[`sum by (mode) (portward_enforcement{${own}})`, "{{mode}}"]],
				unit: "short",
				width: 8,
			},
			{
				kind: "bargauge",
				title: "Hosts by guests.forwarded",
				description: "Whether policies hold for containers and other guests.",
				queries: [[`sum by (mode) (portward_guests_forwarded{${own}})`, "{{mode}}"]],
				unit: "short",
				width: 8,
			},
			{
				kind: "table",
				title: "Forwarded packets that would be blocked",
				description: "Since the rules came into force, where guests.forwarded is audit.",
				queries: [[`sum by (instance) (portward_forwarded_would_block_packets{${own}}) > 0`, ""]],
				unit: "short",
				width: 12,
			},
			{
				kind: "table",
				title: "Rules that match nothing for 30 days",
				description: "Perhaps they can go.",
				queries: [
					[
						`time() - (portward_rule_last_match_timestamp_seconds{${own}} or portward_rule_counting_since_timestamp_seconds{${own}}) > 30 * 86400`,
						"",
					],
				],
				unit: "s",
				width: 12,
			},
		],
	},
	{
		title: "On its way",
		panels: [
			{
				kind: "stat",
				title: "Waiting for confirmation",
				description: "Hosts.",
				queries: [[`sum(portward_change_pending{${own}})`, "hosts"]],
				unit: "short",
				thresholds: { yellow: 1 },
				width: 6,
			},
			{
				kind: "stat",
				title: "Not as on disk",
				description: "Hosts where the last reading did not put in force all that is on disk.",
				queries: [[`count(portward_last_reload_successful{${own}} == 0) or vector(0)`, "hosts"]],
				unit: "short",
				thresholds: { red: 1 },
				width: 6,
			},
			{
				kind: "stat",
				title: "Failing tests",
				description: "Test cases beside policies that fail.",
				queries: [[`sum(portward_policy_tests{${own},result="failed"}) or vector(0)`, "tests"]],
				unit: "short",
				thresholds: { red: 1 },
				width: 6,
			},
			{
				kind: "stat",
				title: "Lowest serial",
				description: "Of signed policies; a host that is behind has not got the newest set.",
				queries: [[`min(portward_policy_serial{${own}})`, "serial"]],
				unit: "none",
				width: 6,
			},
			{
				kind: "timeseries",
				title: "Changes by how they ended",
				description: "In an hour, of those that had to be confirmed.",
				queries: [[`sum by (result) (increase(portward_changes_total{${own}}[1h]))`, "{{result}}"]],
				unit: "short",
				width: 8,
			},
			{
				kind: "timeseries",
				title: "Policies by state",
				description: "Over the hosts that are chosen.",
				queries: [[`sum by (state) (portward_policies{${own}})`, "{{state}}"]],
				unit: "short",
				width: 8,
			},
			{
				kind: "timeseries",
				title: "Blocked packets after a change",
				description: "By policy. A jump where a generation begins is the change's.",
				queries: [
					[
						`topk(10, sum by (policy) (rate(portward_policy_packets_total{${own},action="Block"}[$__rate_interval])))`,
						"{{policy}}",
					],
					[`max(portward_ruleset_generation{${own}})`, "generation"],
				],
				unit: "short",
				width: 8,
			},
		],
	},
];

export const rollout = dashboard(
	"rollout",
	"Rollout",
	"A change on its way: what staged policies would block, what audited ones still match, which hosts wait, failed or are behind.",
	[
		labelVariable("job", "Job", "portward_build_info", true),
		labelVariable("instance", "Host", 'portward_build_info{job=~"$job"}', true),
	],
	sections,
);
