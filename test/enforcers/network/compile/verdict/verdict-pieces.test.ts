import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
	cornersWithin,
	Overlay,
	type Piece,
	PieceList,
	piecesWithin,
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

describe("an overlay", () => {
	const under = [piece(0, 4, "Allow"), piece(5, 9, "Block"), piece(10, 20, "Allow")];

	test("cuts what is under it, and joins what is alike", () => {
		const over = new Overlay(under);
		over.takeUntil(2);
		over.put(piece(2, 3, "Block"));
		over.takeUntil(7);
		over.put(piece(7, 9, "Allow"));
		const pieces = over.finish();
		expect(pieces).toEqual([
			piece(0, 1, "Allow"),
			piece(2, 3, "Block"),
			piece(4, 4, "Allow"),
			piece(5, 6, "Block"),
			piece(7, 20, "Allow"),
		]);
	});

	test("without anything put is the list itself, and all put is nothing of it", () => {
		expect(new Overlay(under).finish()).toEqual(under);
		const over = new Overlay(under);
		over.takeUntil(0);
		over.put(piece(0, 20, "Audit"));
		expect(over.finish()).toEqual([piece(0, 20, "Audit")]);
	});

	test("is, address by address, what was put and else what is under it", () => {
		const actions = fc.constantFrom("Allow" as const, "Block" as const);
		const list = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), actions), { minLength: 1, maxLength: 8 });
		fc.assert(
			fc.property(
				list,
				fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 4 }), actions)),
				(sizes, puts) => {
					const below: Piece[] = [];
					for (const [size, action] of sizes) {
						const first = Number(below.at(-1)?.last ?? -1) + 1;
						below.push(piece(first, first + size - 1, action));
					}
					const end = Number(below.at(-1)?.last);
					const over = new Overlay(below);
					const wanted = below.flatMap(({ first, last, actions: [action] }) =>
						Array.from({ length: Number(last) - Number(first) + 1 }, () => action),
					);
					let at = 0;
					for (const [gap, size, action] of puts) {
						const [first, last] = [at + gap, Math.min(at + gap + size - 1, end)];
						if (first > end) break;
						over.takeUntil(first);
						over.put(piece(first, last, action));
						wanted.fill(action, first, last + 1);
						at = last + 1;
					}
					const found = over.finish();
					const each = found.flatMap(({ first, last, actions: [action] }) =>
						Array.from({ length: Number(last) - Number(first) + 1 }, () => action),
					);
					expect(each).toEqual(wanted);
				},
			),
		);
	});
});

test("pieces within an interval are those that have something of it", () => {
	const pieces = [piece(0, 4, "Allow"), piece(5, 9, "Block"), piece(10, 20, "Allow")];
	expect(spans(piecesWithin(pieces, { first: 4, last: 5 }))).toEqual([
		[0, 4],
		[5, 9],
	]);
	expect(spans(piecesWithin(pieces, { first: 6, last: 7 }))).toEqual([[5, 9]]);
	expect(spans(piecesWithin([], { first: 0, last: 9 }))).toEqual([]);
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
