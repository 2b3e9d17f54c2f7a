import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FlowArray, type FlowList, orderedFlows } from "../../../src/cli/journey/flow-list.ts";
import { readRows } from "../../../src/cli/journey/flow-rows.ts";
import { readFlows } from "../../../src/cli/journey/flows-file.ts";
import { flowsTable } from "../../../src/cli/journey/flows-text.ts";
import { type AnswerForm, answerFlows } from "../../../src/enforcers/network/history/flow-answer.ts";
import { newBit, rowAt } from "../../../src/enforcers/network/history/flow-rows.ts";
import { flowJson, type SeenFlow } from "../../../src/enforcers/network/history/seen-flow.ts";
import { flow } from "../../enforcers/network/history/support/flows.ts";
import { seenFlows } from "./support/flows.ts";
import { storeOf } from "./support/stored.ts";

const now = 4_000_000_000_000;
const query = { since: null, action: null, onlyNew: false, limit: 1_000_000 };

function answer(flows: readonly SeenFlow[], form: AnswerForm): Uint8Array<ArrayBuffer> {
	return answerFlows(storeOf(flows), query, form, ({ count }) => count % 3 === 0, now);
}

const all = (list: FlowList) => Array.from({ length: list.length }, (_, index) => list.flow(index));
const inOrder = (flows: readonly SeenFlow[]) =>
	flows.map((each) => JSON.stringify(flowJson(each))).toSorted();

test("rows say what JSON says, and the table of both is the same", () => {
	fc.assert(
		fc.property(fc.array(seenFlows, { maxLength: 12 }), (flows) => {
			const rows = readRows(answer(flows, "rows"));
			const json = readFlows("f", Buffer.from(answer(flows, "json")).toString());
			if (!rows.ok || !json.ok) throw new Error(JSON.stringify([rows, json]));
			const { flows: objects, ...sums } = json.history;
			expect(rows.history).toEqual(sums);
			expect(inOrder(all(rows.list))).toEqual(inOrder(objects));
			const tables = [rows.list, new FlowArray(all(rows.list))].map((list) =>
				[
					...flowsTable(
						list,
						orderedFlows(list, () => true),
						now,
					),
				].join(""),
			);
			expect(tables[0]).toBe(tables[1]);
		}),
	);
});

test("an answer may lie anywhere in memory, and be empty", () => {
	const bytes = answer([flow("ingress tcp 22 from 10.0.0.1")], "rows");
	for (const shift of [0, 1, 2, 3]) {
		const shifted = new Uint8Array(bytes.length + shift).subarray(shift);
		shifted.set(bytes);
		const read = readRows(shifted);
		expect(read.ok && all(read.list)).toMatchObject([{ port: 22, interface: "eth0", count: 10 }]);
	}
	expect(readRows(answer([], "rows"))).toMatchObject({ ok: true, list: { length: 0 } });
});

