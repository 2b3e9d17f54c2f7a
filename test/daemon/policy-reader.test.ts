import { expect, test } from "bun:test";
import { defaultConfig } from "../../src/config/parse.ts";
import type { PolicyCalls } from "../../src/daemon/policy-calls.ts";
import { type IdleTimes, PolicyReader } from "../../src/daemon/policy-reader.ts";
import type { JudgeCalls } from "../../src/enforcers/network/run/calls.ts";
import { eventually } from "../system/support/netns.ts";
import { LocalWorker } from "./support/worker.ts";

const text = { digest: "d", files: {}, documents: [] };

function reader(withheld: boolean, kept: () => void, answers: Partial<PolicyCalls>, idle?: IdleTimes) {
	const workers: LocalWorker[] = [];
	const calls = {
		reload: () => ({ documents: [], withheld, parsed: { ever: 1, present: 1 }, sent: {} }),
		keep: () => null,
		...answers,
	};
	const made = new PolicyReader({
		settings: () => ({
			directory: "/p",
			stateDirectory: "/s",
			checkPermissions: false,
			hostname: "h",
			config: defaultConfig(),
		}),
		createWorker: () => {
			const worker = LocalWorker.serving<PolicyCalls & JudgeCalls>(calls as never);
			workers.push(worker);
			return worker;
		},
		gone: () => {},
		read: () => {},
		kept,
		...(idle === undefined ? {} : { idle }),
	});
	return { made, workers };
}

test("what is in force is said once it is kept, and not where what was in force before stays", async () => {
	for (const withheld of [false, true]) {
		let said = 0;
		const { made } = reader(withheld, () => said++, {});
		await made.read({ epoch: "0", form: "concatenated" });
		expect(said).toBe(0);
		expect(await made.keep()).toBeNull();
		expect(said).toBe(withheld ? 0 : 1);
		made.stop();
	}
});

test("a thread that is asked something rests when it has answered", async () => {
	const asked = Promise.withResolvers<{ text: typeof text; change: null }>();
	const { made, workers } = reader(false, () => {}, { tellChange: () => asked.promise as never });
	await made.read({ epoch: "0", form: "concatenated" });
	const argument = { before: { text: null, config: null }, config: defaultConfig() };
	const answer = made.worker.call("tellChange", argument);
	made.rest();
	// By then it would have ended.
	setTimeout(() => asked.resolve({ text, change: null }), 3500);
	expect(await answer).toEqual({ text, change: null });
	await eventually("the rest", () => workers[0]?.terminated === true, 60_000);
	made.stop();
});

test("a thread that keeps what it read rests once more after it was asked much, but not before it was left to rest", async () => {
	let rests = 0;
	const parsed = { ever: 100_000, present: 100_000 };
	const { made, workers } = reader(false, () => {}, {
		reload: () => ({ documents: [], withheld: false, parsed, sent: {} }) as never,
		rest: () => void rests++,
	});
	await made.read({ epoch: "0", form: "concatenated" });
	// What could not be kept lies in its memory alone.
	made.askedMuch();
	await Bun.sleep(3500);
	expect(rests).toBe(0);
	made.rest();
	await eventually("the rest", () => rests === 1, 60_000);
	made.askedMuch();
	await eventually("the next", () => rests === 2, 60_000);
	expect(workers[0]?.terminated).toBe(false);
	made.stop();
});

/** One that reads a set of so many characters, with what is counted of its thread. */
function readerOf(present: number, idle: IdleTimes) {
	const count = { rests: 0 };
	const parsed = { ever: present, present };
	const answers: Partial<PolicyCalls> = {
		reload: () => ({ documents: [], withheld: false, parsed, sent: {} }) as never,
		recall: () => {},
		rest: () => void count.rests++,
		tellChange: () => ({ text, change: null }) as never,
	};
	return { ...reader(false, () => {}, answers, idle), count };
}

test.each([
	[60_000, 0, true],
	[500_000, 1, true],
	[600_000, 1, false],
])("after %d characters a thread rests %d times before it ends or stays", async (present, wanted, ends) => {
	const { made, workers, count } = readerOf(present, { first: 20, second: 200 });
	await made.read({ epoch: "0", form: "concatenated" });
	made.rest();
	if (ends) await eventually("its end", () => workers[0]?.terminated === true, 60_000);
	else await Bun.sleep(400);
	expect([count.rests, workers[0]?.terminated]).toEqual([wanted, ends]);
	// What it is asked then is answered by another one.
	await made.recall();
	expect(workers.length).toBe(ends ? 2 : 1);
	made.stop();
});

test("a thread that is asked again and again does not end, and ends once it is not", async () => {
	const { made, workers } = readerOf(100_000, { first: 10, second: 400 });
	await made.read({ epoch: "0", form: "concatenated" });
	made.rest();
	const argument = { before: { text: null, config: null }, config: defaultConfig() };
	for (let i = 0; i < 12; i++) {
		await Bun.sleep(100);
		// As those who ask do: as long as there is an answer nobody has to recall anything.
		await made.worker.call("tellChange", argument);
	}
	expect(workers.map(({ terminated }) => terminated)).toEqual([false]);
	await eventually("its end", () => workers[0]?.terminated === true, 60_000);
	made.stop();
});

test("a thread that was woken is the one that reads, and ends where nothing is read", async () => {
	const { made, workers } = readerOf(100, { first: 300, second: 20 });
	made.wake();
	made.wake();
	await made.read({ epoch: "0", form: "concatenated" });
	expect(workers.length).toBe(1);
	made.rest();
	await eventually("its end", () => workers[0]?.terminated === true, 60_000);
	made.wake();
	await eventually("the end of what nobody asked", () => workers[1]?.terminated === true, 60_000);
	made.stop();
});

test("no thread is started to rest", async () => {
	const { made, workers } = readerOf(100_000, { first: 10, second: 20 });
	await made.read({ epoch: "0", form: "concatenated" });
	made.rest();
	await eventually("its end", () => workers[0]?.terminated === true, 60_000);
	made.askedMuch();
	await Bun.sleep(100);
	expect(workers.length).toBe(1);
	made.stop();
});
