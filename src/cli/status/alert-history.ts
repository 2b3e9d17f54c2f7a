/** Alerts that the daemon has forgotten, or forgot when it was started anew, from the file that it writes them to. */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { Config } from "../../config/model.ts";
import { auditedBlock } from "../../report/alert.ts";
import { parseJson } from "./client.ts";

/** Bytes read of each file, from its end. */
const mostBytes = 32 * 1024 * 1024;

export interface HistoryFilter {
	readonly policy: string | undefined;
	readonly action: string | undefined;
	readonly limit: number;
}

/**
 * The newest alerts in `alerts.file` and the files before it, oldest first; null where there is no such file that
 * may be read.
 */
export function alertHistory({ file, fileKeep }: Config["alerts"], filter: HistoryFilter): unknown[] | null {
	if (file === null) return null;
	const names = [file, ...Array.from({ length: fileKeep }, (_, age) => `${file}.${age + 1}`)];
	let found: unknown[] | null = null;
	for (const name of names) {
		const lines = readEnd(name);
		if (lines === null) break;
		const alerts = lines.map((line) => parseJson(line)).filter((alert) => matches(alert, filter));
		found = [...alerts, ...(found ?? [])];
		if (found.length >= filter.limit) break;
	}
	// A file begins with what was carried over from one before it.
	return found?.toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1)).slice(-filter.limit) ?? null;
}

/** `before` with the alerts of `after` that are not among them already. */
export function joinAlerts(before: readonly unknown[], after: readonly unknown[]): unknown[] {
	const known = new Set(after.map((alert) => JSON.stringify(alert)));
	return [...before.filter((alert) => !known.has(JSON.stringify(alert))), ...after];
}

function field(alert: unknown, name: string): string {
	if (typeof alert !== "object" || alert === null) return "";
	const value: unknown = Object.getOwnPropertyDescriptor(alert, name)?.value;
	return typeof value === "string" ? value : "";
}

function timeOf(alert: unknown): string {
	return field(alert, "UpdatedTime");
}

function matches(alert: unknown, { policy, action }: HistoryFilter): boolean {
	return (
		timeOf(alert) !== "" &&
		(policy === undefined || field(alert, "PolicyName") === policy) &&
		(action === undefined ||
			[action, ...(action === "Audit" ? [auditedBlock] : [])].includes(field(alert, "Action")))
	);
}

/** The lines of a file's end; null where it cannot be read. */
function readEnd(name: string): string[] | null {
	let fd: number | null = null;
	try {
		fd = openSync(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		const stat = fstatSync(fd);
		if (!stat.isFile()) return null;
		const bytes = Buffer.alloc(Math.min(stat.size, mostBytes));
		const length = readSync(fd, bytes, 0, bytes.length, Math.max(0, stat.size - mostBytes));
		return bytes.toString("utf8", 0, length).split("\n");
	} catch {
		return null;
	} finally {
		if (fd !== null) closeSync(fd);
	}
}
