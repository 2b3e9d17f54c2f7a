/**
 * Makes dist/portward, one executable for this machine's architecture.
 *
 *   bun build.ts [--outfile FILE]
 *
 * The same commit gives the same bytes.
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { compile, root, version } from "./scripts/compile.ts";

const { values } = parseArgs({ options: { outfile: { type: "string", default: "dist/portward" } } });
const problem = await compile(resolve(root, values.outfile));
if (problem !== null) {
	console.error(`build: ${problem}`);
	process.exit(1);
}
console.log(`${values.outfile}: portward ${version} (${process.platform}-${process.arch})`);
