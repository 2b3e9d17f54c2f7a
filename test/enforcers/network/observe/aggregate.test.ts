import { expect, test } from "bun:test";
import fc from "fast-check";
import {
	type AggregateLimits,
	Aggregator,
	DEFAULT_LIMITS,
} from "../../../../src/enforcers/network/observe/aggregate.ts";
import { MessageWriter } from "../../../../src/kernel/netlink-message.ts";
import { emptyRecord, type LogRecord } from "../../../../src/kernel/nflog-message.ts";

/** A UDP packet from 10.0.0.HOST:PORT. */
function packet(host: number, port = 1000): Buffer {
	const bytes = Buffer.alloc(28);
	bytes[0] = 0x45;
	bytes[9] = 17;
	bytes.set([10, 0, 0, host, 192, 0, 2, 1], 12);
	bytes.writeUInt16BE(port, 20);
	bytes.writeUInt16BE(53, 22);
	return bytes;
}

interface Feed {
	prefix?: string;
	host?: number;
	port?: number;
	interfaceIndex?: number;
	sequence?: number | null;
	time?: number | null;
	now?: number;
	bytes?: Buffer;
}

function feed(aggregator: Aggregator, given: Feed = {}): void {
	const bytes = given.bytes ?? packet(given.host ?? 1, given.port);
	const record: LogRecord = {
		...emptyRecord(),
		prefix: given.prefix ?? "pw:rule",
		sequence: given.sequence ?? null,
		time: given.time ?? null,
		interfaceIndex: given.interfaceIndex ?? 0,
		payloadStart: 0,
		payloadEnd: bytes.length,
	};
	aggregator.add(bytes, record, given.now ?? 0, 5000, (index) => `if${index}`);
}

function make(limits: Partial<AggregateLimits> = {}): Aggregator {
	return new Aggregator({ ...DEFAULT_LIMITS, ...limits });
}

test("the first packet of a flow is an event, repeats are folded until the window ends", () => {
	const aggregator = make({ foldMs: 10_000 });
	for (const now of [0, 1, 9_999, 10_000, 19_999, 20_000]) feed(aggregator, { now, time: now });
	const batch = aggregator.take();
	expect(batch.events.map(({ time }) => time)).toEqual([0, 10_000, 20_000]);
	expect(batch.tallies).toEqual({ rule: { received: 6, aggregated: 3, overflow: 0 } });
});

test("an event has the rule, the packet, the interface and the kernel's time where there is one", () => {
	const aggregator = make();
	feed(aggregator, { prefix: "pw:a_1", interfaceIndex: 3, time: 1234.5 });
	feed(aggregator, { prefix: "pw:a_2" });
	expect(aggregator.take().events).toEqual([
		{
			time: 1234.5,
			ruleId: "a_1",
			packet: {
				family: 4,
				source: "10.0.0.1",
				destination: "192.0.2.1",
				protocol: 17,
				sourcePort: 1000,
				destinationPort: 53,
			},
			interface: "if3",
		},
		{ time: 5000, ruleId: "a_2", packet: expect.anything(), interface: "" },
	]);
});

test("rule, address, port and interface each make another flow", () => {
	const aggregator = make();
	const flows: Feed[] = [{}, { host: 2 }, { port: 2000 }, { interfaceIndex: 2 }, { prefix: "pw:other" }];
	for (const flow of [...flows, ...flows]) feed(aggregator, flow);
	expect(aggregator.take().events).toHaveLength(flows.length);
});

test("what a cut packet does not hold is another flow than zeros", () => {
	const aggregator = make();
	const bytes = packet(0, 0);
	bytes.fill(0, 12);
	for (const length of [28, 20, 16, 12, 9, 0]) feed(aggregator, { bytes: bytes.subarray(0, length) });
	expect(aggregator.take().events).toHaveLength(6);
});

test("tallies are cumulative, and only those that changed are told", () => {
	const aggregator = make();
	feed(aggregator, { prefix: "pw:a" });
	feed(aggregator, { prefix: "pw:b" });
	expect(Object.keys(aggregator.take().tallies)).toEqual(["a", "b"]);
	feed(aggregator, { prefix: "pw:b" });
	expect(aggregator.take().tallies).toEqual({ b: { received: 2, aggregated: 1, overflow: 0 } });
	expect(aggregator.take()).toEqual({ events: [], tallies: {}, lost: 0, foreign: 0, overruns: 0 });
});

