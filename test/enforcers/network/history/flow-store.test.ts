import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { containsCidr } from "../../../../src/base/cidr.ts";
import type { Action } from "../../../../src/base/model.ts";
import { FlowStore } from "../../../../src/enforcers/network/history/flow-store.ts";
import {
	flowWords,
	setAddress,
	setFacts,
	setVerdict,
} from "../../../../src/enforcers/network/history/flow-words.ts";
import {
	loadHistory,
	readSavedHistory,
	saveHistory,
} from "../../../../src/enforcers/network/history/saved-history.ts";
import type { SeenFlow } from "../../../../src/enforcers/network/history/seen-flow.ts";

const late = 10_000_000_000_000;

interface Seen {
	readonly egress: boolean;
	readonly forwarded: boolean;
	readonly family: 4 | 6;
	readonly protocol: 6 | 17 | 1;
	/** Few, so that flows come again, and several blocks. */
	readonly host: number;
	readonly block: number;
	readonly port: number;
	readonly link: string;
	readonly action: Action;
	readonly policy: string | null;
	readonly count: number;
	readonly time: number;
}

const seen: fc.Arbitrary<Seen> = fc.record({
	egress: fc.boolean(),
	forwarded: fc.boolean(),
	family: fc.constantFrom(4 as const, 6 as const),
	protocol: fc.constantFrom(6 as const, 17 as const, 1 as const),
	host: fc.integer({ min: 0, max: 5 }),
	block: fc.integer({ min: 0, max: 3 }),
	port: fc.constantFrom(1, 22, 65_535),
	link: fc.constantFrom("eth0", "wg0"),
	action: fc.constantFrom<Action>("Allow", "Audit", "Block"),
	policy: fc.constantFrom("web", null),
	count: fc.integer({ min: 1, max: 5 }),
	time: fc.integer({ min: 0, max: 1_000_000 }),
});

function bytesOf({ family, host, block }: Pick<Seen, "family" | "host" | "block">): Uint8Array {
	return family === 4
		? Uint8Array.of(203, 0, block, host)
		: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, block, 0xff, 0, 0, 0, 0, 0, 0, host);
}

function add(store: FlowStore, one: Seen): boolean {
	const words = new Uint32Array(flowWords);
	const hook = one.forwarded ? "forward" : one.egress ? "output" : "input";
	const facts = {
		direction: one.egress ? ("egress" as const) : ("ingress" as const),
		hook: hook as "forward" | "output" | "input",
		family: one.family,
		protocol: one.protocol,
		port: one.protocol === 1 ? null : one.port,
		interface: store.interface(one.link),
	};
	setFacts(words, facts, one.forwarded);
	setAddress(words, "remote", bytesOf(one), 0, one.family);
	if (one.forwarded) setAddress(words, "guest", bytesOf({ ...one, host: 9 }), 0, one.family);
	setVerdict(words, store.verdict(one));
	return store.add(words, { count: one.count, first: one.time, last: one.time });
}

const key = (one: Seen) =>
	[one.egress, one.forwarded, one.family, one.protocol, one.protocol === 1 ? "" : one.port].join() +
	[one.host, one.block, one.link, one.action, one.policy].join();

function flowsOf(store: FlowStore): Omit<SeenFlow, "isNew">[] {
	return Array.from({ length: store.size }, (_, row) => store.flow(row, late));
}

const store = (maxFlows: number) => new FlowStore({ maxFlows, seed: 7, since: 5 });

