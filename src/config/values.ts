/** Values that several settings share, with what to write in place of a wrong one. */

import * as v from "valibot";

export const absolutePath = v.pipe(
	v.string("write an absolute path"),
	v.check((text) => text.startsWith("/") && !text.includes("\0"), "write an absolute path, starting with /"),
	v.maxLength(4096, "write a path of at most 4096 characters"),
);

export function whole(least: number, most: number) {
	const hint = `write a whole number from ${least} to ${most}`;
	return v.pipe(v.number(hint), v.integer(hint), v.minValue(least, hint), v.maxValue(most, hint));
}
