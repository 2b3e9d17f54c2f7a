import { describe, expect, test } from "bun:test";
import {
	Cursor,
	cornersWithin,
	type Piece,
	PieceList,
	union,
} from "../../../../../src/enforcers/network/compile/verdict/verdict-pieces.ts";

const piece = (first: number, last: number, ...actions: Piece["actions"]): Piece => ({
	first,
	last,
	actions,
});
const spans = (pieces: Iterable<Piece>) => [...pieces].map(({ first, last }) => [first, last]);

test("intervals that meet are one, with those that it was made of; neighbours stay apart", () => {
	const [a, b, c] = [
		{ first: 5, last: 9 },
		{ first: 0, last: 5 },
		{ first: 10, last: 12 },
	];
	expect(union([a, b, c])).toEqual([
		{ first: 0, last: 9, members: [b, a] },
		{ first: 10, last: 12, members: [c] },
	]);
});

describe("a cursor", () => {
	test("cuts a piece where it is told to, and goes on with the rest of it", () => {
		const cursor = new Cursor([piece(0, 4, "Allow"), piece(5, 9, "Block")]);
		expect(spans(cursor.until(2))).toEqual([[0, 1]]);
		expect(spans(cursor.until(2))).toEqual([]);
		expect(spans(cursor.until(7))).toEqual([
			[2, 4],
			[5, 6],
		]);
		expect(spans(cursor.until(null))).toEqual([[7, 9]]);
		expect(spans(cursor.until(null))).toEqual([]);
	});

	test("of nothing has nothing", () => {
		expect(spans(new Cursor([]).until(null))).toEqual([]);
	});
});

test("corners are where something begins or has just ended, within the bounds", () => {
	const bounds = [
		{ first: 3, last: 5 },
		{ first: 0, last: 99 },
		{ first: 10, last: 20 },
	];
	expect(cornersWithin({ first: 2, last: 10 }, bounds)).toEqual([2, 3, 6, 10]);
});

test("neighbours that are alike are one, also of 128 bits", () => {
	const list = new PieceList([piece(0, 4, "Allow"), piece(5, 9, "Allow"), piece(10, 10, "Block")]);
	expect(spans(list.pieces)).toEqual([
		[0, 9],
		[10, 10],
	]);
	const wide = new PieceList();
	wide.add(0n, 1n, ["Audit"]);
	wide.add(2n, 3n, ["Audit"]);
	wide.add(5n, 5n, ["Audit"]);
	expect(wide.pieces.map(({ first, last }) => [first, last])).toEqual([
		[0n, 3n],
		[5n, 5n],
	]);
});
