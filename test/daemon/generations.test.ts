import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mostGenerations, type SetChange } from "../../src/base/generation.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { type Confirmable, Generations } from "../../src/daemon/generations.ts";
import type { Before, Told } from "../../src/engine/generations/set-change.ts";
import { sampleGeneration } from "../report/generations/sample-generations.ts";

let state: string;
let warned: string[];
let asked: Before[];

beforeEach(() => {
	state = mkdtempSync(join(tmpdir(), "portward-generations-"));
	[warned, asked] = [[], []];
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const { files, settings, rules, verdicts, problem } = sampleGeneration;
const change: SetChange = { files, settings, rules, verdicts, problem };
const text = (digest: string) => ({ digest, files: {}, documents: [] });
const pending: Confirmable = { id: "c1", from: "/root/new", asker: { uid: 0, pid: 7, session: null } };

/** @param answers of the thread that compiles, one after the other */
function start(...answers: (Told | Error)[]): Generations {
	let number = 0;
	const generations = new Generations({
		stateDirectory: state,
		tell: async (before) => {
			asked.push(before);
			await Bun.sleep(1);
			const answer = answers.shift() ?? new Error("the thread ended");
			return answer instanceof Error ? Promise.reject(answer) : answer;
		},
		generation: () => ++number,
		log: {
			info: () => {},
			warn: (message, fields) => void warned.push(`${message}: ${fields?.reason}`),
			error: () => {},
		},
	});
	generations.start();
	return generations;
}

const config = defaultConfig();

test("changes are kept, newest first, and outlast the daemon", async () => {
	const first = start(
		{ text: text("a"), change },
		{ text: text("a"), change: null },
		{ text: text("b"), change },
	);
	for (let times = 0; times < 3; times++) first.inForce(config, null);
	await first.done();
	expect(first.all.map(({ generation }) => generation)).toEqual([3, 1]);
	expect(first.all[0]).toMatchObject({ ...change, confirmation: null, rollbackOf: null });
	const second = start({ text: text("b"), change: null });
	expect(second.all).toEqual(first.all);
	second.inForce(config, null);
	await second.done();
	expect(asked.at(-1)).toEqual({ text: text("b"), config: null });
	second.inForce(config, null);
	expect(asked.at(-1)?.config).toEqual(config);
	await second.done();
	expect(warned).toEqual(["what changed in the policies cannot be told: the thread ended"]);
});

test("who confirmed a change is said of it, whenever that is", async () => {
	const generations = start({ text: text("a"), change });
	generations.inForce(config, pending);
	// The thread has not answered yet.
	generations.settled("confirmed", pending, "by somebody ".repeat(100));
	await generations.done();
	expect(generations.all).toMatchObject([
		{ confirmation: { id: "c1", asker: { uid: 0, pid: 7 }, result: "confirmed" }, rollbackOf: null },
	]);
	expect(generations.all[0]?.confirmation?.how).toHaveLength(500);
	expect(start().all).toEqual(generations.all);
});

test("a rollback is said of the change, and of what came into force by it", async () => {
	const generations = start(
		{ text: text("a"), change },
		{ text: text("b"), change },
		{ text: text("a"), change },
	);
	generations.inForce(config, null);
	generations.inForce(config, { ...pending, asker: null });
	await generations.done();
	expect(generations.all[0]?.confirmation).toMatchObject({ result: "pending", asker: null, settled: null });
	generations.inForce(config, null);
	generations.settled("rolled_back", pending, "not confirmed in time");
	generations.settled("rolled_back", null, "a record that was lost");
	generations.settled("confirmed", { ...pending, id: "another" }, "");
	await generations.done();
	expect(generations.all).toMatchObject([
		{ confirmation: null, rollbackOf: "c1" },
		{ confirmation: { id: "c1", result: "rolled_back", how: "not confirmed in time" }, rollbackOf: null },
		{ confirmation: null, rollbackOf: null },
	]);
});

test("the last ones are kept", async () => {
	const answers = Array.from({ length: mostGenerations + 3 }, (_, index) => ({
		text: text(`${index}`),
		change,
	}));
	const generations = start(...answers);
	for (const _ of answers) generations.inForce(config, null);
	await generations.done();
	expect(generations.all).toHaveLength(mostGenerations);
	expect(generations.all[0]?.generation).toBe(mostGenerations + 3);
	expect(start().all).toEqual(generations.all);
});

test("what cannot be read begins anew, and what cannot be written goes on; both are said", async () => {
	writeFileSync(join(state, "generations.json"), "{}");
	expect(start().all).toEqual([]);
	expect(warned).toEqual([expect.stringContaining("is not whole")]);
	rmSync(join(state, "generations.json"));
	mkdirSync(join(state, "generations.json"));
	const generations = start({ text: text("a"), change });
	generations.inForce(config, null);
	await generations.done();
	expect(generations.all).toHaveLength(1);
	expect(warned.at(-1)).toContain("cannot be saved");
});
