/**
 * Makes dist/portward, one executable for this machine's architecture.
 *
 *   bun build.ts [--outfile FILE] [--maps DIRECTORY]
 *
 * The same commit gives the same bytes. With --maps the source maps are written as well, for scripts/trace.ts.
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { compile, root, version, writeMaps } from "./scripts/compile.ts";

const { values } = parseArgs({
	options: { outfile: { type: "string", default: "dist/portward" }, maps: { type: "string" } },
});
const problem =
	(await compile(resolve(root, values.outfile))) ??
	(values.maps === undefined ? null : await writeMaps(resolve(root, values.maps)));
if (problem !== null) {
	console.error(`build: ${problem}`);
	process.exit(1);
}
console.log(`${values.outfile}: portward ${version} (${process.platform}-${process.arch})`);
