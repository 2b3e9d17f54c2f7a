/** Policies on their way to the daemon: a copy that is gone when all is said. */

import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { exchangePaths } from "../../../ffi/rename.ts";
import { type FileOperations, fileOperations } from "../../state/pending-files.ts";
import { type TreeFile, writeTree } from "../../state/pending-tree.ts";

const real = fileOperations(exchangePaths, async () => {});
/** The daemon makes a copy of its own, so what is handed over need not outlive a crash of the machine. */
const passing: FileOperations = {
	...real,
	writeFile: (path, bytes, mode) => real.writeFile(path, bytes, mode, false),
	syncDirectory: async () => {},
};

/** Does something with a copy of these files below a directory. Rejects where they cannot be written. */
export async function withCopy<T>(
	parent: string,
	files: readonly TreeFile[],
	use: (directory: string) => Promise<T>,
): Promise<T> {
	const directory = join(parent, randomBytes(8).toString("hex"));
	try {
		await writeTree(directory, files, passing);
		return await use(directory);
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}
