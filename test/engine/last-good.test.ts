import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { isBroken, type ParsedDocument } from "../../src/document/parse.ts";
import type { GoodDocument, LastGood } from "../../src/engine/collection.ts";
import { LastGoodStore } from "../../src/engine/last-good.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { writeState } from "../../src/state/state-file.ts";
import { documents, policy } from "../system/support/case.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-good-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = () => join(directory, "last-good.json");

function isGood(document: ParsedDocument): document is GoodDocument {
	return document.policy !== null && !isBroken(document);
}

/** Versions as the engine saves them. */
function versions(path: string, text: string): LastGood[] {
	return parsePolicyFile(`/p/${path}`, text)
		.documents.filter(isGood)
		.map((document) => ({ path, index: document.index, document }));
}

const two = documents(
	policy("a", { action: "Block", ingress: [{}] }),
	policy("b", { action: "Audit", egress: [{}] }),
);

describe("the last good documents", () => {
	test("come back with their places, names and meaning", () => {
		const saved = [
			...versions("a.yaml", `\n\n${two}`),
			...versions("deep/c.yaml", policy("c", { egress: [{}] })),
		];
		expect(saved).toHaveLength(3);
		expect(new LastGoodStore(directory).write(saved)).toBeNull();
		const { documents: read, problem } = new LastGoodStore(directory).read("/p");
		expect(problem).toBeNull();
		const shown = ({ path, index, document }: LastGood) => [
			path,
			index,
			document.name,
			document.place,
			document.policy,
		];
		expect(read.map(shown)).toEqual(saved.map(shown));
	});

	test("without a state file there are none, which is no problem", () => {
		expect(new LastGoodStore(join(directory, "none")).read("/p")).toEqual({
			documents: [],
			lists: new Map(),
			problem: null,
		});
	});

	test("a document that is on disk unchanged is not parsed again", () => {
		const saved = versions("a.yaml", two);
		new LastGoodStore(directory).write(saved);
		const { documents: read } = new LastGoodStore(directory).read(
			"/p",
			(path, source) => saved.find((one) => one.path === path && one.document.source === source)?.document,
		);
		expect(read.map(({ document }) => document)).toEqual(saved.map(({ document }) => document));
		for (const [index, { document }] of read.entries())
			expect(document).toBe(saved[index]?.document as GoodDocument);
	});

	test("are written once while they stay the same, and readable by root only", () => {
		const store = new LastGoodStore(directory);
		store.write(versions("a.yaml", two));
		expect(statSync(file()).mode & 0o777).toBe(0o600);
		const { ino } = statSync(file());
		expect(store.write(versions("a.yaml", two))).toBeNull();
		expect(statSync(file()).ino).toBe(ino);
		expect(store.write([])).toBeNull();
		expect(new LastGoodStore(directory).read("/p")).toEqual({
			documents: [],
			lists: new Map(),
			problem: null,
		});
	});

	test("what cannot be written is an error text, and is tried again", () => {
		mkdirSync(file());
		const store = new LastGoodStore(directory);
		expect(store.write(versions("a.yaml", two))).not.toBeNull();
		rmSync(file(), { recursive: true });
		expect(store.write(versions("a.yaml", two))).toBeNull();
		expect(new LastGoodStore(directory).read("/p").documents).toHaveLength(2);
	});
});

describe("damage is a sentence, never a crash", () => {
	test("every cut and every changed byte", () => {
		new LastGoodStore(directory).write(versions("a.yaml", two));
		const whole = readFileSync(file());
		fc.assert(
			fc.property(
				fc.nat(whole.length - 1),
				fc.integer({ min: 1, max: 255 }),
				fc.boolean(),
				(at, change, cut) => {
					const bytes = cut ? whole.subarray(0, at) : Buffer.from(whole);
					if (!cut) bytes[at] = (bytes[at] ?? 0) ^ change;
					writeFileSync(file(), bytes);
					const { documents: read, problem } = new LastGoodStore(directory).read("/p");
					expect(read).toEqual([]);
					expect(problem).toContain("last-good.json");
				},
			),
		);
	});

	test.each([
		[null],
		[[]],
		[{ documents: {} }],
		[{ documents: [{}] }],
		[{ documents: [{ path: "a", index: -1, firstLine: 1, source: "" }] }],
		[{ documents: [{ path: "a", index: 0, firstLine: 0.5, source: "" }] }],
	])("whole, but no set of policies: %p", (value) => {
		expect(writeState(file(), value)).toBeNull();
		const { documents: read, problem } = new LastGoodStore(directory).read("/p");
		expect(read).toEqual([]);
		expect(problem).toContain("is not a set of policies");
	});

	test("a saved document that this version refuses is left out, the others stay", () => {
		const good = policy("a", { action: "Block", ingress: [{}] });
		const entry = (path: string, source: string) => ({ path, index: 0, firstLine: 1, source });
		writeState(file(), {
			documents: [entry("x.yaml", "kind: ["), entry("a.yaml", good), entry("y.yaml", "")],
		});
		const { documents: read, problem } = new LastGoodStore(directory).read("/p");
		expect(problem).toBeNull();
		expect(read.map(({ path }) => path)).toEqual(["a.yaml"]);
	});
});
