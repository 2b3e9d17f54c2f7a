/** What costs a fifth of a second and 20 MB is loaded by who wants it alone. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { importsOf, tokenize } from "../../support/source.ts";

const root = resolve(import.meta.dir, "../../..");

/** All that a source loads when it is loaded. */
function loaded(path: string, found = new Set<string>()): ReadonlySet<string> {
	found.add(path);
	const file = join(root, path);
	if (!existsSync(file)) return found;
	for (const specifier of importsOf(tokenize(readFileSync(file, "utf8")))) {
		const target = specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier;
		if (!found.has(target)) loaded(target, found);
	}
	return found;
}

test("gRPC is loaded by its own thread alone", () => {
	const workers = [...new Bun.Glob("src/**/*.worker.ts").scanSync({ cwd: root })];
	const loadsGrpc = (path: string) => [...loaded(path)].some((file) => file.startsWith("@grpc/"));
	expect(["src/main.ts", ...workers].filter(loadsGrpc)).toEqual(["src/serve/grpc/grpc.worker.ts"]);
	expect(loaded("src/main.ts").size).toBeGreaterThan(100);
});
