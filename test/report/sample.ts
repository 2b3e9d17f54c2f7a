/** Data that the tests of this folder share. */

import { svg } from "../../src/enforcers/network/report/graph/svg.ts";
import { type NetworkSnapshot, networkReport } from "../../src/enforcers/network/report/network-report.ts";
import type { SeenDevices } from "../../src/enforcers/usb/history/seen-device.ts";
import type { DeviceStatus } from "../../src/enforcers/usb/report/device-status.ts";
import { usbDecisionBounds } from "../../src/enforcers/usb/report/metrics/device-metrics.ts";
import { type UsbSnapshot, usbReport } from "../../src/enforcers/usb/report/usb-report.ts";
import type { Alert } from "../../src/report/alert.ts";
import { Histogram } from "../../src/report/metrics/exposition.ts";
import { AlertRing } from "../../src/report/sinks/alert-ring.ts";
import { AlertSink } from "../../src/report/sinks/alert-sink.ts";
import type { DaemonState, PolicyState } from "../../src/report/status.ts";
import type { HttpSource } from "../../src/serve/http/routes.ts";
import { sampleLimits } from "./sample-limits.ts";
import { sampleQuota } from "./sample-quota.ts";

export function sampleAlert(overrides: Partial<Alert> = {}): Alert {
	return {
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
		Data: "SourceIP=192.0.2.7",
		EventData: { SourceIP: "192.0.2.7" },
		Enforcer: "NetworkPolicyEnforcer",
		Action: "Audit",
		Result: "Passed",
		...overrides,
	};
}

/** A hostile composite device of which one function is refused. */
export const sampleDevice: DeviceStatus = {
	port: "1-4.1",
	level: 2,
	vendorId: "0781",
	productId: "5567",
	manufacturer: "ACME",
	product: "Stick\u001b[31m <b>\u202e",
	serial: null,
	connectType: "hotplug",
	state: "partial",
	reason: null,
	malformed: null,
	odd: [],
	configuration: 1,
	descriptorsHash: null,
	error: "",
	allowedUntil: null,
	functions: [
		{
			interface: 0,
			configurations: [1],
			alternate: 0,
			class: 8,
			subClass: 6,
			protocol: 80,
			className: "MASS-STORAGE",
			action: "Allow",
			refused: false,
			reason: "",
			policy: "sticks",
			entry: 0,
			driver: "usb-storage",
		},
		{
			interface: 1,
			configurations: [1],
			alternate: 0,
			class: 3,
			subClass: 1,
			protocol: 1,
			className: "HID",
			action: "Block",
			refused: true,
			reason: "refused: no permitted function",
			policy: "DefaultPosture",
			entry: null,
			driver: null,
		},
	],
};

export const sampleNetwork: NetworkSnapshot = {
	maxElements: 1_000_000,
	forwards: { ipv4: true, ipv6: false },
	quotas: [sampleQuota],
	observing: {
		enabled: true,
		reason: "",
		flows: 812,
		maxFlows: 100_000,
		merged: 2,
		lost: 1,
		newFlows: 3,
		since: Date.UTC(2026, 0, 1),
		pollMs: 4,
		elements: 40,
	},
	seen: async () => ({
		status: 200,
		type: "application/json; charset=utf-8",
		body: `${JSON.stringify({ since: "2026-01-01T00:00:00.000Z", flows: [], merged: 2, lost: 1 })}\n`,
	}),
	state: {
		state: "active",
		reason: "",
		generation: 3,
		elements: 42,
		allowlistMode: { ingress: true, egress: false },
		posture: "block",
		essentials: true,
		invalidPackets: { ingress: 6, egress: 0, forward: 0 },
		limits: sampleLimits,
		otherChains: [
			{
				family: "inet",
				table: "firewalld",
				chain: "filter_INPUT",
				type: "filter",
				hook: "input",
				priority: 10,
				policy: "accept",
				tools: ["firewalld"],
				legacy: false,
			},
		],
		guests: {
			forwarded: "audit",
			wouldHaveBlocked: 12,
			known: true,
			bridges: [{ name: "docker0", subnets: ["172.17.0.0/16"], ports: 3 }],
			uplinks: [{ name: "vmbr0", reason: "eth0 is a port of it" }],
			published: [
				{
					protocol: "tcp",
					family: 4,
					address: "0.0.0.0",
					port: 15432,
					guest: { address: "172.17.0.2", port: 5433 },
					bridge: "docker0",
					by: "Docker\u001b[31m <b>",
					hook: "forward",
					reachable: [{ interface: null, addresses: ["10.0.1.0/24"] }],
					closedBy: ["DefaultPosture"],
				},
			],
			more: 2,
			unjudged: ["IPVS has services here: what it forwards to other machines is not judged"],
		},
		failsafe: [
			{
				direction: "ingress",
				index: 0,
				protocol: "tcp",
				icmpType: null,
				cidr: "192.0.2.0/24",
				port: "22",
				interface: null,
				packets: 9,
				bytes: 540,
			},
		],
	},
	inForce: new Set(["np1"]),
	rules: [{ policy: "np1", index: 0, direction: "ingress", action: "Block", packets: 7, bytes: 420 }],
	ruleUses: [],
	ruleLogs: [],
	totals: { policies: [], actions: [] },
	maxRuleSeries: 2000,
	interfaces: [],
	drift: 0,
	flows: { blocked: 0, loss: 0, start: 0, refused: 0, overflow: 0 },
	midstreamPackets: 0,
	recordsLost: 0,
	staged: new Map([
		["np2", { evaluated: 1200, wouldBlock: 3, sinceGeneration: 2, since: "2026-11-30T02:00:00.000Z" }],
	]),
	graph: async () => ({ ok: true, svg: svg([], "drawn") }),
};

