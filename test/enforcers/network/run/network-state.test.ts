import { expect, test } from "bun:test";
import { defaultConfig } from "../../../../src/config/parse.ts";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import { watchingNothing } from "../../../../src/enforcers/network/report/history/observing.ts";
import { RuleUses } from "../../../../src/enforcers/network/report/rule-use.ts";
import type { EnforcerState } from "../../../../src/enforcers/network/run/enforcer-options.ts";
import {
	forwardingWarnings,
	networkSnapshot,
	networkState,
} from "../../../../src/enforcers/network/run/network-state.ts";
import { noAccounts } from "../../../../src/enforcers/network/run/packet-alerts.ts";
import { errorReply } from "../../../../src/report/reply.ts";

const enforcer = (state: EnforcerState["state"], reason = "") => ({
	state: { state, reason, generation: 1, elements: 0 },
	plan: null,
	inForce: new Set(["a"]),
});
const nothing: NetworkPlan = {
	objects: [],
	roots: { ingress: "", egress: "" },
	rules: [],
	elements: 0,
	allowlistMode: { ingress: false, egress: false },
	defaultDrop: { ingress: false, egress: false },
	failsafe: [],
};

test("a failsafe rule is told with its counter, or none before the kernel has one", () => {
	const rule = {
		direction: "ingress",
		index: 0,
		protocol: "tcp",
		icmpType: null,
		cidr: "192.0.2.0/24",
		port: "22",
		interface: null,
		counter: "failsafe_ingress_0",
		text: "",
	} as const;
	const inForce = { ...enforcer("active"), plan: { ...nothing, failsafe: [rule] } };
	const counters = { failsafe_ingress_0: { packets: 2, bytes: 120 } };
	const invalidPackets = { ingress: 2, egress: 1, forward: 0 };
	const told = networkState(inForce, defaultConfig(), { counters, invalidPackets });
	expect(told.failsafe).toMatchObject([{ direction: "ingress", port: "22", packets: 2, bytes: 120 }]);
	expect(networkState(inForce, defaultConfig(), { counters: {}, invalidPackets }).failsafe).toMatchObject([
		{ packets: 0 },
	]);
	expect(
		networkState(enforcer("unavailable", "r"), defaultConfig(), { counters, invalidPackets }),
	).toMatchObject({
		state: "unavailable",
		reason: "r",
		failsafe: [],
		allowlistMode: { ingress: false, egress: false },
	});
});

test("the report is told what every part knows", async () => {
	const flows = { blocked: 1, loss: 2, start: 3, refused: 4, overflow: 5 };
	const snapshot = networkSnapshot({
		enforcer: enforcer("active"),
		config: defaultConfig(),
		accounts: { latest: { ...noAccounts, counters: { midstream_egress: { packets: 12, bytes: 0 } } } },
		packetAlerts: { recordsLost: 6 },
		ruleUse: { uses: new RuleUses() },
		drift: { count: 7 },
		flows: { counts: flows },
		quotas: { status: [] },
		guests: { seen: null },
		graph: { draw: async () => ({ ok: true, svg: "drawn" }) },
		watch: {
			status: { ...watchingNothing, reason: "starting" },
			flows: async (query) => errorReply(503, query, "ask again"),
		},
		staged: { counts: new Map() },
		host: { otherChains: () => [], interfaces: [], forwards: { ipv4: true, ipv6: false } },
	});
	expect(snapshot).toMatchObject({
		state: { state: "active", generation: 1 },
		inForce: new Set(["a"]),
		drift: 7,
		flows,
		midstreamPackets: 12,
		observing: { enabled: false, reason: "starting" },
		recordsLost: 6,
	});
	expect(await snapshot.graph()).toEqual({ ok: true, svg: "drawn" });
});

test("a host that forwards is told what is not covered where policies are not asked about that", () => {
	expect(forwardingWarnings({ ipv4: false, ipv6: false }, "off")).toEqual([]);
	expect(forwardingWarnings({ ipv4: true, ipv6: true }, "off")[0]).toContain("IPv4 and IPv6");
	expect(forwardingWarnings({ ipv4: true, ipv6: true }, "audit")).toEqual([]);
});
