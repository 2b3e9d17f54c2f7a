import { describe, expect, test } from "bun:test";
import type { CompiledRule } from "../../../../src/enforcers/network/compile/plan.ts";
import type { PacketBatch, PacketEvent, RuleTally } from "../../../../src/enforcers/network/observe/event.ts";
import type { LogOutcomes } from "../../../../src/enforcers/network/report/log-accounting.ts";
import { PacketAlerts } from "../../../../src/enforcers/network/run/packet-alerts.ts";
import { AlertRing } from "../../../../src/report/sinks/alert-ring.ts";
import { AlertSink } from "../../../../src/report/sinks/alert-sink.ts";

const rule = (id: string, action: CompiledRule["action"] = "Block"): CompiledRule => ({
	id,
	policy: `policy-${id}`,
	index: 0,
	direction: "ingress",
	action,
	severity: 5,
	tags: ["T"],
	message: "m",
	place: null,
	counter: `c_${id}`,
	logCounter: action === "Allow" ? null : `l_${id}`,
});

const event = (ruleId: string): PacketEvent => ({
	time: 1_771_821_095_104,
	ruleId,
	packet: {
		family: 4,
		source: "192.0.2.7",
		destination: "192.0.2.1",
		protocol: 6,
		sourcePort: 1024,
		destinationPort: 22,
	},
	interface: "eth0",
});

const tally = (received: number, aggregated = 0): RuleTally => ({ received, aggregated, overflow: 0 });

const batch = (over: Partial<PacketBatch> = {}): PacketBatch => ({
	events: [],
	tallies: {},
	lost: 0,
	foreign: 0,
	overruns: 0,
	...over,
});

const count = (packets: number) => ({ packets, bytes: packets * 60 });

function setUp() {
	const ring = new AlertRing(100_000);
	const sink = new AlertSink({ ring, stdout: null, file: null, onFileState: () => {} });
	const packetAlerts = new PacketAlerts(sink, { clusterName: "default", hostName: "h", nodeId: "n" });
	const known = new Map<string, CompiledRule>();
	const find = (id: string) => known.get(id);
	const alerts = () => ring.query({ limit: 1_000_000, policy: null, action: null }).reverse();
	return { packetAlerts, known, find, alerts };
}

describe("packets become alerts", () => {
	test("of the rule that their prefix names", () => {
		const { packetAlerts, known, find, alerts } = setUp();
		known.set("a", rule("a")).set("b", rule("b", "Audit"));
		packetAlerts.take(batch({ events: [event("a"), event("b")] }), find);
		expect(alerts().map(({ json }) => JSON.parse(json))).toMatchObject([
			{
				PolicyName: "policy-a",
				Action: "Block",
				Result: "Permission denied",
				HostName: "h",
				Resource: "INGRESS",
			},
			{ PolicyName: "policy-b", Action: "Audit", Result: "Passed" },
		]);
	});

	test("that came before the rules were known wait for them, once", () => {
		const { packetAlerts, known, find, alerts } = setUp();
		packetAlerts.take(batch({ events: [event("a"), event("gone")] }), find);
		expect(alerts()).toEqual([]);
		known.set("a", rule("a"));
		packetAlerts.rulesKnown(find);
		expect(alerts().map(({ policy }) => policy)).toEqual(["policy-a"]);
		packetAlerts.rulesKnown(find);
		expect(alerts()).toHaveLength(1);
	});

	test("of unknown rules are dropped once the rules are known", () => {
		const { packetAlerts, known, find, alerts } = setUp();
		packetAlerts.rulesKnown(find);
		packetAlerts.take(batch({ events: [event("a")] }), find);
		known.set("a", rule("a"));
		packetAlerts.rulesKnown(find);
		expect(alerts()).toEqual([]);
	});

	test("that wait are bounded", () => {
		const { packetAlerts, known, find, alerts } = setUp();
		for (let round = 0; round < 30; round++) {
			packetAlerts.take(batch({ events: Array.from({ length: 1000 }, () => event("a")) }), find);
		}
		known.set("a", rule("a"));
		packetAlerts.rulesKnown(find);
		expect(alerts()).toHaveLength(10_000);
	});
});

