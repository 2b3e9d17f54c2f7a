import { afterEach, expect, spyOn, test } from "bun:test";
import { defaultConfig } from "../../../../../src/config/parse.ts";
import type { AnswerForm } from "../../../../../src/enforcers/network/history/flow-answer.ts";
import type { JudgeCalls } from "../../../../../src/enforcers/network/run/calls.ts";
import { FlowWatch } from "../../../../../src/enforcers/network/run/history/flow-watch.ts";
import type {
	HistoryCalls,
	HistoryFacts,
	Polled,
	SeenQuestion,
} from "../../../../../src/enforcers/network/run/history/history-calls.ts";
import type { Alert } from "../../../../../src/report/alert.ts";
import { flowJson } from "../../../../cli/journey/support/flows.ts";

const facts: HistoryFacts = {
	flows: 1,
	merged: 0,
	lost: 0,
	newFlows: 0,
	since: 1000,
	pollMs: 1,
	elements: 1,
	problem: "",
	unsaved: "",
};
const quiet: Polled = { facts, changes: 0, questions: [], news: [], moreNews: 0 };
const question: SeenQuestion = {
	direction: "ingress",
	forwarded: false,
	family: 4,
	address: 1n,
	interface: "eth0",
	protocol: "tcp",
	port: 22,
	source: null,
};

const watches: FlowWatch[] = [];
afterEach(async () => {
	for (const watch of watches.splice(0)) await watch.stop();
});

function setUp(more: { enabled?: boolean; counts?: boolean; waitMs?: number } = {}) {
	const log: string[] = [];
	const alerts: Alert[] = [];
	const world = {
		polled: [quiet] as Polled[],
		generation: 1,
		/** What the thread that compiled knows; null where it rests. */
		judged: [{ action: "Allow", policy: "web" }] as ReturnType<JudgeCalls["judgeSeen"]>,
		notice: "",
		hangs: false,
		body: () => new Uint8Array(2),
		form: undefined as AnswerForm | undefined,
		/** The thread that compiles comes to no question. */
		busy: false,
		/** The disk takes nothing. */
		stuck: false,
	};
	const answers: { [N in keyof HistoryCalls]?: (argument: unknown) => unknown } = {
		open: () => world.notice,
		poll: () => world.polled.shift() ?? quiet,
		decided: () => world.polled.shift() ?? quiet,
		flows: (argument) => {
			({ form: world.form } = argument as Parameters<HistoryCalls["flows"]>[0]);
			return world.hangs ? new Promise(() => {}) : { ok: true, body: world.body() };
		},
		save: () => (world.stuck ? new Promise(() => {}) : ""),
	};
	const watch = new FlowWatch({
		config: () => ({
			...defaultConfig(),
			observe: { enabled: more.enabled ?? true, maxFlows: 1000 },
		}),
		generation: () => world.generation,
		counts: () => more.counts ?? true,
		createClient: () => ({
			call: async (name, argument) => {
				log.push(name);
				return (await answers[name]?.(argument)) as never;
			},
			stop: () => void log.push("stop"),
		}),
		judge: {
			call: async (name) => {
				log.push(name);
				return (await (world.busy ? new Promise(() => {}) : world.judged)) as never;
			},
		},
		policies: {
			askedMuch: () => void log.push("asked much"),
			recall: async () => {
				log.push("recall");
				world.judged = [{ action: "Block", policy: "web" }];
			},
		},
		sink: { publish: (published) => void alerts.push(...published) },
		identity: { clusterName: "c", hostName: "h", nodeId: "n" },
		warn: (message) => void log.push(message),
		waitMs: more.waitMs ?? 30_000,
	});
	watches.push(watch);
	return { watch, world, log, alerts };
}

test("what is open is asked of the thread that compiled, which reads the policies once more where it rested", async () => {
	const { watch, world, log } = setUp();
	world.judged = null;
	world.polled = [{ ...quiet, questions: [{ row: 0, question }] }, quiet];
	expect((await watch.flows("")).status).toBe(200);
	expect(log).toEqual(["open", "poll", "judgeSeen", "recall", "judgeSeen", "decided", "flows"]);
	expect(watch.status).toMatchObject({ enabled: true, flows: 1, maxFlows: 1000, reason: "" });
	expect(watch.warnings).toEqual([]);
	await watch.stop();
	expect(log.slice(-3)).toEqual(["poll", "save", "stop"]);
});

test("where nothing came for a minute, looks are rarer, until something comes", async () => {
	const { watch, world } = setUp();
	const later = () => watch.pauseMs(performance.now() + 60_000);
	await watch.flows("");
	expect([watch.pauseMs(performance.now()), later()]).toEqual([10_000, 30_000]);
	const before = performance.now();
	await watch.poll();
	expect(watch.pauseMs(before + 60_000)).toBe(30_000);
	world.polled = [{ ...quiet, changes: 1 }];
	await watch.poll();
	expect(watch.pauseMs(before + 60_000)).toBe(10_000);
});

