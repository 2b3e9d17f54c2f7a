import { expect, test } from "bun:test";
import fc from "fast-check";
import { FlowPieces } from "../../../src/cli/journey/flow-pieces.ts";
import { readFlows } from "../../../src/cli/journey/flows-file.ts";
import { historyJson, type SeenHistory } from "../../../src/enforcers/network/history/seen-flow.ts";
import { flowJson, histories, historyText } from "./support/flows.ts";

/** @param cuts where the text is cut, in any order */
function inPieces(text: string, cuts: readonly number[]): SeenHistory | null {
	const ends = [...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b);
	const pieces = new FlowPieces();
	let from = 0;
	for (const end of ends) {
		pieces.take(text.slice(from, end));
		from = end;
	}
	return pieces.end();
}

const anyCuts = fc.array(fc.nat(100_000), { maxLength: 12 });

test("wherever it is cut, a text says what it says as a whole", () => {
	fc.assert(
		fc.property(histories, fc.constantFrom(0, 2), anyCuts, (history, indent, cuts) => {
			const pieces = inPieces(JSON.stringify(historyJson(history), null, indent), cuts);
			expect(pieces).toEqual(history);
		}),
	);
});

test("what is not as it should be is read as the other reader does, or not at all", () => {
	const marks = [
		"},",
		"]",
		"[",
		"{",
		"}",
		",",
		'"',
		"\\",
		'"flows":[',
		"5",
		"\n",
		"",
		"\ufeff",
		"}],",
		"},{",
	];
	fc.assert(
		fc.property(
			histories,
			fc.constantFrom(...marks),
			fc.nat(),
			fc.nat(3),
			anyCuts,
			(history, mark, at, gone, cuts) => {
				const text = JSON.stringify(historyJson(history));
				const place = at % (text.length + 1);
				const changed = text.slice(0, place) + mark + text.slice(place + gone);
				const pieces = inPieces(changed, cuts);
				if (pieces === null) return;
				expect(readFlows("f", changed)).toEqual({ ok: true, history: pieces });
			},
		),
	);
});

test("a name that looks like the end of a flow is not taken for one", () => {
	const text = historyText([
		{ ...flowJson, policy: "a},{b" },
		{ ...flowJson, interface: "]},{[" },
	]);
	const whole = readFlows("f", text);
	for (let cut = 0; cut <= text.length; cut++) {
		const history = inPieces(text, [cut]);
		if (history !== null) expect(whole).toEqual({ ok: true, history });
	}
});

test.each([
	["two lists", '"flows":[],"flows":'],
	["a list of lists", '"flows":[['],
	["no time", '"flows":[],"since":"now","flows":'],
])("%s", (_, instead) => {
	expect(inPieces(historyText([flowJson]).replace('"flows":', instead), [])).toBeNull();
});

test("no comma may stand before the end, wherever the text is cut", () => {
	for (const end of ["},]", "}, ]", "},\n]"]) {
		const text = historyText([flowJson, flowJson]).replace("}]", end);
		expect(readFlows("f", text).ok).toBe(false);
		for (let cut = 0; cut <= text.length; cut++) expect(inPieces(text, [cut])).toBeNull();
	}
});

test("what never ends a flow is not kept", () => {
	const pieces = new FlowPieces();
	const junk = "x".repeat(10_000);
	let taken = 0;
	while (pieces.take(`${taken === 0 ? '{"since":"","flows":[' : ""}${junk}`)) taken += 1;
	expect(taken).toBeLessThan(8);
	expect([pieces.take(junk), pieces.end()]).toEqual([false, null]);

	const other = new FlowPieces();
	for (taken = 0; other.take(junk); taken++);
	expect(taken).toBeLessThan(8);
});
