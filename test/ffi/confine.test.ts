/** What can be tried in a process that goes on; test/daemon/confinement.test.ts has one that is confined for real. */

import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filterSystemCalls, landlockVersion, restrictFiles } from "../../ffi/confine.ts";

test("a filter that the kernel does not take is no filter", () => {
	expect(filterSystemCalls([{ code: 0xffff, jumpTrue: 0, jumpFalse: 0, operand: 0 }])).toMatchObject({
		ok: false,
		error: expect.stringContaining("EINVAL"),
	});
});

test("rights that are not handled are refused before anything is taken away; what is not there is told", () => {
	expect(landlockVersion()).toBeGreaterThan(0);
	const rules = [
		{ path: "/no/such/place", rights: 2 },
		{ path: "/tmp", rights: 4 },
	];
	expect(restrictFiles(2, rules)).toMatchObject({
		ok: false,
		error: expect.stringContaining("EINVAL"),
	});
	expect(restrictFiles(2 ** 31, [])).toMatchObject({ ok: false });
	writeFileSync(join(tmpdir(), `portward-unconfined-${process.pid}`), "");
	rmSync(join(tmpdir(), `portward-unconfined-${process.pid}`));
});
