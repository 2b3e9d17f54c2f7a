import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isPortGlob, isPortPattern, matchesPort, portBeginning } from "../../../src/enforcers/usb/port.ts";

describe("port globs", () => {
	test.each([
		["1-4", "1-4", true],
		["1-4", "1-4.1", false],
		["1-4.*", "1-4.1", true],
		["1-4.*", "1-4.1.3", true],
		["1-4.*", "1-4", false],
		["1-4.*", "11-4.1", false],
		["*-4", "12-4", true],
		["1-?", "1-4", true],
		["1-?", "1-14", false],
		["*", "2-1", true],
		["*.*.1", "1-1.1.1", true],
		["1-1*1", "1-1", false],
	])("%s on %s: %p", (glob, port, expected) => {
		expect(matchesPort(glob, port)).toBe(expected);
	});

	test("agree with a regular expression", () => {
		const text = (symbols: string[]) => fc.string({ unit: fc.constantFrom(...symbols), maxLength: 9 });
		fc.assert(
			fc.property(text(["1", "2", "-", ".", "*", "?"]), text(["1", "2", "-", "."]), (glob, port) => {
				const source = glob.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".");
				expect(matchesPort(glob, port)).toBe(new RegExp(`^${source}$`).test(port));
			}),
		);
	});

	test("match no port but those with their beginning", () => {
		const text = (symbols: string[]) => fc.string({ unit: fc.constantFrom(...symbols), maxLength: 9 });
		fc.assert(
			fc.property(text(["1", "2", "-", ".", "*", "?"]), text(["1", "2", "-", "."]), (glob, port) => {
				const beginning = portBeginning(glob);
				expect(glob.startsWith(beginning) && !isPortPattern(beginning)).toBe(true);
				if (matchesPort(glob, port)) expect(port.startsWith(beginning)).toBe(true);
			}),
		);
		expect([portBeginning("1-4.*"), portBeginning("1-?"), portBeginning("*"), portBeginning("1-4")]).toEqual([
			...["1-4.", "1-", "", "1-4"],
		]);
	});

	test("are digits, dashes, dots and wildcards", () => {
		for (const good of ["1-4", "1-4.*", "*", "??-1"]) expect(isPortGlob(good)).toBe(true);
		for (const bad of ["", "usb1", "1-4:1.0", "-1", "1 -4", `1-${"1.".repeat(40)}`]) {
			expect(isPortGlob(bad)).toBe(false);
		}
		expect([isPortPattern("1-*"), isPortPattern("1-?"), isPortPattern("1-4")]).toEqual([true, true, false]);
	});
});
