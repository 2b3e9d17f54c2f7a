/** From parsed policies to rules in force, against nft reading the same objects from a file. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Namespace } from "../test/system/support/netns.ts";
import { caseNames } from "./load-cases.ts";
import { atMost, type Figure, interleave, quantity } from "./report.ts";

/** What bench/load-once.ts prints. */
interface Loaded {
	readonly milliseconds: number;
	readonly atoms: number;
	readonly elements: number;
}

const once = join(import.meta.dir, "load-once.ts");

async function inNamespace(argv: readonly string[]): Promise<{ output: string; milliseconds: number }> {
	using namespace = await Namespace.create();
	const start = performance.now();
	const output = namespace.run(argv);
	return { output, milliseconds: performance.now() - start };
}

export async function loadFigures(): Promise<Figure[]> {
	const directory = mkdtempSync(join(tmpdir(), "portward-load-"));
	try {
		const figures: Figure[] = [];
		for (const name of caseNames) {
			const ruleset = join(directory, `${name}.nft`);
			const run = async () => {
				const { output } = await inNamespace([process.execPath, once, name, ruleset]);
				const loaded: Loaded = JSON.parse(output);
				return loaded;
			};
			// Leaves the ruleset behind that nft is given.
			const { atoms, elements } = await run();
			const { portward = Number.NaN, nft = Number.NaN } = await interleave({
				portward: async () => (await run()).milliseconds,
				nft: async () => (await inNamespace(["nft", "-f", ruleset])).milliseconds,
			});
			figures.push(quantity(`${name}: compiled and enforced`, portward, "ms", null));
			figures.push(quantity(`${name}: nft -f of the same`, nft, "ms", null));
			figures.push(atMost(`${name}: against nft -f`, portward / nft, 2));
			figures.push(atMost(`${name}: elements an atom`, elements / atoms, 2));
		}
		return figures;
	} finally {
		rmSync(directory, { recursive: true });
	}
}
