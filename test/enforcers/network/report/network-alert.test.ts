import { describe, expect, test } from "bun:test";
import type { CompiledRule } from "../../../../src/enforcers/network/compile/plan.ts";
import type { PacketEvent } from "../../../../src/enforcers/network/observe/event.ts";
import { driftAlert } from "../../../../src/enforcers/network/report/drift-alert.ts";
import { networkAlert, protocolName } from "../../../../src/enforcers/network/report/network-alert.ts";
import { formatData, formatTime } from "../../../../src/report/alert.ts";
import { systemAlert } from "../../../../src/report/system-alert.ts";

const host = { clusterName: "default", hostName: "vm1", nodeId: "n1" };
const rule: CompiledRule = {
	id: "r1",
	policy: "np1",
	index: 0,
	direction: "ingress",
	action: "Audit",
	severity: 5,
	tags: ["A", "B"],
	message: "m",
	place: { file: "p.yaml", line: 1, column: 1 },
	counter: "c1",
	logCounter: "l1",
};
const event: PacketEvent = {
	time: 1771821095104.233,
	ruleId: "r1",
	packet: {
		family: 4,
		source: "192.0.2.7",
		destination: "192.0.2.1",
		protocol: 6,
		sourcePort: 53262,
		destinationPort: 22,
	},
	interface: "eth0",
};

test("an audited packet", () => {
	expect(networkAlert(event, rule, host)).toEqual({
		Timestamp: 1771821095,
		UpdatedTime: "2026-02-23T04:31:35.104233Z",
		ClusterName: "default",
		HostName: "vm1",
		NodeID: "n1",
		PolicyName: "np1",
		Severity: "5",
		Tags: "A,B",
		ATags: ["A", "B"],
		Message: "m",
		Type: "MatchedNetworkPolicy",
		Operation: "NetworkFirewall",
		Resource: "INGRESS",
		Data: "SourceIP=192.0.2.7 SourcePort=53262 DestinationIP=192.0.2.1 DestinationPort=22 Protocol=TCP Interface=eth0 RuleIndex=0",
		EventData: {
			SourceIP: "192.0.2.7",
			SourcePort: "53262",
			DestinationIP: "192.0.2.1",
			DestinationPort: "22",
			Protocol: "TCP",
			Interface: "eth0",
			RuleIndex: "0",
		},
		Enforcer: "NetworkPolicyEnforcer",
		Action: "Audit",
		Result: "Passed",
	});
});

test("a packet blocked by the posture, of which only the addresses were read", () => {
	const alert = networkAlert(
		{
			...event,
			packet: { ...event.packet, protocol: 58, sourcePort: null, destinationPort: null },
			interface: "",
		},
		{ ...rule, policy: "DefaultPosture", index: -1, direction: "egress", action: "Block", place: null },
		host,
	);
	expect(alert).toMatchObject({
		PolicyName: "DefaultPosture",
		Resource: "EGRESS",
		Result: "Permission denied",
		Data: "SourceIP=192.0.2.7 DestinationIP=192.0.2.1 Protocol=ICMPv6",
	});
	expect(Object.keys(alert.EventData)).toEqual(["SourceIP", "DestinationIP", "Protocol"]);
});

test("a packet of which nothing was read still has its rule", () => {
	const nothing = {
		family: null,
		source: null,
		destination: null,
		protocol: null,
		sourcePort: null,
		destinationPort: null,
	};
	expect(networkAlert({ ...event, packet: nothing, interface: "" }, rule, host)).toMatchObject({
		Data: "RuleIndex=0",
		EventData: { RuleIndex: "0" },
	});
});

test("of what is staged, what would block is told from what tells alone", () => {
	const staged = { ...rule, staged: ["np1"] };
	expect(networkAlert(event, { ...staged, wouldBe: "Block" }, host)).toMatchObject({
		Action: "Audit (Block)",
		EventData: { Staged: "np1", WouldBe: "Block" },
	});
	const told = networkAlert(event, staged, host);
	expect(told).toMatchObject({ Action: "Audit", EventData: { Staged: "np1" } });
	expect(told.EventData.WouldBe).toBeUndefined();
});

test.each([
	[1, "ICMP"],
	[6, "TCP"],
	[17, "UDP"],
	[58, "ICMPv6"],
	[132, "SCTP"],
	[47, "GRE"],
	[253, "Proto-253"],
	[0, "Proto-0"],
])("protocol %d is %s", (number, name) => expect(protocolName(number)).toBe(name));

test("port and protocol 0 are present values, not absent ones", () => {
	const packet = { ...event.packet, protocol: 0, sourcePort: 0, destinationPort: 0 };
	expect(networkAlert({ ...event, packet }, rule, host).Data).toContain(
		"SourcePort=0 DestinationIP=192.0.2.1 DestinationPort=0 Protocol=Proto-0",
	);
});

describe("formatTime", () => {
	test.each([
		[0, "1970-01-01T00:00:00.000000Z"],
		[0.001, "1970-01-01T00:00:00.000001Z"],
		[999.9999, "1970-01-01T00:00:01.000000Z"],
		[-0.001, "1969-12-31T23:59:59.999999Z"],
		[Number.NaN, "1970-01-01T00:00:00.000000Z"],
		[1e300, "1970-01-01T00:00:00.000000Z"],
	])("%d", (time, text) => expect(formatTime(time)).toBe(text));
});

