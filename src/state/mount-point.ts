/** Where file systems are mounted, as this thread sees it (proc_pid_mountinfo(5)). */

import { readFile } from "node:fs/promises";

/** Whether something is mounted on a real path; false where /proc does not tell. */
export async function isMountPoint(path: string): Promise<boolean> {
	const text = await readFile("/proc/thread-self/mountinfo", "utf8").catch(() => "");
	return parseMountPoints(text).has(path);
}

/** The mount points of a mountinfo file. */
export function parseMountPoints(text: string): ReadonlySet<string> {
	const points = text.split("\n").flatMap((line) => line.split(" ")[4] ?? []);
	return new Set(points.map(unescaped));
}

/** Space, tab, newline and backslash stand as three octal digits, byte by byte. */
function unescaped(field: string): string {
	return field.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
		String.fromCharCode(Number.parseInt(digits, 8)),
	);
}