/** One device, whose own words are hostile. */
export const sampleHistory: SeenDevices = {
	since: Date.parse("2026-01-01T00:00:00Z"),
	devices: [
		{
			device: {
				port: "1-4.1",
				level: 2,
				serial: "S\u001b[2J1",
				product: "Stick <script>",
				manufacturer: "ACME\u202e",
				connectType: "hotplug",
				twin: null,
				descriptorsHash: "a".repeat(64),
				descriptors: {
					device: { class: 0, subClass: 0, protocol: 0 },
					vendorId: 0x0781,
					productId: 0x5567,
					bcdDevice: 0,
					configurations: [
						{ value: 1, interfaces: [{ number: 0, alternate: 0, class: 8, subClass: 6, protocol: 0x50 }] },
					],
					malformed: null,
					odd: [],
				},
			},
			verdict: {
				state: "refused",
				reason: "no permitted interface",
				functions: [
					{
						interface: 0,
						alternate: 0,
						configurations: [1],
						class: 8,
						subClass: 6,
						protocol: 0x50,
						action: "Block",
						policy: "sticks",
						refused: true,
						reason: "refused by the policy",
					},
				],
			},
			count: 3,
			firstSeen: Date.parse("2026-01-02T00:00:00Z"),
			lastSeen: Date.parse("2026-01-03T00:00:00Z"),
			present: false,
		},
	],
	lost: 2,
};

export const sampleUsb: UsbSnapshot = {
	state: {
		state: "active",
		reason: "",
		backend: "libudev",
		locked: true,
		posture: "block",
		allowlistMode: false,
	},
	devices: [],
	history: () => sampleHistory,
	counts: {
		devices: { authorized: 0, partial: 0, refused: 0, pending: 0 },
		decisions: { Allow: 0, Audit: 0, Block: 0 },
		decisionSeconds: new Histogram(usbDecisionBounds).value(),
		rescans: 0,
		overflows: 0,
		pendingWrites: 0,
	},
	entries: 0,
	staged: new Map(),
};

/** Of the sample's kind, `p0` and on. */
export function manyPolicies(count: number): PolicyState[] {
	return Array.from({ length: count }, (_, index) => ({
		name: `p${index}`,
		kind: "KubeArmorNetworkPolicy",
		file: `/etc/portward/policies/${index}.yaml`,
		line: 1,
		selected: true,
		enforced: true,
		action: "Block",
		diagnostics: [],
	}));
}

/** @param parts where what the enforcers say is not as in the samples */
export function sampleState(
	overrides: Partial<DaemonState> = {},
	{ network, usb }: { network?: Partial<NetworkSnapshot>; usb?: Partial<UsbSnapshot> } = {},
): DaemonState {
	return {
		version: "0.2.0",
		hostname: "vm1",
		panic: null,
		pending: null,
		settings: { problem: "", restart: "last-good" },
		signature: null,
		tests: null,
		feeds: [],
		nodeLabels: { "kubernetes.io/hostname": "vm1" },
		enforcers: [networkReport({ ...sampleNetwork, ...network }), usbReport({ ...sampleUsb, ...usb })],
		policies: [
			{
				name: "np1",
				kind: "KubeArmorNetworkPolicy",
				file: "/etc/portward/policies/a.yaml",
				line: 1,
				selected: true,
				enforced: true,
				action: "Block",
				diagnostics: [],
			},
		],
		generations: [],
		sinks: [],
		certificates: [],
		kubearmorApi: null,
		confinement: {
			systemCalls: { active: true, detail: "" },
			files: { active: true, detail: "" },
			writable: ["/etc/portward", "/var/lib/portward"],
		},
		warnings: [],
		readiness: { ready: true, body: "enforced: what is on disk" },
		...overrides,
	};
}

/** A real sink and ring behind a source whose state is given. */
export function sampleSource(
	state: () => DaemonState = () => sampleState({}, { usb: { devices: [sampleDevice] } }),
): { source: HttpSource; sink: AlertSink } {
	const ring = new AlertRing(100);
	const sink = new AlertSink({ ring, stdout: null, file: null, onFileState: () => {} });
	const source: HttpSource = {
		refresh: async () => {},
		state,
		metrics: () => "portward_drift_total 0\n",
		alerts: ring,
		subscribe: (subscriber) => sink.subscribe(subscriber),
	};
	return { source, sink };
}