test("gaps in the sequence are losses, from the first number and across the wrap", () => {
	const aggregator = make();
	feed(aggregator, { sequence: 2 });
	expect(aggregator.take().lost).toBe(2);
	feed(aggregator, { sequence: 3 });
	feed(aggregator, { sequence: 10 });
	expect(aggregator.take().lost).toBe(8);
	feed(aggregator, { sequence: 0xffff_ffff });
	const before = aggregator.take().lost;
	feed(aggregator, { sequence: 1 });
	expect(aggregator.take().lost - before).toBe(1);
});

test.each(["", "rule", "pw:", "pw:UPPER", "pw:a b", `pw:${"x".repeat(33)}`, "PW:rule", "pw:a\n"])(
	"the prefix %j is somebody else's",
	(prefix) => {
		const aggregator = make();
		feed(aggregator, { prefix, sequence: 0 });
		expect(aggregator.take()).toEqual({ events: [], tallies: {}, lost: 0, foreign: 1, overruns: 0 });
	},
);

test("a rule named like a property of objects is counted like any other", () => {
	const aggregator = make();
	feed(aggregator, { prefix: "pw:__proto__" });
	feed(aggregator, { prefix: "pw:constructor" });
	const { tallies } = aggregator.take();
	expect(Object.keys(tallies).sort()).toEqual(["__proto__", "constructor"]);
});

test("one rule's flood leaves room for another's events", () => {
	const aggregator = make({ eventsPerRule: 10, events: 100 });
	for (let port = 0; port < 1000; port++) feed(aggregator, { prefix: "pw:flood", port });
	feed(aggregator, { prefix: "pw:quiet" });
	const batch = aggregator.take();
	expect(batch.events.filter(({ ruleId }) => ruleId === "flood")).toHaveLength(10);
	expect(batch.events.at(-1)?.ruleId).toBe("quiet");
	expect(batch.tallies.flood).toEqual({ received: 1000, aggregated: 0, overflow: 990 });
});

test("a flow whose event overflowed gets another chance in the next batch", () => {
	const aggregator = make({ eventsPerRule: 1 });
	feed(aggregator, { port: 1 });
	feed(aggregator, { port: 2 });
	expect(aggregator.take().events).toHaveLength(1);
	feed(aggregator, { port: 2 });
	expect(aggregator.take().events.map(({ packet }) => packet.sourcePort)).toEqual([2]);
});

test("many rules together stay within the batch", () => {
	const aggregator = make({ events: 50 });
	for (let rule = 0; rule < 200; rule++) feed(aggregator, { prefix: `pw:r${rule}` });
	const batch = aggregator.take();
	expect(batch.events).toHaveLength(50);
	expect(Object.values(batch.tallies).reduce((sum, { overflow }) => sum + overflow, 0)).toBe(150);
});

test("only so many flows are remembered, the oldest is forgotten first", () => {
	const aggregator = make({ flows: 2 });
	for (const port of [1, 2, 3, 2, 3, 1]) feed(aggregator, { port });
	expect(aggregator.take().events.map(({ packet }) => packet.sourcePort)).toEqual([1, 2, 3, 1]);
});

test("only so many rules are counted", () => {
	const aggregator = make({ rules: 2 });
	for (const prefix of ["pw:a", "pw:b", "pw:c", "pw:a"]) feed(aggregator, { prefix });
	const batch = aggregator.take();
	expect(Object.keys(batch.tallies)).toEqual(["a", "b"]);
	expect(batch.foreign).toBe(1);
});

test("overruns are counted and make the batch worth telling", () => {
	const aggregator = make();
	expect(aggregator.dirty).toBe(false);
	aggregator.overrun();
	expect(aggregator.dirty).toBe(true);
	expect(aggregator.take().overruns).toBe(1);
	expect(aggregator.dirty).toBe(false);
});

test("no more go out than the budget has, whatever the number of rules, and all shares are fair", () => {
	const aggregator = make({ perSecond: 1000 });
	const alerted = new Map<string, number>();
	let received = 0;
	let port = 0;
	for (let now = 0; now < 5000; now += 50) {
		for (let rule = 0; rule < 50; rule++)
			for (let packet = 0; packet < 20; packet++)
				feed(aggregator, { prefix: `pw:r${rule}`, port: port++ % 65_536, host: port % 250, now });
		received += 1000;
		// It raises one alert a second.
		if (now % 1000 === 0) feed(aggregator, { prefix: "pw:quiet", port: now, now });
		for (const { ruleId } of aggregator.take(now).events) alerted.set(ruleId, (alerted.get(ruleId) ?? 0) + 1);
	}
	expect(alerted.get("quiet")).toBe(5);
	alerted.delete("quiet");
	const counts = [...alerted.values()];
	const total = counts.reduce((sum, count) => sum + count, 0);
	expect(received).toBe(100_000);
	expect(total).toBeGreaterThan(4500);
	expect(total).toBeLessThanOrEqual(5500);
	expect(counts).toHaveLength(50);
	expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(15);
});

