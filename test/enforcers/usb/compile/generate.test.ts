import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NodeReader } from "../../../../src/document/nodes.ts";
import { Lines, parseSyntax } from "../../../../src/document/syntax.ts";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { generatePolicy } from "../../../../src/enforcers/usb/compile/generate.ts";
import { DeviceRuleset, selectEntries } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { validateHostPolicy } from "../support/host-policy.ts";
import { device } from "./sample.ts";

function read(source: string) {
	const { contents, problems } = parseSyntax(source);
	expect(problems).toEqual([]);
	if (contents === null) throw new Error("no contents");
	const reader = new NodeReader("p.yaml", new Lines({ source, firstLine: 1 }), contents);
	const policy = validateHostPolicy(reader, contents);
	expect(reader.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
	if (policy === null) throw new Error("no policy");
	return policy;
}

const shapes = [
	"00|03:01:01 03:00:00",
	"ef:02:01|0e:01:01 0e:02:01>0e:02:01 01:01:00",
	"e0:01:01|e0:01:01 fe:01:01",
	"09:00:01|09:00:00",
	"00|00:00:00",
	"00|",
	"ff:00:00|08:06:50|03:01:01",
	"00|2a:01:01",
];

describe("generatePolicy", () => {
	test("allows what it was made from, whatever the strings, and nothing else", () => {
		const strings = fc.option(fc.string({ unit: "binary", maxLength: 40 }), { nil: null });
		const devices = fc.array(
			fc.record({
				shape: fc.constantFrom(...shapes),
				serial: strings,
				product: strings,
				manufacturer: strings,
			}),
			{ maxLength: 5 },
		);
		fc.assert(
			fc.property(devices, (list) => {
				const present = list.map(({ shape, ...rest }, index) =>
					device(shape, { port: `1-${index + 1}`, ...rest }),
				);
				const text = generatePolicy(present);
				expect(text).toMatch(/^[\n -~]*$/);
				expect(generatePolicy(present)).toBe(text);
				const policy = read(text);
				const ruleset = new DeviceRuleset(selectEntries([policy]), "block");
				const options = { mode: "apply", consoleKeyboard: false } as const;
				for (const item of present) expect(decideDevice(ruleset, item, options).state).toBe("authorized");
				const stranger = device("00|03:01:02");
				if (policy.entries.length > 0) {
					expect(decideDevice(ruleset, stranger, options).state).toBe("refused");
				}
			}),
			{ numRuns: 300 },
		);
	});

	test("comments every entry and bounds what it shows", () => {
		const text = generatePolicy([
			device("00|03:01:01", {
				product: `Key\n  action: Block\u001b${"x".repeat(200)}`,
				manufacturer: "Maker",
				serial: 'a"b\\',
			}),
			device("00|03:01:01", { port: "1-2", serial: 'a"b\\' }),
			device("09:00:01|09:00:00", { port: "1-3" }),
			device("00|03:01:01", { port: "1-4", malformed: "cut" }),
			device("09:00:01|09:00:00", { port: "usb1", level: 0 }),
		]);
		expect(text.slice(text.indexOf("    matchDevice:"))).toBe(`    matchDevice:
    # 1-1: 1234:5678 Maker Key\\u000a  action: Block\\u001b${"x".repeat(40)}...
    - class: HID
      subClass: 1
      protocol: 1
      vendorId: "1234"
      productId: "5678"
      serial: "a\\"b\\\\"
    # 1-2: 1234:5678
    # the same as an entry above
    # 1-3: 1234:5678
    # needs no entry: hubs pass
    # 1-4: 1234:5678
    # left out: cut
`);
	});
});