test("what comes on a quiet host is looked at again as soon as on a busy one", async () => {
	const { watch, world } = setUp();
	watch.start();
	await watch.flows("");
	const real = performance.now();
	const clock = spyOn(performance, "now").mockReturnValue(real + 70_000);
	const timers = spyOn(globalThis, "setTimeout");
	try {
		world.polled = [{ ...quiet, changes: 1 }, quiet];
		await watch.poll();
		const [pause] = timers.mock.calls.map(([, milliseconds]) => milliseconds ?? 0);
		expect(pause).toBeLessThanOrEqual(15_000);
		await watch.poll();
		expect(timers).toHaveBeenCalledTimes(1);
	} finally {
		clock.mockRestore();
		timers.mockRestore();
	}
	await watch.stop();
});

test("nothing is asked before policies are in force, where nothing is to be watched, or where the kernel cannot", async () => {
	const early = setUp();
	early.world.generation = 0;
	early.watch.start();
	await early.watch.poll();
	expect(early.log).toEqual(["open"]);
	expect(early.watch.status).toMatchObject({ enabled: true, reason: "starting" });
	const off = setUp({ enabled: false });
	off.watch.start();
	const refused = await off.watch.flows("");
	expect([refused.status, refused.body]).toEqual([
		503,
		expect.stringContaining("flows are not watched: observe.enabled is false"),
	]);
	expect(off.log).toEqual([]);
	expect(off.watch.status).toMatchObject({ enabled: false, reason: "observe.enabled is false" });
	const blind = setUp({ counts: false });
	expect(blind.watch.status).toMatchObject({ enabled: false });
	expect((await blind.watch.flows("")).body).toContain("not watched: the kernel cannot count flows in sets");
});

test("new flows are alerted, a few a minute", async () => {
	const { watch, world, alerts } = setUp();
	watch.start();
	const news = Array.from({ length: 3 }, () => flowJson);
	world.polled = Array.from({ length: 3 }, () => ({ ...quiet, news, moreNews: 2 }));
	for (let i = 0; i < 4; i++) await watch.poll();
	expect(alerts).toHaveLength(5);
	expect(alerts[0]?.Tags).toBe("NEW-FLOW");
});

test("what goes wrong is told, and a thread that ended is made anew", async () => {
	const { watch, world, log } = setUp();
	world.notice = "the file is damaged";
	world.polled = [{ ...quiet, facts: { ...facts, problem: "the disk is full" } }];
	watch.start();
	await watch.poll();
	expect(watch.warnings).toEqual(["flows are not watched as they should be: the disk is full"]);
	expect(log).toContain("flows: the file is damaged");
	world.polled = Array.from({ length: 2 }, () => ({
		...quiet,
		facts: { ...facts, unsaved: "the disk is full" },
	}));
	await watch.poll();
	await watch.poll();
	expect(log.filter((line) => line === "the disk is full")).toHaveLength(1);
	expect([watch.warnings, watch.status.reason]).toEqual([[], "the disk is full"]);
	watch.gone("out of memory");
	expect(watch.warnings).toEqual([expect.stringContaining("out of memory")]);
	expect((await watch.flows("")).status).toBe(200);
	expect(watch.warnings).toEqual([]);
	expect(log.filter((call) => call === "open")).toHaveLength(2);
});

test("a look that asks much says so, and one of a host that is merely busy does not", async () => {
	const { watch, world, log } = setUp();
	const many = (length: number) => ({
		...quiet,
		questions: Array.from({ length }, (_, row) => ({ row, question })),
	});
	await watch.flows("");
	world.polled = [many(6000), many(3999), quiet];
	await watch.poll();
	expect(log).not.toContain("asked much");
	world.polled = [many(6000), many(4000), quiet];
	await watch.poll();
	expect(log.filter((line) => line === "asked much")).toHaveLength(1);
});

test("rows are for who asks for them and for nothing else", async () => {
	const { watch, world } = setUp();
	const type = "application/vnd.portward.flow-rows.1";
	world.body = () => new Uint8Array(3);
	expect(await watch.flows("", type)).toMatchObject({ status: 200, type });
	expect(world.form).toBe("rows");
	for (const accept of ["", "*/*", "application/json", `${type}, */*`]) {
		expect(await watch.flows("", accept)).toMatchObject({
			type: expect.stringContaining("application/json"),
		});
		expect(world.form).toBe("json");
	}
});

test("an answer that does not come is not waited for for ever", async () => {
	const { watch, world } = setUp({ waitMs: 1 });
	world.hangs = true;
	expect(await watch.flows("")).toMatchObject({ status: 503, body: expect.stringContaining("busy") });
});

test("an answer that was given is kept by nobody", async () => {
	const { watch, world } = setUp();
	const given: WeakRef<Uint8Array>[] = [];
	world.body = () => {
		const body = new Uint8Array(100_000);
		given.push(new WeakRef(body));
		return body;
	};
	// What one call leaves on the stack the next ones overwrite.
	for (let i = 0; i < 20; i++) await watch.flows("");
	await Bun.sleep(10);
	Bun.gc(true);
	expect(given.filter((body) => body.deref() !== undefined).length).toBeLessThan(5);
});

test("who stops waits neither for the thread that compiles nor for the disk", async () => {
	const { watch, world, log } = setUp();
	watch.start();
	await watch.poll();
	world.busy = true;
	world.polled = [{ ...quiet, questions: [{ row: 0, question }] }];
	world.stuck = true;
	await watch.stop();
	expect(log.slice(-4)).toEqual(["poll", "judgeSeen", "save", "stop"]);
});
