import { expect, test } from "bun:test";
import { describeWithheld } from "../../src/cli/release-usb.ts";
import { device } from "../enforcers/usb/compile/sample.ts";
import { seen } from "../enforcers/usb/support/shapes.ts";

test("a device is named by its port, ids, words and classes", () => {
	const present = (words: object) => seen({ ...device("00 | 08:06:50"), ...words }, "/devices/usb1/1-1");
	const named = describeWithheld(present({ manufacturer: "Maker", product: "Stick", serial: "S1" }));
	expect(named).toMatch(/^\S+ [0-9a-f]{4}:[0-9a-f]{4} Maker Stick \(S1\): MASS-STORAGE$/u);
	const bare = describeWithheld(present({ manufacturer: null, product: "", serial: null }));
	expect(bare).toMatch(/^\S+ [0-9a-f]{4}:[0-9a-f]{4}: MASS-STORAGE$/u);
});
