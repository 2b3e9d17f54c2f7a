/** Writes `count` states with growing numbers into a file, and tells each on stdout, until one cannot be written. */

import { writeState } from "../../../src/state/state-file.ts";

const [path = "", first = "0", count = "0", size = "0"] = process.argv.slice(2);
const ballast = "x".repeat(Number(size));
for (let number = Number(first); number < Number(first) + Number(count); number++) {
	const problem = writeState(path, { number, ballast });
	process.stdout.write(`${problem ?? number}\n`);
	if (problem !== null) break;
}
