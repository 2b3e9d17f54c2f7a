import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { syncFileSystem } from "../../ffi/sync.ts";

test("a file system is put on its disk, and what is no directory is said", () => {
	expect(syncFileSystem(tmpdir())).toEqual({ ok: true });
	expect(syncFileSystem("/proc/self/none")).toEqual({ ok: false, error: expect.stringContaining("ENOENT") });
});
