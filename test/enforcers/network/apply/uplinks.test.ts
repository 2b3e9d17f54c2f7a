import { expect, test } from "bun:test";
import { replaceUplinks, uplinkObject } from "../../../../src/enforcers/network/apply/uplinks.ts";

test("uplinks are in order, once, and no name that could end a text is among them", () => {
	expect(uplinkObject(["vmbr0", "cni0", "vmbr0", 'a"b'])).toEqual({
		kind: "set",
		name: "uplinks",
		type: "ifname",
		size: 4096,
		keys: '"cni0"\n"vmbr0"',
	});
});

test("an empty list empties the set", () => {
	expect(replaceUplinks([])).toHaveLength(1);
	expect(replaceUplinks(["vmbr0"])).toHaveLength(2);
});
