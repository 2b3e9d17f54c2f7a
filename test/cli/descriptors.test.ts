import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { closeInherited, lackOfDescriptors } from "../../src/cli/descriptors.ts";

test("files and sockets are closed, standard ones and the runtime's own are not, and one that is gone is no error", () => {
	const file = openSync("/dev/null", "r");
	const closed: number[] = [];
	try {
		closeInherited((descriptor) => {
			closed.push(descriptor);
			if (descriptor !== file) throw Object.assign(new Error("EBADF"), { code: "EBADF" });
		});
	} finally {
		closeSync(file);
	}
	expect(closed).toContain(file);
	expect(closed.filter((descriptor) => descriptor <= 2)).toEqual([]);
	expect(() =>
		closeInherited(() => {
			throw new TypeError("a bug");
		}),
	).toThrow("a bug");
});

test("this process has descriptors enough", () => {
	expect(lackOfDescriptors()).toBeNull();
});
