/** The words of the status; that a daemon's document has them is shown in status.test.ts and in test/system. */

import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import type { Diagnostic } from "../../../src/base/diagnostic.ts";
import { describeStatus, statusShape } from "../../../src/cli/status/status-text.ts";
import type { NetworkEnforcerState } from "../../../src/enforcers/network/report/network-status.ts";
import { type DaemonState, type PolicyState, statusDocument } from "../../../src/report/status.ts";
import { sampleDevice, sampleNetwork, sampleState } from "../../report/sample.ts";
import { sampleSink } from "../../report/sample-sink.ts";

const text = (over: Partial<DaemonState> = {}, parts: Parameters<typeof sampleState>[1] = {}) =>
	describeStatus(v.parse(statusShape, JSON.parse(JSON.stringify(statusDocument(sampleState(over, parts))))));

const base = sampleState();
const [np1] = base.policies;
if (np1 === undefined) throw new Error("the sample has no policy");
const named = (name: string, over: Partial<PolicyState> = {}): PolicyState => ({ ...np1, name, ...over });
const network = (over: Partial<NetworkEnforcerState>) => ({ state: { ...sampleNetwork.state, ...over } });
const warning = (message: string): Diagnostic => ({
	...{ file: "/p", line: 1, column: 1, path: "", severity: "warning", code: "c", message, hint: "" },
});
const count = (policy: string, index: number, action: "Allow" | "Block", packets: number) =>
	({ policy, index, direction: "ingress", action, packets, bytes: packets }) as const;

describe("what becomes of what no rule matches", () => {
	const rules = [count("np1", 0, "Block", 7), count("DefaultPosture", -1, "Block", 12)];

	test("by direction, with the packets that it met", () => {
		const out = text({}, { network: { rules } });
		expect(out).toContain("ingress: allow-list, the rest is dropped (12 packets)\n");
		expect(out).toContain("egress: what no rule matches passes\n");
		expect(out).toContain("posture: block; essentials: always accepted\n");
		expect(out).toContain("np1: enforced, Block, 7 packets");
	});

	test("by the posture", () => {
		expect(text({}, { network: { ...network({ posture: "audit", failsafe: [] }), rules } })).toContain(
			"ingress: allow-list, the rest is let pass and alerted (12 packets)\n",
		);
		expect(text({}, { network: network({ failsafe: [] }) })).toContain("failsafe: none\n");
	});

	test("is nothing where nothing is in force", () => {
		expect(text({ policies: [] })).toContain("no policies: nothing is blocked\n");
		const others = [named("far", { selected: false, enforced: false })];
		expect(text({ policies: others })).toContain("nothing is blocked on the network\n");
		const gone = text({ policies: [] }, { network: network({ state: "unavailable", reason: "no root" }) });
		expect(gone).toContain("network: unavailable (no root)\n");
		expect(gone).not.toContain("nothing is blocked");
	});
});

test("how flows are watched has a line, or why they are not", () => {
	const observed = (over: Partial<typeof sampleNetwork.observing>) =>
		text({}, { network: { observing: { ...sampleNetwork.observing, ...over } } });
	expect(observed({})).toContain("flows: 812 known, 3 new, 2 merged, 1 lost\n");
	expect(observed({ reason: "the disk is full" })).toContain("1 lost (the disk is full)\n");
	expect(observed({ enabled: false, reason: "observe.enabled is false" })).toContain(
		"flows are not watched: observe.enabled is false\n",
	);
});

test("each sink has a line", () => {
	const working = {
		...sampleSink,
		name: "j",
		type: "journald",
		state: "idle",
		queued: 0,
		lastSuccess: null,
	} as const;
	const out = text({ sinks: [sampleSink, working] });
	expect(out).toContain(
		"sink siem (webhook): failing, 3 alerts wait, 7 sent, 7 dropped, 5 failed, last success 2026-02-23T04:31:35.104Z\n",
	);
	expect(out).toContain(
		"sink j (journald): idle, nothing waits, 7 sent, 7 dropped, 5 failed, last success never\n",
	);
});