test("a value cannot forge another pair of Data", () => {
	expect(formatData({ Process: "nft Protocol=UDP\n", PID: "1" })).toBe(
		"Process=nft\\x20Protocol=UDP\\n PID=1",
	);
});

test("drift names who did it, as far as the kernel told", () => {
	const drift = { time: 1000, generation: 7, pid: 42, process: "nft", changes: ["deltable", "newgen"] };
	expect(driftAlert(drift, "kubearmor", host)).toMatchObject({
		Type: "SystemEvent",
		Operation: "System",
		Resource: "table inet kubearmor",
		PolicyName: "",
		Data: "Generation=7 PID=42 Process=nft Changes=deltable,newgen",
		HostName: "vm1",
		Timestamp: 1,
	});
	expect(driftAlert({ ...drift, pid: 0, process: "" }, "kubearmor", host).Data).toBe(
		"Generation=7 Changes=deltable,newgen",
	);
});

test("a system event that was refused says so", () => {
	const alert = systemAlert(
		{
			time: 0,
			resource: "r",
			message: "m",
			severity: 3,
			tags: ["X", "Y"],
			action: "Block",
			enforcer: "USBDeviceHandler",
			eventData: {},
		},
		host,
	);
	expect(alert).toMatchObject({
		Result: "Permission denied",
		Tags: "X,Y",
		Severity: "3",
		Data: "",
		Enforcer: "USBDeviceHandler",
	});
});

describe("a forwarded packet", () => {
	const published: PacketEvent = {
		...event,
		packet: { ...event.packet, destination: "172.17.0.2", destinationPort: 5433 },
		forwarded: {
			outInterface: "docker0",
			original: { destination: "192.0.2.1", destinationPort: 15_432 },
			containers: { source: [], destination: ["c".repeat(64)] },
		},
	};

	test("to a published port names the host's port, the guest's address and the container", () => {
		expect(networkAlert(published, rule, host).EventData).toEqual({
			SourceIP: "192.0.2.7",
			SourcePort: "53262",
			DestinationIP: "192.0.2.1",
			DestinationPort: "15432",
			Protocol: "TCP",
			Interface: "eth0",
			Hook: "forward",
			GuestIP: "172.17.0.2",
			GuestPort: "5433",
			Container: "c".repeat(64),
			GuestInterface: "docker0",
			RuleIndex: "0",
		});
	});

	test("of which the kernel tells no more has the guest's address in both places", () => {
		const forwarded = { outInterface: "", original: null };
		expect(networkAlert({ ...published, forwarded }, rule, host).EventData).toMatchObject({
			DestinationIP: "172.17.0.2",
			DestinationPort: "5433",
			GuestIP: "172.17.0.2",
			GuestPort: "5433",
		});
	});

	test("from a guest leaves by the interface that a rule can name, and goes where it goes after translation", () => {
		const sent: PacketEvent = {
			...event,
			interface: "docker0",
			packet: { ...event.packet, source: "172.17.0.2", sourcePort: 40_000, destination: "203.0.113.9" },
			forwarded: {
				outInterface: "eth0",
				original: { destination: "198.51.100.1", destinationPort: 80 },
				containers: { source: ["a".repeat(64), "b".repeat(64)], destination: [] },
			},
		};
		expect(networkAlert(sent, { ...rule, direction: "egress" }, host).EventData).toEqual({
			SourceIP: "172.17.0.2",
			SourcePort: "40000",
			DestinationIP: "203.0.113.9",
			DestinationPort: "22",
			Protocol: "TCP",
			Interface: "eth0",
			Hook: "forward",
			GuestIP: "172.17.0.2",
			GuestPort: "40000",
			Container: `${"a".repeat(64)},${"b".repeat(64)}`,
			GuestInterface: "docker0",
			RuleIndex: "0",
		});
	});

	test("that a Block would drop and guests.forwarded: audit lets pass is an audited Block, of the host's own packets it is a Block", () => {
		const sparing: CompiledRule = { ...rule, action: "Block", sparesForwarded: true };
		const forwarded = { outInterface: "docker0", original: null };
		expect(networkAlert({ ...event, forwarded }, sparing, host)).toMatchObject({
			Action: "Audit (Block)",
			Result: "Passed",
			EventData: { WouldBe: "Block" },
		});
		const own = networkAlert(event, sparing, host);
		expect(own).toMatchObject({ Action: "Block", Result: "Permission denied" });
		expect(own.EventData).not.toHaveProperty("WouldBe");
	});

	test("of which nothing was captured says that it was forwarded", () => {
		const empty = {
			family: null,
			source: null,
			destination: null,
			protocol: null,
			sourcePort: null,
			destinationPort: null,
		};
		const forwarded = { outInterface: "docker0", original: null };
		expect(networkAlert({ ...event, packet: empty, forwarded }, rule, host).EventData).toEqual({
			Interface: "eth0",
			Hook: "forward",
			GuestInterface: "docker0",
			RuleIndex: "0",
		});
	});
});
