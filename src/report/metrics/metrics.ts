/** Every metric of the daemon, from plain snapshots. Pure. */

import type { Direction } from "../../base/model.ts";
import { type FlowCounts, flowFamilies } from "../../enforcers/network/report/flow-alert.ts";
import type { LogOutcomes } from "../../enforcers/network/report/log-accounting.ts";
import { type UsbCounts, usbFamilies } from "../../enforcers/usb/report/device-metrics.ts";
import { settingsFamilies } from "../settings-status.ts";
import { signatureFamilies } from "../signature-status.ts";
import type { AlertCount, DropReason } from "../sinks/alert-sink.ts";
import {
	type DaemonState,
	type FailsafeCount,
	policyCondition,
	policyConditions,
	type RuleCount,
} from "../status.ts";
import { type ChangeCounts, changeFamilies } from "./change-metrics.ts";
import { type Family, formatFamilies, type HistogramValue, type Labels, type Sample } from "./exposition.ts";
import { type ProcessSample, processFamilies } from "./process-metrics.ts";

/** `success`, or why a reload changed nothing or not everything. */
export const reloadResults = ["success", "partial", "failure"] as const;
export type ReloadResult = (typeof reloadResults)[number];

/** Upper bounds in seconds for portward_apply_duration_seconds. */
export const applyDurationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

export interface RuleLog {
	readonly rule: RuleCount;
	readonly outcomes: LogOutcomes;
}

export interface MetricsInput {
	readonly state: DaemonState;
	/** The commit it was built from; "" when unknown. */
	readonly commit: string;
	readonly bunVersion: string;
	readonly alerts: readonly AlertCount[];
	/** Counts of alerts that were let go of, as their policies are gone. */
	readonly alertsRetired: number;
	/** Alerts that an outlet could not take. */
	readonly alertsDropped: Readonly<Record<DropReason, number>>;
	/** Log records that the kernel dropped before they were read, over all rules. */
	readonly recordsLost: number;
	readonly ruleLogs: readonly RuleLog[];
	readonly reloads: Readonly<Record<ReloadResult, number>>;
	readonly applyDuration: HistogramValue;
	/** Packets dropped because conntrack called them invalid. */
	readonly invalidPackets: Readonly<Record<Direction, number>>;
	/** Null where /proc is not readable. */
	readonly process: ProcessSample | null;
	readonly usb: UsbCounts;
	/** How changes that had to be confirmed ended. */
	readonly changes: ChangeCounts;
	/** What became of open connections. */
	readonly flows: FlowCounts;
	/** Packets in the midst of connections that nobody tracks. */
	readonly midstreamPackets: number;
}

function family(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): Family {
	return { name, type, help, samples };
}

function one(name: string, type: "counter" | "gauge", help: string, value: number): Family {
	return family(name, type, help, [{ labels: {}, value }]);
}

