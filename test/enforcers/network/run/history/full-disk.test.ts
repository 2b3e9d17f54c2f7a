import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

test("a disk that is full loses no flow while the keeper lives, and damages nothing; all is saved when there is room", () => {
	const directory = mkdtempSync(join(tmpdir(), "portward-keeper-"));
	// A file system of eight pages, which ends with the child.
	const script = 'mount -t tmpfs -o size=32k,mode=700 tmpfs "$1"; exec "$2" "$3" "$1"';
	const child = join(import.meta.dir, "full-disk.child.ts");
	const argv = ["unshare", "--mount", "sh", "-ec", script, "sh", directory, process.execPath, child];
	const ran = Bun.spawnSync(argv, { stdout: "pipe", stderr: "pipe" });
	rmSync(directory, { recursive: true });
	expect([ran.exitCode, ran.stderr.toString()]).toEqual([0, ""]);
	const both = ["203.0.113.1 1", "203.0.113.2 1"];
	expect(JSON.parse(ran.stdout.toString())).toEqual({
		full: { hosts: both, unsaved: expect.stringMatching(/^the flows could not be saved: .*ENOSPC/u) },
		kept: true,
		again: { hosts: both, notice: "" },
		unsaved: "",
		third: both,
	});
});