test("a rule that is alone has the whole budget", () => {
	const aggregator = make({ perSecond: 1000 });
	let alerted = 0;
	for (let now = 0; now < 3000; now += 50) {
		for (let port = 0; port < 100; port++) feed(aggregator, { port: now * 10 + port, now });
		alerted += aggregator.take(now).events.length;
	}
	expect(alerted).toBeGreaterThan(2900);
});

test("packets that were folded into an event without room overflow with it", () => {
	const aggregator = make({ perSecond: 2 });
	for (const port of [1, 2, 2, 2]) feed(aggregator, { port });
	const batch = aggregator.take(0);
	expect(batch.events.map(({ packet }) => packet.sourcePort)).toEqual([1]);
	expect(batch.tallies).toEqual({ rule: { received: 4, aggregated: 0, overflow: 3 } });
	feed(aggregator, { port: 2, now: 600 });
	feed(aggregator, { port: 2, now: 600 });
	expect(aggregator.take(600).tallies).toEqual({ rule: { received: 6, aggregated: 1, overflow: 3 } });
});

test("every record is counted exactly once, whatever comes", () => {
	const item = fc.record({
		prefix: fc.constantFrom("pw:a", "pw:b", "pw:c", "x", ""),
		host: fc.nat(5),
		port: fc.nat(5),
		step: fc.nat(40),
		take: fc.boolean(),
		lost: fc.nat(3),
	});
	fc.assert(
		fc.property(fc.array(item, { maxLength: 200 }), (items) => {
			const aggregator = make({ foldMs: 100, flows: 8, eventsPerRule: 3, events: 5, perSecond: 40 });
			const events = new Map<string, number>();
			const tallies = new Map<string, { received: number; aggregated: number; overflow: number }>();
			const collect = (): { lost: number; foreign: number } => {
				const batch = aggregator.take();
				for (const { ruleId } of batch.events) events.set(ruleId, (events.get(ruleId) ?? 0) + 1);
				for (const [id, tally] of Object.entries(batch.tallies)) tallies.set(id, tally);
				return batch;
			};
			let now = 0;
			let sequence = 0;
			let lost = 0;
			for (const { step, take, lost: gap, ...rest } of items) {
				now += step;
				sequence += gap;
				lost += gap;
				feed(aggregator, { ...rest, now, sequence: sequence++ });
				if (take) collect();
			}
			const last = collect();
			let received = last.foreign;
			for (const [id, tally] of tallies) {
				expect((events.get(id) ?? 0) + tally.aggregated + tally.overflow).toBe(tally.received);
				received += tally.received;
			}
			expect(received).toBe(items.length);
			expect(last.lost).toBe(lost);
		}),
	);
});

/** What connection tracking says of a UDP packet to 192.0.2.1, in an attribute of its own length. */
function conntrack(source: number[], sourcePort: number, destination: number[], port: number): Uint8Array {
	const whole = new MessageWriter(0, 0, 0)
		.nest(1, (tuple) =>
			tuple
				.nest(1, (addresses) => addresses.attribute(1, source).attribute(2, destination))
				.nest(2, (protocol) => protocol.u8(1, 17).u16(2, sourcePort).u16(3, port)),
		)
		.finish();
	return whole.subarray(16);
}

test.each([
	[
		"its own",
		conntrack([10, 0, 0, 1], 1000, [203, 0, 113, 5], 8053),
		{ destination: "203.0.113.5", destinationPort: 8053 },
	],
	["of another sender, as for an answer", conntrack([192, 0, 2, 1], 1000, [203, 0, 113, 5], 8053), null],
	[
		"of another port, as for an error about a flow",
		conntrack([10, 0, 0, 1], 1001, [203, 0, 113, 5], 8053),
		null,
	],
	["none", new Uint8Array(0), null],
])(
	"a forwarded packet has both interfaces, and where it was addressed to: with a tuple that is %s",
	(_, tuple, original) => {
		const aggregator = make();
		const bytes = Buffer.concat([packet(1), tuple]);
		const record: LogRecord = {
			...emptyRecord(),
			prefix: "pw:rule",
			interfaceIndex: 2,
			forwardIndex: 3,
			payloadEnd: 28,
			conntrackStart: 28,
			conntrackEnd: bytes.length,
		};
		aggregator.add(bytes, record, 0, 5000, (index) => `if${index}`);
		expect(aggregator.take().events).toMatchObject([
			{
				interface: "if2",
				packet: { destination: "192.0.2.1" },
				forwarded: { outInterface: "if3", original },
			},
		]);
	},
);
