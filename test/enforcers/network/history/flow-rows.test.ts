import { expect, test } from "bun:test";
import fc from "fast-check";
import {
	headAt,
	historyRows,
	newBit,
	numberAt,
	type RowsHead,
	readRow,
	rowAt,
	rowLength,
} from "../../../../src/enforcers/network/history/flow-rows.ts";
import {
	flowWords,
	interfaceOf,
	setInterface,
	setVerdict,
	verdictOf,
} from "../../../../src/enforcers/network/history/flow-words.ts";
import { seenFlows } from "../../../cli/journey/support/flows.ts";
import { storeOf } from "../../../cli/journey/support/stored.ts";

test("each row has the store's words and numbers, and no row is longer than its addresses need", () => {
	fc.assert(
		fc.property(fc.array(seenFlows, { maxLength: 8 }), fc.integer({ min: 0 }), (flows, now) => {
			const store = storeOf(flows);
			// Not all: names that only the others bear are not told.
			const asked = Uint32Array.from({ length: Math.ceil(store.size / 2) }, (_, row) => store.size - 1 - row);
			const sums = { since: 7, merged: 1, lost: 2 };
			const bytes = historyRows(sums, store, asked, (row) => row % 2 === 1, now);
			const begin = headAt + new DataView(bytes.buffer).getUint32(0, true);
			const head: RowsHead = JSON.parse(Buffer.from(bytes.subarray(headAt, begin)).toString());
			expect(head).toMatchObject({ ...sums, flows: asked.length });
			const [links, verdicts] = [new Set<number>(), new Set<number>()];
			const rows = new Uint32Array(bytes.buffer, begin);
			const [words, expected] = [new Uint32Array(flowWords), new Uint32Array(flowWords)];
			let at = 0;
			for (const row of asked) {
				const { count, first, last } = store.read(row, expected);
				readRow(rows, at, words);
				const [link, verdict] = [interfaceOf(words), verdictOf(words)];
				links.add(link);
				verdicts.add(verdict);
				expect(head.interfaces[link]).toBe(store.interfaces[interfaceOf(expected)] ?? "none");
				const { action, policy } = store.verdicts[verdictOf(expected)] ?? {};
				expect<unknown>(head.verdicts[verdict]).toEqual([action, policy]);
				setInterface(words, interfaceOf(expected));
				setVerdict(words, verdictOf(expected));
				expect(words).toEqual(expected);
				expect(numberAt(rows, at + rowAt.count)).toBe(count);
				expect(numberAt(rows, at + rowAt.last)).toBe(Math.min(last, now));
				expect(numberAt(rows, at + rowAt.first)).toBe(Math.min(first, last, now));
				expect(((rows[at] ?? 0) & newBit) !== 0).toBe(row % 2 === 1);
				at += rowLength(words[0] ?? 0);
			}
			expect(at).toBe(rows.length);
			expect([links.size, verdicts.size]).toEqual([head.interfaces.length, head.verdicts.length]);
		}),
	);
});
