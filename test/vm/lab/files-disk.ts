import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { $ } from "bun";

/**
 * Makes an ext4 image with the given files (name in the image → file or folder here). A disk that the guest mounts
 * is read page by page, cached by it, and has no protocol cost for every start of a large executable, as 9p has.
 */
export async function filesDisk(output: string, files: { readonly [name: string]: string }): Promise<string> {
	const tree = `${output}.tree`;
	mkdirSync(tree);
	try {
		for (const [name, source] of Object.entries(files)) {
			statSync(source);
			const target = join(tree, name);
			mkdirSync(dirname(target), { recursive: true });
			await $`cp -rL --reflink=auto ${source} ${target}`.quiet();
		}
		const used = Number.parseInt(await $`du -sm ${tree}`.text(), 10);
		await $`mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d ${tree} ${output} ${(used + used / 20 + 8) | 0}M`.quiet();
	} finally {
		rmSync(tree, { recursive: true, force: true });
	}
	return output;
}