describe("the store of flows", () => {
	test("holds what a Map would, where there is room", () => {
		fc.assert(
			fc.property(fc.array(seen, { maxLength: 300 }), (all) => {
				const held = store(100_000);
				const oracle = new Map<string, { count: number; first: number; last: number }>();
				for (const one of all) {
					const known = oracle.get(key(one));
					expect(add(held, one)).toBe(known === undefined);
					oracle.set(key(one), {
						count: (known?.count ?? 0) + one.count,
						first: Math.min(known?.first ?? one.time, one.time),
						last: Math.max(known?.last ?? one.time, one.time),
					});
				}
				const got = flowsOf(held).map(({ count, firstSeen, lastSeen }) => ({
					count,
					first: firstSeen,
					last: lastSeen,
				}));
				expect(got).toEqual([...oracle.values()]);
				expect([held.merged, held.lost]).toEqual([0, 0]);
			}),
		);
	});

	test("never holds more than it may, and accounts for every flow", () => {
		fc.assert(
			fc.property(fc.array(seen, { maxLength: 300 }), fc.integer({ min: 1, max: 40 }), (all, most) => {
				const held = store(most);
				for (const one of all) {
					add(held, one);
					expect(held.size).toBeLessThanOrEqual(most);
				}
				const flows = flowsOf(held);
				const counted = flows.reduce((sum, { count }) => sum + count, 0) + held.lost;
				expect(counted).toBe(all.reduce((sum, { count }) => sum + count, 0));
				// What is merged lies in its block, with all else as it was.
				for (const flow of flows) {
					const bits = flow.remote.family === 4 ? 32 : 128;
					expect([bits, flow.remote.family === 4 ? 24 : 64]).toContain(flow.remote.prefix);
					const members = all.filter((one) => {
						const lone = store(1);
						add(lone, one);
						const [same] = flowsOf(lone);
						return (
							same !== undefined &&
							containsCidr(flow.remote, same.remote) &&
							[
								same.direction,
								same.hook,
								same.protocol,
								same.port,
								same.interface,
								same.action,
								same.policy,
							].join() ===
								[
									flow.direction,
									flow.hook,
									flow.protocol,
									flow.port,
									flow.interface,
									flow.action,
									flow.policy,
								].join()
						);
					});
					expect(members.length).toBeGreaterThan(0);
					expect(flow.firstSeen).toBeGreaterThanOrEqual(Math.min(...members.map(({ time }) => time)));
					expect(flow.lastSeen).toBeLessThanOrEqual(Math.max(...members.map(({ time }) => time)));
				}
				if (held.merged === 0) expect(flows.every(({ remote }) => remote.prefix >= 32)).toBe(true);
			}),
			{ numRuns: 50 },
		);
	});

	test("keeps the frequent ones apart and merges the rare ones of a block", () => {
		const held = store(8);
		const base: Seen = {
			egress: false,
			forwarded: false,
			family: 4,
			protocol: 6,
			host: 0,
			block: 1,
			port: 22,
			link: "eth0",
			action: "Allow",
			policy: "web",
			count: 1,
			time: 1000,
		};
		for (let host = 0; host < 9; host++) add(held, { ...base, host, count: host < 2 ? 100 : 1 });
		const flows = flowsOf(held);
		expect(held.merged).toBe(2);
		expect(flows.find(({ remote }) => remote.prefix === 24)).toMatchObject({ count: 2 });
		expect(flows.filter(({ count }) => count === 100)).toHaveLength(2);
		expect(held.lost).toBe(0);
	});

	test("keeps flows without an interface where interfaces had more names than there are numbers", () => {
		const held = store(10);
		for (let i = 0; i < 70_000; i++) held.interface(`veth${i}`);
		const base = { egress: false, forwarded: false, family: 4, protocol: 6, port: 22, link: "late" } as const;
		add(held, { ...base, host: 1, block: 0, action: "Allow", policy: null, count: 7, time: 10 });
		expect(flowsOf(held)).toMatchObject([{ interface: "", count: 7 }]);
		const back = loadHistory(saveHistory(held), { maxFlows: 10, seed: 1, since: 0 });
		expect(back && flowsOf(back)).toEqual(flowsOf(held));
		// Names that no flow has are free again.
		expect(back?.interface("late")).toBe(1);
	});

	test("comes back from its file as it was", () => {
		fc.assert(
			fc.property(fc.array(seen, { maxLength: 100 }), fc.integer({ min: 1, max: 40 }), (all, most) => {
				const held = store(most);
				for (const one of all) add(held, one);
				held.lose(3);
				const value: unknown = JSON.parse(JSON.stringify(saveHistory(held)));
				const back = loadHistory(value, { maxFlows: most, seed: 1, since: 99 });
				expect(back).not.toBeNull();
				if (back === null) return;
				expect(flowsOf(back)).toEqual(flowsOf(held));
				expect([back.merged, back.lost, back.since]).toEqual([held.merged, held.lost, held.since]);
				expect(readSavedHistory(value, late)?.flows).toEqual(
					flowsOf(held).map((flow) => ({ ...flow, isNew: false })),
				);
			}),
			{ numRuns: 50 },
		);
	});

	test("takes no more from a file than it may hold", () => {
		const held = store(100);
		const base = { egress: false, forwarded: false, family: 4, protocol: 6, port: 22, link: "eth0" } as const;
		for (let host = 0; host < 100; host++)
			add(held, { ...base, host, block: 0, action: "Allow", policy: null, count: 1, time: 10 });
		const back = loadHistory(saveHistory(held), { maxFlows: 10, seed: 1, since: 0 });
		expect(back?.size).toBeLessThanOrEqual(10);
		expect(back?.merged).toBeGreaterThan(0);
	});
});

describe("a saved history", () => {
	const held = store(10);
	add(held, {
		egress: true,
		forwarded: false,
		family: 6,
		protocol: 17,
		host: 1,
		block: 1,
		port: 22,
		link: "eth0",
		action: "Block",
		policy: "web",
		count: 2,
		time: 50,
	});
	const good = saveHistory(held);
	const options = { maxFlows: 10, seed: 1, since: 0 };

	test("is refused where any part of it cannot be", () => {
		const changed = (at: number, bytes: readonly number[]) => {
			const rows = Buffer.from(good.rows, "base64");
			rows.set(bytes, at);
			return { ...good, rows: rows.toString("base64") };
		};
		const bad: unknown[] = [
			null,
			[],
			{ ...good, version: 2 },
			{ ...good, flows: 2 },
			{ ...good, interfaces: [] },
			{ ...good, verdicts: [] },
			{ ...good, verdicts: [["Drop", null]] },
			{ ...good, rows: "" },
			// A hook that there is none of, a prefix beyond the address, no count, a first after the last.
			changed(0, [0x1f]),
			changed(1, [129]),
			changed(44, [0, 0, 0, 0, 0, 0, 0, 0]),
			changed(52, [0, 0, 0, 0, 0, 0, 0xf0, 0x7f]),
			changed(52, [0, 0, 0, 0, 0, 0, 0x59, 0x40]),
		];
		expect(loadHistory(good, options)).not.toBeNull();
		for (const value of bad) expect(loadHistory(value, options)).toBeNull();
	});

	test("finds its interfaces by their names, whatever their numbers were", () => {
		const rows = Buffer.from(good.rows, "base64");
		rows.writeUInt16LE(0, 6);
		const other = { ...good, interfaces: ["eth0"], rows: rows.toString("base64") };
		expect(readSavedHistory(other, late)).toEqual(readSavedHistory(good, late));
	});

	test("never tells of a later time than now", () => {
		expect(readSavedHistory(good, 20)?.flows[0]).toMatchObject({ firstSeen: 20, lastSeen: 20 });
	});
});
