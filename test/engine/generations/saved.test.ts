import { expect, test } from "bun:test";
import { mostGenerations } from "../../../src/base/generation.ts";
import { generationsToSave, savedGenerations } from "../../../src/engine/generations/saved.ts";
import {
	largeGeneration,
	rolledBackGeneration,
	sampleGeneration,
} from "../../report/generations/sample-generations.ts";

const whole = {
	text: {
		digest: "d",
		files: { "a.yaml": "e" },
		documents: [{ path: "a.yaml", index: 0, firstLine: 1, source: "kind: x" }],
	},
	generations: [sampleGeneration, rolledBackGeneration, largeGeneration],
};
const written = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("what is saved is what is read", () => {
	expect(savedGenerations(written(generationsToSave(whole)))).toEqual(whole);
	const none = { text: null, generations: [] };
	expect(savedGenerations(written(generationsToSave(none)))).toEqual(none);
});

test("what has another form is not read: another version, too many, a field of another type", () => {
	const saved = written(generationsToSave(whole));
	if (typeof saved !== "object" || saved === null) throw new Error("no object");
	const many = Array.from({ length: mostGenerations + 1 }, () => sampleGeneration);
	for (const wrong of [
		null,
		[],
		{ ...saved, version: 2 },
		{ ...saved, generations: many },
		{ ...saved, generations: [{ ...sampleGeneration, time: "<script>" }] },
		{ ...saved, generations: [{ ...sampleGeneration, generation: "1" }] },
		{ ...saved, generations: [{ ...sampleGeneration, verdicts: { told: [{}], more: 0 } }] },
		{ ...saved, text: { digest: 1 } },
	])
		expect(savedGenerations(written(wrong))).toBeNull();
	expect(savedGenerations({ ...saved, generations: many.slice(1) })?.generations).toHaveLength(
		mostGenerations,
	);
});