describe("an answer is refused, with the flow that is wrong", () => {
	const two = [flow("ingress tcp 22 from 10.0.0.1"), flow("egress tcp 443 to 192.0.2.0/24")];
	const good = answer(two, "rows");
	const rowBytes = 4 * (rowAt.remote + 1);
	const second = good.length - rowBytes;

	test.each<[string, (rows: DataView) => void, string]>([
		["a hook that there is none of", (rows) => rows.setUint8(0, 6), "it says what no flow can be"],
		[
			"a bit that means nothing",
			(rows) => rows.setUint32(0, newBit << 1, true),
			"it says what no flow can be",
		],
		["a prefix beyond its family's", (rows) => rows.setUint8(1, 33), "it says what no flow can be"],
		["a hook of the other direction", (rows) => rows.setUint8(0, 0b1_0001), "it was not judged where"],
		["what is forwarded for nobody", (rows) => rows.setUint8(0, 0b1_0101), "what is forwarded has a guest"],
		["a port without a protocol of ports", (rows) => rows.setUint8(2, 47), "do not fit"],
		["port 0", (rows) => rows.setUint16(4, 0, true), "its port is 0"],
		["an interface without a name", (rows) => rows.setUint16(6, 7, true), "its interface has no name"],
		["a verdict that is not told", (rows) => rows.setUint32(8, 2, true), "its verdict is not told"],
		["no times", (rows) => rows.setUint32(12, 0, true), "seen no times"],
		["too many times", (rows) => rows.setUint32(16, 0xffff_ffff, true), "too many"],
		["a beginning after the end", (rows) => rows.setUint32(24, 0xffff, true), "its times cannot be"],
		["the year 10000", (rows) => rows.setUint32(32, 0xffff, true), "its times cannot be"],
		["bits beyond the prefix", (rows) => rows.setUint8(36, 1), "bits set beyond its prefix"],
	])("%s", (_, spoil, expected) => {
		const bytes = good.slice();
		spoil(new DataView(bytes.buffer, second));
		const read = readRows(bytes);
		const message = read.ok ? "" : read.message;
		expect(message).toStartWith("flow 1 is wrong: ");
		expect(message).toContain(expected);
	});

	test.each([4, rowBytes - 4])("its last row lacks %d bytes", (missing) => {
		expect(readRows(good.subarray(0, -missing))).toEqual({
			ok: false,
			message: "flow 1 is wrong: it is cut",
		});
	});

	test("a row of a longer address than there is room for", () => {
		const bytes = good.slice();
		new DataView(bytes.buffer, second).setUint8(0, 0b1_1011);
		expect(readRows(bytes)).toEqual({ ok: false, message: "flow 1 is wrong: it is cut" });
	});

	test.each([1, 4])("%d bytes more than its rows take", (more) => {
		const bytes = new Uint8Array(good.length + more);
		bytes.set(good);
		expect(readRows(bytes)).toEqual({ ok: false, message: "there is more behind its last row" });
	});

	const head = { since: 1, merged: 0, lost: 0, flows: 0, interfaces: [""], verdicts: [["Allow", null]] };
	const withHead = (text: string) => {
		const padded = text.padEnd(Math.ceil(text.length / 4) * 4);
		const bytes = new Uint8Array(4 + padded.length);
		new DataView(bytes.buffer).setUint32(0, padded.length, true);
		bytes.set(Buffer.from(padded, "latin1"), 4);
		return bytes;
	};

	test.each<[string, object]>([
		["a time beyond all", { since: 1e15 }],
		["half a number", { merged: 0.5 }],
		["a number below none", { lost: -1 }],
		["an interface that is none", { interfaces: ["a b"] }],
		["a verdict that is none", { verdicts: [["Reject", null]] }],
		["a policy without a name", { verdicts: [["Allow", ""]] }],
		["more than belongs there", { more: 1 }],
	])("a head with %s", (_, change) => {
		expect(readRows(withHead(JSON.stringify(head)))).toMatchObject({ ok: true });
		const read = readRows(withHead(JSON.stringify({ ...head, ...change })));
		expect(read).toEqual({ ok: false, message: "the head of its rows cannot be read" });
	});

	test.each<[string, Uint8Array]>([
		["nothing", new Uint8Array(0)],
		["three bytes", new Uint8Array(3)],
		["a head beyond the end", Uint8Array.of(8, 0, 0, 0, 0x7b, 0x7d, 0x20, 0x20)],
		["a head of no whole words", Uint8Array.of(2, 0, 0, 0, 0x7b, 0x7d)],
		["a head that is no JSON", withHead("{")],
		["JSON", Buffer.from('{"since":"2026-01-01T00:00:00.000Z"}')],
	])("%s", (_, bytes) => {
		expect(readRows(bytes)).toEqual({ ok: false, message: "the head of its rows cannot be read" });
	});

	test("more flows than there are, without memory for them", () => {
		const read = readRows(withHead(JSON.stringify({ ...head, flows: Number.MAX_SAFE_INTEGER })));
		expect(read).toEqual({ ok: false, message: "flow 0 is wrong: it is cut" });
	});

	test("whatever bytes are changed, flows come out that a text can say, or a sentence", () => {
		fc.assert(
			fc.property(
				fc.array(seenFlows, { maxLength: 4 }),
				fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
				(flows, changes) => {
					const bytes = answer(flows, "rows");
					for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
					const read = readRows(bytes);
					if (!read.ok) return;
					const text = [
						...flowsTable(
							read.list,
							orderedFlows(read.list, () => true),
							now,
						),
					].join("");
					expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/u);
					for (const { lastSeen } of all(read.list)) new Date(lastSeen).toISOString();
				},
			),
		);
	});
});