test("a policy of Allow and Block rules tells them apart", () => {
	const rules = [count("np1", 0, "Allow", 2), count("np1", 1, "Block", 3), count("np1", 2, "Block", 1)];
	expect(text({}, { network: { rules } })).toContain("np1: enforced, 2 allowed, 4 blocked (");
	// The policy's own action is Block.
	expect(text({}, { network: { rules: rules.slice(0, 1) } })).toContain("np1: enforced, Allow, 2 packets (");
});

test("what ends by itself is told: pending changes, and devices that are let in for a time", () => {
	const allowed = { ...sampleDevice, port: "1-4", allowedUntil: "2026-01-02T03:04:05.000Z" };
	const out = text(
		{
			pending: {
				id: "0123456789abcdef",
				source: "apply",
				from: "/new",
				seconds: 60,
				secondsLeft: 42,
				asker: null,
				waiting: true,
			},
		},
		{ usb: { devices: [allowed] } },
	);
	expect(out).toContain(
		"change 0123456789abcdef (/new) rolls back in 42 s unless portward confirm comes; a change of the policy directory waits for that\n",
	);
	expect(out).toContain(
		"USB port 1-4 is allowed until 2026-01-02T03:04:05.000Z, whatever the policies say\n",
	);
});

describe("warnings that repeat", () => {
	test("of one policy, and of the daemon, are told once with their number", () => {
		const out = text({
			warnings: ["w", "x", "w"],
			policies: [named("a", { diagnostics: [warning("odd"), warning("odd"), warning("else")] })],
		});
		expect(out.match(/odd/gu)).toHaveLength(1);
		expect(out).toContain("    warning: odd (2 times)\n    warning: else\n");
		expect(out).toContain("warning: w (2 times)\nwarning: x\n");
	});

	test("of many policies are told after them; errors stay where they are", () => {
		const error: Diagnostic = { ...warning("broken"), severity: "error" };
		const policies = ["a", "b", "c", "d", "e", "f"].map((name) =>
			named(name, { diagnostics: [warning("no such label"), error] }),
		);
		const out = text({ policies });
		expect(out.match(/no such label/gu)).toHaveLength(1);
		expect(out).toEndWith("warning: no such label (in 6 policies: a, b, c, d, e …)\n");
		expect(out.match(/error: broken/gu)).toHaveLength(6);
	});
});

test("signed policies that are refused: what is in force is told only where it is known", () => {
	const said = (standing: "signed" | "unknown" | "none", serial: number | null) =>
		text({ signature: { ok: false, serial, problem: "why", remedy: "do", standing } });
	expect(said("signed", 6)).toContain("policies: refused; in force is what was signed before, serial 6\n");
	expect(said("unknown", null)).toContain("nobody can tell whether that was signed\n");
	expect(said("none", null)).toContain("policies: refused; nothing of before is known that could stand in");
	expect(said("none", 6)).not.toContain("serial 6");
});

test("when rules last matched, and which match nothing, is told below their policy", () => {
	const hour = 3_600_000;
	const use = { policy: "np1", direction: "ingress", action: "Block", packets: 1 } as const;
	const since = Date.now() - 100 * 24 * hour - 1000;
	const ruleUses = [
		{ ...use, index: 0, since, lastMatch: Date.now() - 3 * hour - 1000 },
		{ ...use, index: 1, since, lastMatch: null },
		...[30, 20, 10].map((days) => ({
			...use,
			index: days,
			since,
			lastMatch: Date.now() - days * 24 * hour - 1000,
		})),
	];
	const out = text({}, { network: { ruleUses } });
	expect(out).toContain("packets, last matched 3 hours ago (");
	expect(out).toContain(
		"    unused for 100 days, as long as it is counted: ingress[1]\n    unused for 30 days: ingress[30]\n" +
			"    unused for 20 days: ingress[20]\n    unused for a shorter time: see --json\n",
	);
	expect(text()).not.toContain("last matched");
});
