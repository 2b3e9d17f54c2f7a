/** Who this process is to rules that name senders: each of its sockets is made by its user, in its control group. */

import { readFileSync } from "node:fs";

export interface OwnSender {
	readonly user: number;
	readonly group: number;
	/** The whole name of the unit; null where none runs it, or nobody tells. */
	readonly service: string | null;
}

export function ownSender(): OwnSender {
	return { user: process.geteuid?.() ?? 0, group: process.getegid?.() ?? 0, service: ownUnit(readGroup()) };
}

function readGroup(): string {
	try {
		return readFileSync("/proc/self/cgroup", "utf8");
	} catch {
		return "";
	}
}

/** @param text of /proc/PID/cgroup (cgroups(7)). Only a unit that lies in slices alone counts: see control-groups.ts. */
export function ownUnit(text: string): string | null {
	const path = /^0::(\/.*)$/m.exec(text)?.[1] ?? "";
	return /^(?:\/[^/]+\.slice)*\/([^/]+\.service)(?:\/|$)/.exec(path)?.[1] ?? null;
}
