import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isIcmp } from "../../../../../src/base/protocol.ts";
import type { SeenKind, SeenPlace } from "../../../../../src/enforcers/network/names.ts";
import { keyPlaces } from "../../../../../src/enforcers/network/observe/seen-sets.ts";
import { FlowKeeper } from "../../../../../src/enforcers/network/run/history/flow-keeper.ts";
import type { Polled } from "../../../../../src/enforcers/network/run/history/history-calls.ts";
import { writeState } from "../../../../../src/state/state-file.ts";

const directories: string[] = [];
afterEach(() => {
	for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

const ingress4: SeenPlace = { direction: "ingress", forwarded: false, family: 4 };
const lifeMs = 300_000;

interface Element {
	readonly place?: SeenPlace;
	readonly kind?: SeenKind;
	readonly host: number;
	readonly protocol?: number;
	/** Of ICMP the type and the code. */
	readonly port?: number;
	readonly count: number;
	/** Milliseconds since the last packet. */
	readonly idle?: number;
}

function keyOf({ place = ingress4, kind = "named", host, protocol = 6, port = 22 }: Element): Uint8Array {
	const at = keyPlaces(place, kind);
	const key = new Uint8Array(at.length);
	const view = new DataView(key.buffer);
	view.setUint32(0, 2, true);
	key.set([203, 0, 113, host], at.remote);
	if (at.guest !== null) key.set([172, 17, 0, 2], at.guest);
	key[at.protocol] = protocol;
	if (at.port !== null) view.setUint16(at.port, port);
	return key;
}

/** A keeper over sets that the test fills. */
function setUp(more: { directory?: string; maxFlows?: number; time?: number } = {}) {
	const directory = more.directory ?? mkdtempSync(join(tmpdir(), "portward-keeper-"));
	if (more.directory === undefined) directories.push(directory);
	const world = {
		elements: [] as readonly Element[],
		error: null as string | null,
		unseen: 0 as number | null,
		time: more.time ?? 1_000_000_000,
		now: 5_000,
		/** Milliseconds for which the thread stands still when a look has begun. */
		stall: 0,
	};
	const keeper = new FlowKeeper({
		stateDirectory: directory,
		maxFlows: more.maxFlows ?? 1000,
		read: (each) => {
			world.time += world.stall;
			world.now += world.stall;
			for (const element of world.elements) {
				const { place = ingress4, kind = "named", count, idle = 0 } = element;
				each(place, kind, { key: keyOf(element), count, left: lifeMs - idle });
			}
			return world.error;
		},
		unseen: () => world.unseen,
		interfaceName: (index) => `eth${index}`,
		time: () => world.time,
		now: () => world.now,
		seed: 1,
	});
	/** Looks, and has everything judged. */
	const poll = (generation = 1): Polled => {
		let polled = keeper.poll({ generation });
		while (polled.questions.length > 0) {
			const rows = polled.questions.map(({ row }) => row);
			const answers = polled.questions.map(({ question }) =>
				isIcmp(question.protocol) && question.source === 8
					? ({ action: "Block", policy: "ping" } as const)
					: ({ action: "Allow", policy: "web" } as const),
			);
			polled = keeper.decided({ generation, rows, answers });
		}
		return polled;
	};
	const flows = (query = "") => {
		const said = keeper.flows({ query });
		if (!said.ok) throw new Error(said.message);
		return JSON.parse(Buffer.from(said.body).toString());
	};
	const pass = (milliseconds: number) => {
		world.time += milliseconds;
		world.now += milliseconds;
	};
	return { keeper, world, directory, poll, flows, pass };
}

test("flows are added up with their verdict and their times, and types of ICMP by what becomes of them", () => {
	const { world, poll, flows, pass, keeper } = setUp();
	world.elements = [
		{ host: 1, count: 2, idle: 1000 },
		{ host: 2, protocol: 1, port: 0x0800, count: 1 },
		{ host: 2, protocol: 1, port: 0x0d00, count: 1 },
		{ host: 2, protocol: 1, port: 0x0e00, count: 1 },
		{ host: 3, kind: "other", protocol: 47, count: 4 },
		{ host: 4, port: 0, count: 1 },
		{ host: 5, place: { direction: "egress", forwarded: true, family: 4 }, count: 1 },
	];
	poll();
	pass(10_000);
	world.elements = [{ host: 1, count: 5 }];
	poll();
	expect(flows().flows).toHaveLength(5);
	expect(flows("limit=1").flows).toEqual([
		{
			direction: "ingress",
			protocol: "tcp",
			remote: "203.0.113.1",
			port: 22,
			interface: "eth2",
			hook: "input",
			guest: null,
			action: "Allow",
			policy: "web",
			count: 5,
			bytes: null,
			firstSeen: new Date(999_999_000).toISOString(),
			lastSeen: new Date(1_000_010_000).toISOString(),
			new: false,
		},
	]);
	expect(flows("verdict=block").flows).toMatchObject([{ protocol: "icmp", port: null, count: 1 }]);
	expect(flows("verdict=allow").flows).toContainEqual(
		expect.objectContaining({ protocol: "icmp", action: "Allow", count: 2 }),
	);
	expect(flows().flows).toContainEqual(
		expect.objectContaining({ hook: "forward", direction: "egress", guest: "172.17.0.2" }),
	);
	expect(keeper.facts).toMatchObject({ flows: 5, lost: 0, problem: "" });
	expect(keeper.flows({ query: "x=1" })).toMatchObject({ ok: false });
});

test("a new ruleset is asked anew, and what it says is another flow", () => {
	const { world, keeper, poll, flows } = setUp();
	world.elements = [{ host: 1, count: 1 }];
	poll(1);
	world.elements = [{ host: 1, count: 3 }];
	const { questions } = keeper.poll({ generation: 2 });
	expect(questions.map(({ question }) => question)).toEqual([
		{
			direction: "ingress",
			forwarded: false,
			family: 4,
			address: 0xcb00_7101n,
			interface: "eth2",
			protocol: "tcp",
			port: 22,
			source: null,
		},
	]);
	const rows = questions.map(({ row }) => row);
	keeper.decided({ generation: 2, rows, answers: [{ action: "Block", policy: "shut" }] });
	expect(flows().flows).toMatchObject([
		{ action: "Allow", count: 1 },
		{ action: "Block", policy: "shut", count: 2 },
	]);
});

test("flows are saved within a minute, come back, and are counted once", () => {
	const { world, directory, poll, pass, keeper } = setUp();
	world.elements = [{ host: 1, count: 3 }];
	poll();
	expect(existsSync(join(directory, "seen-flows.json"))).toBe(false);
	pass(46_000);
	world.elements = [{ host: 1, count: 3, idle: 46_000 }];
	poll();
	expect(existsSync(join(directory, "seen-flows.json"))).toBe(true);
	expect(keeper.save()).toBe("");
	// A minute later another process finds the same element, one that grew, and one that is new.
	const next = setUp({ directory, time: world.time + 60_000 });
	expect(next.keeper.notice).toBe("");
	next.world.elements = [
		{ host: 1, count: 3, idle: 106_000 },
		{ host: 2, count: 2 },
	];
	next.poll();
	expect(next.flows().flows).toMatchObject([
		{ remote: "203.0.113.2", count: 2 },
		{ remote: "203.0.113.1", count: 3 },
	]);
	const third = setUp({ directory, time: world.time + 60_000 });
	third.world.elements = [{ host: 1, count: 9 }];
	third.poll();
	expect(third.flows().flows).toMatchObject([{ remote: "203.0.113.1", count: 4 }]);
});

test("a look that stands still in its midst counts nothing twice", () => {
	const { world, poll, flows, pass } = setUp();
	world.stall = 60_000;
	world.elements = [{ host: 1, count: 3 }];
	poll();
	world.stall = 0;
	pass(10_000);
	world.elements = [{ host: 1, count: 3, idle: 10_000 }];
	poll();
	expect(flows().flows).toMatchObject([{ count: 3 }]);
});

test("a flow that became part of a block is counted once over a restart", () => {
	const { directory, world, poll, keeper, flows } = setUp({ maxFlows: 8 });
	world.elements = Array.from({ length: 12 }, (_, i) => ({ host: 1 + i, count: 5 }));
	poll();
	expect(keeper.facts.merged).toBeGreaterThan(0);
	keeper.save();
	const total = (from: typeof flows) =>
		from().flows.reduce((sum: number, { count }: { count: number }) => sum + count, 0);
	expect(total(flows)).toBe(60);
	const next = setUp({ directory, maxFlows: 8, time: world.time });
	next.world.elements = world.elements;
	next.poll();
	expect([total(next.flows), next.keeper.facts.lost]).toEqual([60, 0]);
});

test("what a look that failed did not meet is known at the next one", () => {
	const { directory, world, poll, keeper } = setUp();
	world.elements = [{ host: 1, count: 5 }];
	poll();
	keeper.save();
	const next = setUp({ directory, time: world.time });
	next.world.error = "EINTR";
	next.poll();
	next.world.error = null;
	next.world.elements = world.elements;
	next.poll();
	expect(next.flows().flows).toMatchObject([{ count: 5 }]);
});

test("a damaged file is told and kept aside, and watching goes on", () => {
	const { directory, world, poll, keeper } = setUp();
	world.elements = [{ host: 1, count: 3 }];
	poll();
	keeper.save();
	const path = join(directory, "seen-flows.json");
	writeFileSync(path, "damaged");
	const { keeper: next } = setUp({ directory });
	expect(next.notice).toContain("watching begins anew");
	expect(readFileSync(join(directory, "seen-flows.damaged.json"), "utf8")).toBe("damaged");
	expect(next.facts.flows).toBe(0);
	writeState(path, { version: 2 });
	expect(setUp({ directory }).keeper.notice).toContain("holds no flows of this version");
});

test("the version before stands in for a damaged one", () => {
	const { directory, world, poll, keeper } = setUp();
	for (const count of [1, 2]) {
		world.elements = [{ host: 1, count }];
		poll();
		keeper.save();
	}
	writeFileSync(join(directory, "seen-flows.json"), "damaged");
	const { keeper: next, flows } = setUp({ directory });
	expect(next.notice).toContain("the version before it is used");
	expect(flows().flows).toMatchObject([{ count: 1 }]);
});

test("where nothing can be saved it is told, and flows go on", () => {
	const { directory, world, poll, keeper } = setUp();
	rmSync(directory, { recursive: true });
	writeFileSync(directory, "");
	world.elements = [{ host: 1, count: 1 }];
	poll();
	expect(keeper.save()).toContain("could not be saved");
	expect(keeper.facts.unsaved).toContain("could not be saved");
	world.elements = [{ host: 1, count: 2 }];
	poll();
	expect(keeper.facts.flows).toBe(1);
});

test("a clock that was set back keeps times in order", () => {
	const { world, poll, flows } = setUp({ time: 2_000_000_000 });
	world.elements = [{ host: 1, count: 1 }];
	poll();
	world.time = 1_000;
	world.now += 10_000;
	world.elements = [{ host: 1, count: 2 }];
	poll();
	expect(flows().flows).toMatchObject([
		{ count: 2, firstSeen: "1970-01-01T00:00:01.000Z", lastSeen: "1970-01-01T00:00:01.000Z" },
	]);
});

test("what the kernel had no room for is lost, as far as this process knows", () => {
	const { world, poll, keeper } = setUp();
	world.unseen = 100;
	poll();
	expect(keeper.facts.lost).toBe(0);
	for (const [unseen, lost] of [
		[105, 5],
		[null, 5],
		// The table was made anew.
		[2, 7],
	] as const) {
		world.unseen = unseen;
		poll();
		expect(keeper.facts.lost).toBe(lost);
	}
});

test("that the kernel cannot be asked is told", () => {
	const { world, poll, keeper } = setUp();
	world.error = "EPERM";
	poll();
	expect(keeper.facts.problem).toBe("the kernel's sets could not be read: EPERM");
	world.error = null;
	poll();
	expect(keeper.facts.problem).toBe("");
});

test("flows outside of the baseline are new, and told, a few by themselves", () => {
	const { world, directory, poll, flows, keeper } = setUp();
	world.elements = [{ host: 1, count: 1 }];
	expect(poll()).toMatchObject({ news: [], moreNews: 0 });
	writeState(join(directory, "seen-baseline.json"), {
		madeAt: 1,
		keys: ["ingress|input|tcp|203.0.113.1/32|22|eth2"],
	});
	world.elements = Array.from({ length: 6 }, (_, i) => ({ host: 1 + i, count: 2 }));
	const polled = poll();
	expect(polled.news.map(({ remote }) => remote)).toEqual(["203.0.113.2", "203.0.113.3", "203.0.113.4"]);
	expect(polled.moreNews).toBe(2);
	expect(keeper.facts.newFlows).toBe(5);
	expect(flows("new=true").flows).toHaveLength(5);
	rmSync(join(directory, "seen-baseline.json"));
	expect(flows("new=true").flows).toEqual([]);
});
