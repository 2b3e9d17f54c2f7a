/** The process_* metrics that Prometheus client libraries agree on, from /proc/self (proc(5)). */

import { readdirSync, readFileSync } from "node:fs";
import { type Metric, type MetricGroup, one } from "./group.ts";

export interface ProcessSample {
	readonly cpuSeconds: number;
	readonly residentBytes: number;
	readonly virtualBytes: number;
	readonly openFds: number;
	/** Infinity when there is no limit. */
	readonly maxFds: number;
	/** Seconds since the epoch. */
	readonly startTime: number;
}

/** USER_HZ: the unit of times in /proc, 100 on every architecture Linux shows to user space. */
const ticksPerSecond = 100;

function matchNumber(text: string, pattern: RegExp): number | null {
	const found = pattern.exec(text)?.[1];
	return found === undefined ? null : Number(found);
}

/** Parses the texts of /proc/self/stat, status and limits and of /proc/stat. Null when one is not as documented. */
export function parseProcess(
	stat: string,
	status: string,
	limits: string,
	systemStat: string,
	openFds: number,
): ProcessSample | null {
	// The command name is in parentheses and may itself hold spaces and parentheses.
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	// Field numbers of proc(5), which counts from 1; `fields` begins with field 3.
	const field = (number: number) => Number(fields[number - 3] ?? Number.NaN);
	const boot = matchNumber(systemStat, /^btime (\d+)$/m);
	const residentKib = matchNumber(status, /^VmRSS:\s+(\d+) kB$/m);
	const limit = /^Max open files\s+(\d+|unlimited)\s/m.exec(limits)?.[1];
	const cpuTicks = field(14) + field(15);
	const startTicks = field(22);
	const virtualBytes = field(23);
	if (boot === null || residentKib === null || limit === undefined) return null;
	if (!Number.isFinite(cpuTicks + startTicks + virtualBytes)) return null;
	return {
		cpuSeconds: cpuTicks / ticksPerSecond,
		residentBytes: residentKib * 1024,
		virtualBytes,
		openFds,
		maxFds: limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit),
		startTime: boot + startTicks / ticksPerSecond,
	};
}

/** This process now; null where /proc is not readable. */
export function readProcess(): ProcessSample | null {
	try {
		return parseProcess(
			readFileSync("/proc/self/stat", "utf8"),
			readFileSync("/proc/self/status", "utf8"),
			readFileSync("/proc/self/limits", "utf8"),
			readFileSync("/proc/stat", "utf8"),
			// Reading the directory opens one descriptor, which is listed too.
			readdirSync("/proc/self/fd").length - 1,
		);
	} catch {
		return null;
	}
}

/** Without samples where /proc is not readable. */
export const processMetrics: MetricGroup<{ readonly process: ProcessSample | null }> = [
	field(
		"process_cpu_seconds_total",
		"counter",
		"Total user and system CPU time spent in seconds.",
		"cpuSeconds",
	),
	field("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", "residentBytes"),
	field("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", "virtualBytes"),
	field("process_open_fds", "gauge", "Number of open file descriptors.", "openFds"),
	field("process_max_fds", "gauge", "Maximum number of open file descriptors.", "maxFds"),
	field(
		"process_start_time_seconds",
		"gauge",
		"Start time of the process since unix epoch in seconds.",
		"startTime",
	),
];

function field(
	name: string,
	type: "counter" | "gauge",
	help: string,
	key: keyof ProcessSample,
): Metric<{ readonly process: ProcessSample | null }> {
	const samples = ({ process }: { readonly process: ProcessSample | null }) =>
		process === null ? [] : one(process[key]);
	return { name, type, help, labels: [], since: "0.2.0", samples };
}
