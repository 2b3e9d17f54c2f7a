import { describe, expect, test } from "bun:test";
import { distrust } from "../../src/source/permissions.ts";

const trusted = (uid: number, mode: number) => distrust("this file", { uid, mode });

describe("who may change what a root daemon obeys", () => {
	test.each([0o100644, 0o100600, 0o100755, 0o40755, 0o40700, 0o101644])(
		"root alone: mode %o is trusted",
		(mode) => {
			expect(trusted(0, mode)).toBeNull();
		},
	);

	test.each([0o100666, 0o100664, 0o100622, 0o40777, 0o41777, 0o40775])(
		"others can write: mode %o is not, and the remedy is told",
		(mode) => {
			expect(trusted(0, mode)?.message).toContain((mode & 0o7777).toString(8));
			expect(trusted(0, mode)?.hint).toContain("chmod go-w");
		},
	);

	test("another owner is not trusted, whatever the mode", () => {
		expect(trusted(1000, 0o100400)).toEqual({
			message: "this file is owned by user 1000, not by root",
			hint: "chown it to root, or start with --insecure-permissions",
		});
	});
});
