/**
 * Says which lines of the sources a stack trace of the executable means.
 *
 *   bun build.ts --maps DIRECTORY    in the commit that `portward version` names, on a machine of that architecture
 *   bun scripts/trace.ts DIRECTORY <TRACE
 */

import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { basename, join } from "node:path";

/** Where code lies in the executable: the file of a chunk, its line and column, as an error writes them. */
const place = /\/\$bunfs\/root\/([\w./-]+?):(\d+):(\d+)/g;

/** `trace` with the places in the executable replaced by those in the sources that `maps` has, and those that it has not marked. */
export function mapTrace(trace: string, maps: (chunk: string) => SourceMap | null): string {
	return trace.replace(place, (written, chunk: string, line: string, column: string) => {
		const map = maps(basename(chunk));
		if (map === null) return `${written} (there is no map of it: another commit, or another architecture)`;
		const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
		if (!("originalSource" in entry)) return `${written} (no source)`;
		return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
	});
}

/** The maps that `bun build.ts --maps DIRECTORY` wrote, each read once. */
export function mapsIn(directory: string): (chunk: string) => SourceMap | null {
	const read = new Map<string, SourceMap | null>();
	return (chunk) => {
		const known = read.get(chunk);
		if (known !== undefined) return known;
		const file = join(directory, `${chunk}.map`);
		const map = existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, "utf8"))) : null;
		read.set(chunk, map);
		return map;
	};
}

if (import.meta.main) {
	const [directory, ...more] = process.argv.slice(2);
	if (directory === undefined || more.length > 0) {
		console.error("usage: bun scripts/trace.ts DIRECTORY <TRACE");
		process.exit(2);
	}
	process.stdout.write(mapTrace(await Bun.stdin.text(), mapsIn(directory)));
}
