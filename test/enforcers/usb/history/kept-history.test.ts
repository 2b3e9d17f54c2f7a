import { expect, test } from "bun:test";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { DeviceHistory } from "../../../../src/enforcers/usb/history/device-history.ts";
import { parseKeptHistory } from "../../../../src/enforcers/usb/history/kept-history.ts";
import { seenVerdict } from "../../../../src/enforcers/usb/history/seen-device.ts";
import { device, entries } from "../compile/sample.ts";

const what = device("00 | 08:06:50>08:06:62 03:01:01 | ff:00:00", {
	serial: "\u001b[31m\u0000\ud800\"'</script>",
	twin: "2-1",
	descriptorsHash: "a".repeat(64),
});

function kept(): ReturnType<DeviceHistory["kept"]> {
	const history = new DeviceHistory("boot", 5);
	const ruleset = new DeviceRuleset(entries(["Block", 3], ["Allow", 8]), "block");
	const decision = decideDevice(ruleset, what, { mode: "apply", consoleKeyboard: false });
	history.settled("i.1.2", what, seenVerdict(decision), 6);
	return history.kept(7);
}

test("what was written is read as it was, hostile strings and all", () => {
	const value = kept();
	expect(value.devices).toHaveLength(1);
	expect(parseKeptHistory(JSON.parse(JSON.stringify(value)))).toEqual(value);
});

/** Every place in a value, as the keys that lead there. */
function places(value: unknown): (readonly string[])[] {
	if (typeof value !== "object" || value === null) return [[]];
	return [
		[],
		...Object.entries(value).flatMap(([key, inner]) => places(inner).map((path) => [key, ...path])),
	];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
	if (key === undefined) return by;
	if (Array.isArray(value))
		return value.map((item, index) => (String(index) === key ? replaced(item, rest, by) : item));
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).map(([name, item]) => [name, name === key ? replaced(item, rest, by) : item]),
	);
}

test("nothing is taken that has another type anywhere, or a number out of its range", () => {
	const value = kept();
	for (const path of places(value)) {
		for (const wrong of [undefined, -1, 0.5, 1e300, { odd: true }])
			expect({ path, read: parseKeptHistory(replaced(value, path, wrong)) }).toEqual({ path, read: null });
	}
});

test("a device that left before it came is not taken", () => {
	expect(parseKeptHistory(replaced(kept(), ["devices", "0", "firstSeen"], 8))).toBeNull();
});
