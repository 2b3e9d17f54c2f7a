import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../src/config/parse.ts";

function read(text: string) {
	return parseConfig("config.yaml", text);
}

describe("guests", () => {
	test("what is forwarded is audited where nothing is said", () => {
		expect(read("guests: {uplinks: [vmbr0]}")).toMatchObject({
			ok: true,
			config: { guests: { forwarded: "audit", interfaces: [], uplinks: ["vmbr0"] } },
		});
	});

	test("off is a word, as it is elsewhere", () => {
		expect(read("guests: {forwarded: off}")).toMatchObject({
			ok: true,
			config: { guests: { forwarded: "off" } },
		});
	});

	test.each([
		["guests: on", "guests", "write guests: {forwarded: enforce}"],
		["guests: {forwarded: block}", "guests.forwarded", "write off, audit or enforce, in lower case"],
		["guests: {interfaces: ve-*}", "guests.interfaces", "write a list of interfaces, such as [ve-*]"],
		[
			'guests: {interfaces: ["*"]}',
			"guests.interfaces[0]",
			"not every interface leads to guests: name those that do, such as ve-*",
		],
		[
			'guests: {interfaces: ["a b"]}',
			"guests.interfaces[0]",
			'write the name as "ip link" shows it, up to its @',
		],
		[
			"guests: {uplinks: [vmbr*]}",
			"guests.uplinks[0]",
			"write a bridge's name of at most 15 bytes, such as vmbr0",
		],
		[
			'guests: {uplinks: ["a\\"b"]}',
			"guests.uplinks[0]",
			'write the name as "ip link" shows it, up to its @',
		],
		[
			`guests: {interfaces: [${Array.from({ length: 17 }, (_, i) => `e${i}`).join()}]}`,
			"guests.interfaces",
			"write at most 16 interfaces",
		],
	])("%j is refused at %s: %s", (text, path, hint) => {
		const result = read(text);
		expect(result).toMatchObject({ ok: false, diagnostics: [{ file: "config.yaml", line: 1, path }] });
		expect(JSON.stringify(result)).toContain(JSON.stringify(hint).slice(1, -1));
	});
});
