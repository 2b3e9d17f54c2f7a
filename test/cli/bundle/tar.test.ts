import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tarball } from "../../../src/cli/bundle/tar.ts";

test("tar takes it, and finds names, bytes, rights and times", () => {
	const entries = [0, 1, 511, 512, 513, 100_000].map((size) => ({
		name: `portward-support/${size}.bin`,
		data: new Uint8Array(size).fill(size % 251),
	}));
	const folder = mkdtempSync(join(tmpdir(), "portward-tar-"));
	try {
		const file = join(folder, "a.tar");
		writeFileSync(file, tarball(entries, 1_700_000_000_500));
		const { exitCode, stderr } = Bun.spawnSync(["tar", "--extract", "--file", file, "-C", folder]);
		expect([exitCode, stderr.toString()]).toEqual([0, ""]);
		for (const { name, data } of entries) {
			expect(new Uint8Array(readFileSync(join(folder, name)))).toEqual(data);
			const { mode, mtimeMs } = statSync(join(folder, name));
			expect([mode & 0o777, mtimeMs]).toEqual([0o600, 1_700_000_000_000]);
		}
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test.each(["", "/etc/passwd", "../a", "a/../b", "a b", "ä", "a".repeat(101)])(
	"a name that the format has no room for is a bug: %j",
	(name) => {
		expect(() => tarball([{ name, data: new Uint8Array() }], 0)).toThrow(TypeError);
	},
);