/** One sample for each key of `values`, under `label`. */
function byKey(label: string, values: Readonly<Record<string, number>>): Sample[] {
	return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

function ruleLabels(rule: RuleCount): Labels {
	return {
		policy: rule.policy,
		rule: rule.index < 0 ? "default" : String(rule.index),
		direction: rule.direction,
		action: rule.action,
	};
}

function ruleFamilies(input: MetricsInput): Family[] {
	const { rules } = input.state;
	return [
		family(
			"portward_policy_packets_total",
			"counter",
			"Packets that a policy rule, or the default posture, decided.",
			rules.map((rule) => ({ labels: ruleLabels(rule), value: rule.packets })),
		),
		family(
			"portward_policy_bytes_total",
			"counter",
			"Bytes of the packets that a policy rule, or the default posture, decided.",
			rules.map((rule) => ({ labels: ruleLabels(rule), value: rule.bytes })),
		),
		family(
			"portward_policy_log_packets_total",
			"counter",
			"What became of the packets that an alerting rule counted; the outcomes of a rule add up to its packets.",
			input.ruleLogs.flatMap(({ rule, outcomes }) =>
				Object.entries(outcomes).map(([outcome, value]) => ({
					labels: { ...ruleLabels(rule), outcome },
					value,
				})),
			),
		),
	];
}

function failsafeFamilies({ enforcers }: DaemonState): Family[] {
	const samples = (value: (rule: FailsafeCount) => number) =>
		enforcers.network.failsafe.map((rule) => ({
			labels: {
				direction: rule.direction,
				index: String(rule.index),
				protocol: rule.protocol ?? "any",
				cidr: rule.cidr ?? "any",
				port: rule.port ?? "any",
				interface: rule.interface ?? "any",
			},
			value: value(rule),
		}));
	return [
		family(
			"portward_failsafe_packets_total",
			"counter",
			"Packets of new flows that a failsafe rule accepted before any policy was asked.",
			samples(({ packets }) => packets),
		),
		family(
			"portward_failsafe_bytes_total",
			"counter",
			"Bytes of the packets that a failsafe rule accepted before any policy was asked.",
			samples(({ bytes }) => bytes),
		),
	];
}

function stateFamilies(state: DaemonState): Family[] {
	const { network } = state.enforcers;
	const conditions = Object.fromEntries(policyConditions.map((condition) => [condition, 0]));
	for (const policy of state.policies) {
		const condition = policyCondition(policy);
		conditions[condition] = (conditions[condition] ?? 0) + 1;
	}
	return [
		family(
			"portward_enforcer_up",
			"gauge",
			"Whether an enforcer is active.",
			Object.entries(state.enforcers).map(([enforcer, { state }]) => ({
				labels: { enforcer },
				value: state === "active" ? 1 : 0,
			})),
		),
		family("portward_policies", "gauge", "Policy documents by state.", byKey("state", conditions)),
		family(
			"portward_allowlist_mode",
			"gauge",
			"Whether the default posture decides unmatched packets of a direction.",
			byKey("direction", {
				ingress: Number(network.allowlistMode.ingress),
				egress: Number(network.allowlistMode.egress),
			}),
		),
		one(
			"portward_panic_open",
			"gauge",
			"Whether panic-open stands: 1 while the network table lets everything pass.",
			Number(state.panic !== null),
		),
		one(
			"portward_ruleset_generation",
			"gauge",
			"Number of the ruleset in force; it grows with every change.",
			network.generation,
		),
		one(
			"portward_ruleset_elements",
			"gauge",
			"Kernel set and map elements of the ruleset in force.",
			network.elements,
		),
		family(
			"portward_interface_warning",
			"gauge",
			"Constant 1 for each interface name in policies or settings that does not match as meant; bears is the name on its packets.",
			state.interfaces.map(({ interface: name, reason, bears }) => ({
				labels: { interface: name, reason, bears },
				value: 1,
			})),
		),
		one(
			"portward_drift_total",
			"counter",
			"Changes of the table by somebody else that were found.",
			state.drift,
		),
	];
}

/** The body of /metrics. */
export function renderMetrics(input: MetricsInput): string {
	return formatFamilies(bounded(allFamilies(input)));
}

function allFamilies(input: MetricsInput): Family[] {
	const { state } = input;
	return [
		family("portward_build_info", "gauge", "Constant 1; the labels tell the build.", [
			{ labels: { version: state.version, commit: input.commit, bun: input.bunVersion }, value: 1 },
		]),
		...stateFamilies(state),
		...ruleFamilies(input),
		...failsafeFamilies(state),
		family(
			"portward_alerts_total",
			"counter",
			"Alerts raised.",
			input.alerts.map(({ policy, action, count }) => ({ labels: { policy, action }, value: count })),
		),
		one(
			"portward_alerts_retired_total",
			"counter",
			"Series of portward_alerts_total that ended, as their policies had been gone for an hour or others needed the room.",
			input.alertsRetired,
		),
		family(
			"portward_alerts_dropped_total",
			"counter",
			"Alerts that an outlet (stdout, file, stream) could not take, and log records the kernel dropped unread (kernel).",
			byKey("reason", { ...input.alertsDropped, kernel: input.recordsLost }),
		),
		family(
			"portward_reloads_total",
			"counter",
			"Times that the policies were read and applied.",
			byKey("result", input.reloads),
		),
		{
			name: "portward_apply_duration_seconds",
			type: "histogram",
			help: "Time from the parsed policies to the ruleset in force.",
			value: input.applyDuration,
		},
		family(
			"portward_invalid_packets_total",
			"counter",
			"Packets dropped because connection tracking found them invalid.",
			byKey("direction", input.invalidPackets),
		),
		...flowFamilies(input.flows, input.midstreamPackets),
		...usbFamilies(input.usb),
		...changeFamilies(state.pending, input.changes),
		...settingsFamilies(state.settings),
		...signatureFamilies(state.signature),
		...(input.process === null ? [] : processFamilies(input.process)),
	];
}

/** Series of one name; what a scrape costs grows with them. */
const mostSeries = 10_000;

/** The families with no more series of a name than that, and how many were left out. */
function bounded(families: readonly Family[]): Family[] {
	const leftOut: Record<string, number> = {};
	const cut = families.map((each) => {
		if (each.type === "histogram" || each.samples.length <= mostSeries) return each;
		leftOut[each.name] = each.samples.length - mostSeries;
		return { ...each, samples: each.samples.slice(0, mostSeries) };
	});
	const help = "Series that are left out, by name: no name has more than 10000.";
	return [...cut, family("portward_series_left_out", "gauge", help, byKey("name", leftOut))];
}
