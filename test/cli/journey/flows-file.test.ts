import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { flowOf, plainFlow, readFlows } from "../../../src/cli/journey/flows-file.ts";
import { historyJson } from "../../../src/enforcers/network/history/seen-flow.ts";
import { flowJson, histories, historyText } from "./support/flows.ts";

test("what flows --json prints is read back as it was", () => {
	fc.assert(
		fc.property(histories, fc.constantFrom(0, 2), (history, indent) => {
			const text = JSON.stringify(historyJson(history), null, indent);
			expect(readFlows("flows.json", text)).toEqual({ ok: true, history });
		}),
	);
});

test("the quick way reads what the other one does, and nothing that is wrong", () => {
	const values = fc.oneof(
		fc.constantFrom(null, "", 0, 1, 0.5, -1, "egress", "forward", "icmp", "10.0.0.1/24", "::1"),
		fc.string(),
	);
	let quick = 0;
	fc.assert(
		fc.property(histories, fc.constantFrom(...Object.keys(flowJson)), values, ({ flows }, field, value) => {
			for (const flow of historyJson({ since: 0, flows, merged: 0, lost: 0 }).flows) {
				for (const entry of [flow, { ...flow, [field]: value }, { ...flow, more: value }]) {
					const plain = plainFlow(entry);
					if (plain === null) continue;
					quick += 1;
					expect(flowOf(entry)).toEqual(plain);
				}
			}
		}),
	);
	expect(quick).toBeGreaterThan(100);
	for (const entry of [null, 1, "flow", [], {}]) expect(plainFlow(entry)).toBeNull();
});

describe("what is wrong has a place and a remedy", () => {
	test.each([
		["a direction", { direction: "in" }, "flows[0].direction", "write ingress or egress"],
		["a protocol", { protocol: "http" }, "flows[0].protocol", '"tcp"'],
		["a protocol that is a number", { protocol: 6 }, "flows[0].protocol", '"47"'],
		["an address", { remote: "10.0.0.300" }, "flows[0].remote", "10.0.1.0/24"],
		["host bits", { remote: "10.0.0.1/24" }, "flows[0].remote", "first address"],
		["a port", { port: 0 }, "flows[0].port", "1 to 65535"],
		["a port that is missing", { port: null }, "flows[0].port", "1 to 65535"],
		["a port too many", { protocol: "icmp" }, "flows[0].port", "write null"],
		["a link", { interface: "../../etc" }, "flows[0].interface", "at most 15"],
		["a long link", { interface: "e".repeat(16) }, "flows[0].interface", "at most 15"],
		["a hook", { hook: "prerouting" }, "flows[0].hook", "input, output or forward"],
		["a hook of the other direction", { hook: "output" }, "flows[0].hook", "write input"],
		["a guest that is missing", { hook: "forward" }, "flows[0].guest", "guest's address"],
		["a guest too many", { guest: "172.17.0.2" }, "flows[0].guest", "write null"],
		["a guest's address", { hook: "forward", guest: "guest" }, "flows[0].guest", "10.0.1.0/24"],
		["a guest of the other family", { hook: "forward", guest: "fd00::2" }, "flows[0].guest", "other family"],
		["an action", { action: "Allowed" }, "flows[0].action", "Allow, Audit or Block"],
		["a policy", { policy: "" }, "flows[0].policy", "DefaultPosture"],
		["a count", { count: 0 }, "flows[0].count", "from 1 on"],
		["bytes", { bytes: -1 }, "flows[0].bytes", "from 0 on"],
		["a time", { firstSeen: "yesterday" }, "flows[0].firstSeen", "in UTC"],
		["a day that no month has", { lastSeen: "2026-11-31T00:00:00Z" }, "flows[0].lastSeen", "in UTC"],
		["a day that is none", { lastSeen: "2026-13-40T00:00:00Z" }, "flows[0].lastSeen", "in UTC"],
		["times the other way round", { firstSeen: "2027-01-01T00:00:00Z" }, "flows[0].firstSeen", "earlier"],
		["a flag", { new: 1 }, "flows[0].new", "true or false"],
		["a field that nobody knows", { colour: "red" }, "flows[0].colour", "leave it out"],
		["a field that is missing", { count: undefined }, "flows[0]", "portward flows --json"],
	])("%s", (_, change, path, hint) => {
		const read = readFlows("f", historyText([{ ...flowJson, ...change }]));
		expect(read.ok ? [] : read.diagnostics).toMatchObject([
			{ file: "f", line: 1, path, severity: "error", hint: expect.stringContaining(hint) },
		]);
	});

	test.each([
		["no JSON", "{", "", 1, 2],
		["JSON of something else", "[]", "", 1, 1],
		["no object", '"x"', "", 1, 1],
		["a missing list", '{"since":"2026-11-30T00:00:00Z","merged":0,"lost":0}', "", 1, 1],
		["a wrong list", '{"since":"2026-11-30T00:00:00Z",\n"flows":5,"merged":0,"lost":0}', "flows", 2, 9],
		[
			"a flow that is none",
			'{"since":"2026-11-30T00:00:00Z",\n"flows":[5],"merged":0,"lost":0}',
			"flows[0]",
			2,
			10,
		],
	])("%s", (_, text, path, line, column) => {
		const read = readFlows("f", text);
		expect(read.ok ? [] : read.diagnostics).toMatchObject([{ path, line, column }]);
	});
});

test("no text makes it throw, and none that is not JSON of flows is believed", () => {
	fc.assert(
		fc.property(fc.oneof(fc.json(), fc.string({ unit: "binary" })), (text) => {
			expect(readFlows("f", text).ok).toBe(false);
		}),
	);
});

test("a hostile name of a link or a policy stays text", () => {
	const read = readFlows("f", historyText([{ ...flowJson, interface: "\u001b[2J", policy: "a\nb" }]));
	expect(read.ok && read.history.flows).toMatchObject([{ interface: "\u001b[2J", policy: "a\nb" }]);
});