describe("the books", () => {
	const sum = (outcomes: LogOutcomes) => Object.values(outcomes).reduce((total, value) => total + value, 0);

	test("every packet has one outcome; Allow rules are counted and not logged", () => {
		const { packetAlerts, known, find } = setUp();
		known.set("a", rule("a"));
		packetAlerts.take(batch({ events: [event("a")], tallies: { a: tally(30, 5) }, lost: 10 }), find);
		const accounts = packetAlerts.account(packetAlerts.beginReading(), [rule("a"), rule("ok", "Allow")], {
			c_a: count(100),
			l_a: count(40),
			c_ok: count(7),
			invalid_ingress: count(3),
		});
		expect(accounts.rules).toMatchObject([
			{ policy: "policy-a", packets: 100, bytes: 6000 },
			{ policy: "policy-ok", action: "Allow", packets: 7 },
		]);
		expect(accounts.logs.map(({ rule: { policy }, outcomes }) => [policy, outcomes])).toEqual([
			["policy-a", { alerted: 25, aggregated: 5, suppressed: 60, lost: 10, earlier: 0 }],
		]);
		expect(accounts.invalidPackets).toEqual({ ingress: 3, egress: 0, forward: 0 });
		expect(packetAlerts.recordsLost).toBe(10);
	});

	test("what an earlier daemon's rules had counted is told apart, and only theirs", () => {
		const { packetAlerts } = setUp();
		// Received before the counters were read, so it is in them.
		packetAlerts.take(batch({ tallies: { a: tally(1) } }), () => undefined);
		packetAlerts.found({ c_a: count(50), l_a: count(20) });
		packetAlerts.take(batch({ tallies: { a: tally(4), b: tally(2) } }), () => undefined);
		const counters = { c_a: count(53), l_a: count(23), c_b: count(2), l_b: count(2) };
		const { logs } = packetAlerts.account(packetAlerts.beginReading(), [rule("a"), rule("b")], counters);
		const none = { aggregated: 0, suppressed: 0, lost: 0 };
		expect(logs.map(({ outcomes }) => outcomes)).toEqual([
			{ ...none, alerted: 4, earlier: 49 },
			{ ...none, alerted: 2, earlier: 0 },
		]);
	});

	test("a rule that comes back after the first ruleset has counters of its own", () => {
		const { packetAlerts } = setUp();
		packetAlerts.found({ c_a: count(50), l_a: count(20) });
		packetAlerts.account(packetAlerts.beginReading(), [rule("b")], {});
		packetAlerts.take(batch({ tallies: { a: tally(60) } }), () => undefined);
		const { logs } = packetAlerts.account(packetAlerts.beginReading(), [rule("a")], {
			c_a: count(60),
			l_a: count(60),
		});
		expect(logs[0]?.outcomes).toEqual({ alerted: 60, aggregated: 0, suppressed: 0, lost: 0, earlier: 0 });
	});

	test("a new reader counts from zero, and nothing is counted twice", () => {
		const { packetAlerts } = setUp();
		packetAlerts.take(batch({ tallies: { a: tally(10) }, lost: 2 }), () => undefined);
		packetAlerts.workerRestarted();
		packetAlerts.take(batch({ tallies: { a: tally(5) }, lost: 1 }), () => undefined);
		const { logs } = packetAlerts.account(packetAlerts.beginReading(), [rule("a")], {
			c_a: count(18),
			l_a: count(18),
		});
		expect(logs[0]?.outcomes).toEqual({ alerted: 15, aggregated: 0, suppressed: 0, lost: 3, earlier: 0 });
		expect(packetAlerts.recordsLost).toBe(3);
	});

	test("a rule that left the ruleset has no account; counters that cannot be found are zero", () => {
		const { packetAlerts } = setUp();
		packetAlerts.account(packetAlerts.beginReading(), [rule("a")], { c_a: count(1), l_a: count(1) });
		const { rules, logs } = packetAlerts.account(packetAlerts.beginReading(), [rule("b")], {});
		expect(rules).toMatchObject([{ policy: "policy-b", packets: 0, bytes: 0 }]);
		expect(logs.map(({ outcomes }) => sum(outcomes))).toEqual([0]);
	});
});
