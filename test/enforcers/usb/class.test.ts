import { describe, expect, test } from "bun:test";
import { parseUsbClass, usbClassName, usbClassNames } from "../../../src/enforcers/usb/class.ts";

describe("parseUsbClass", () => {
	test.each(["8", "0x8", "0x08", "0X8", "mass-storage", "MASS-STORAGE", "Mass-Storage"])(
		"%s is 8 (V21)",
		(text) => {
			expect(parseUsbClass(text)).toEqual({ ok: true, class: 8 });
		},
	);

	test.each(["ALL", "all", "All"])("%s is every class", (text) => {
		expect(parseUsbClass(text)).toEqual({ ok: true, class: null });
	});

	test.each([
		["0", "no function"],
		["0x0", "no function"],
		["256", "out of range"],
		["0x100", "out of range"],
		["-1", "out of range"],
		["", "no USB class"],
		["KEYBOARD", "no USB class"],
		["constructor", "no USB class"],
		["8.0", "no USB class"],
	])("%j is refused: %s", (text, reason) => {
		const result = parseUsbClass(text);
		if (result.ok) throw new Error("accepted");
		expect(result.message).toContain(reason);
		expect(result.hint).not.toBe("");
	});

	test("ambiguous numbers get both readings as the remedy", () => {
		expect(parseUsbClass("08h")).toMatchObject({
			ok: false,
			hint: "write 0x8 for hexadecimal, or 8 for decimal",
		});
		expect(parseUsbClass("08")).toMatchObject({
			ok: false,
			hint: "write 0x8 for hexadecimal, or 8 for decimal",
		});
		expect(parseUsbClass("0Eh")).toMatchObject({ ok: false, hint: "write 0xE for hexadecimal" });
	});

	test("a slip gets the name that was meant", () => {
		expect(parseUsbClass("mass_storage")).toMatchObject({ ok: false, hint: "did you mean MASS-STORAGE?" });
		expect(parseUsbClass("HIDD")).toMatchObject({ ok: false, hint: "did you mean HID?" });
	});

	test("a long hostile text stays bounded and escaped in the message", () => {
		const result = parseUsbClass(`\u001b[2J${"x".repeat(5000)}`);
		if (result.ok) throw new Error("accepted");
		expect(result.message.length).toBeLessThan(200);
		expect(result.message).not.toContain("\u001b");
	});

	test("every name is its own code's name", () => {
		expect(usbClassNames).toHaveLength(25);
		for (const name of usbClassNames.slice(1)) {
			const result = parseUsbClass(name);
			if (!result.ok || result.class === null) throw new Error(name);
			expect(usbClassName(result.class)).toBe(name);
		}
		expect(usbClassName(0x2a)).toBe("0x2a");
		expect(usbClassName(0)).toBe("0x00");
	});
});
