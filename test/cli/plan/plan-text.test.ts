import { expect, test } from "bun:test";
import { printPlan } from "../../../src/cli/plan/plan-text.ts";
import type { VerdictBox } from "../../../src/enforcers/network/compile/verdict/verdict-box.ts";
import type { Cause, ChangePlan, CutConnection } from "../../../src/engine/plan-model.ts";
import { flow } from "../../enforcers/network/history/support/flows.ts";
import { CapturedIo } from "../support/portward.ts";

const same = {
	before: { allowlistMode: false, unmatched: "accept" },
	after: { allowlistMode: false, unmatched: "accept" },
} as const;

const unchanged: ChangePlan = {
	directory: "/new",
	against: "/old",
	pending: false,
	unselected: null,
	diff: { lists: [], defaults: { ingress: same, egress: same, device: same } },
	failsafe: [],
	connections: { checked: true, reason: "", cut: [], total: 0, refusedAtStart: null },
	verdicts: [],
	forwarded: null,
	published: { forwarded: "enforce", checked: true, reason: "", changes: [], more: 0 },
	seen: null,
	devices: { checked: true, reason: "", changes: [], session: null },
	session: null,
	diagnostics: [],
};

const cause: Cause = {
	policy: "ssh",
	direction: "ingress",
	index: 2,
	action: "Block",
	file: "/new/ssh.yaml",
	line: 9,
};

function printed(over: Partial<ChangePlan>): { out: string; error: string } {
	const io = new CapturedIo();
	printPlan({ ...unchanged, ...over }, io);
	return { out: io.out_, error: io.error_ };
}

test("nothing changes", () => {
	expect(printed({})).toEqual({ out: "/new against what is in force, /old: no change\n", error: "" });
});

test("flows that were seen are told in one line, the first that would be blocked with who would", () => {
	const seen = { since: 0, flows: 5, wouldBlock: 0, wouldAllow: 1, unchanged: 4, rules: [] };
	expect(printed({ seen }).out).toContain(
		"Of 5 flows seen since 1970-01-01 00:00 UTC: 0 would be blocked, 1 that was blocked would pass\n",
	);
	const example = flow("ingress tcp 22 from 10.0.0.1", { interface: "eth0\u001b" });
	const rule = { policy: "ssh", direction: "ingress", index: 2, count: 3, partly: 0, example } as const;
	const more = { ...seen, wouldBlock: 3, wouldAllow: 0, rules: [{ ...rule, change: "wouldBlock" }] } as const;
	expect(printed({ seen: more }).out).toContain(
		"3 would be blocked (first: ingress tcp 22 from 10.0.0.1 on eth0\\x1b, by ssh ingress[2]), 0 that were",
	);
});

test("verdicts that change are told as diff tells them, and where that was too much, so", () => {
	const box: VerdictBox = {
		direction: "ingress",
		protocol: "tcp",
		ports: [22, 22],
		addresses: ["10.0.0.0/8"],
		interface: null,
		before: "Block",
		after: "Allow",
	};
	const { out } = printed({ verdicts: [box] });
	expect(out).toContain(
		"New connections whose verdict changes\n  Block → Allow: ingress tcp 22 from 10.0.0.0/8\n",
	);
	expect(printed({ verdicts: null }).out).toContain("portward diff compares them");
	const heading = "The same about what is forwarded to guests and from them";
	expect(out).not.toContain(heading);
	expect(printed({ forwarded: [box] }).out).toContain(`${heading}\n  Block → Allow: `);
	expect(printed({ verdicts: [box], forwarded: [] }).out).toContain(`${heading}\n  nothing changes\n`);
});

test("connections that would end are told with the rule, the first fifty of them", () => {
	const one: CutConnection = {
		direction: "ingress",
		protocol: 6,
		local: "192.0.2.1",
		localPort: 22,
		remote: "2001:db8::7",
		remotePort: 40_000,
		cause,
		someInterfaces: true,
		guest: false,
	};
	const cut = Array.from({ length: 60 }, (_, index) => ({ ...one, remotePort: 40_000 + index }));
	const { out, error } = printed({
		connections: { checked: true, reason: "", cut, total: 1060, refusedAtStart: 7 },
	});
	expect(out).toContain("Open connections that would be ended: 1060\n");
	expect(out).toContain("  tcp 192.0.2.1:22 from [2001:db8::7]:40000\n");
	expect(out).toContain("by Block ssh ingress[2] (/new/ssh.yaml:9), where its packets");
	expect(out.match(/^ {2}tcp /gm)).toHaveLength(50);
	expect(out).toContain("  and 1010 more\n");
	expect(out).toContain("a first start with these policies would end 7 open connections more\n");
	expect(error).toContain("1060 open connections");
});

test("a protocol without ports has no port, the posture no place", () => {
	const posture: Cause = { ...cause, index: null, file: null, line: null };
	const connection: CutConnection = {
		direction: "egress",
		protocol: 47,
		local: "192.0.2.1",
		localPort: 0,
		remote: "192.0.2.9",
		remotePort: 0,
		cause: posture,
		someInterfaces: false,
		guest: false,
	};
	const { out } = printed({
		connections: { checked: false, reason: "not root", cut: [connection], total: 1, refusedAtStart: null },
	});
	expect(out).toContain("  gre 192.0.2.1 to 192.0.2.9\n      ended by the default posture (ingress)\n");
	expect(out).toContain("Open connections were not checked: not root\n");
});

test("an operator who would be cut off is warned, also where only the next session would be", () => {
	const session = { client: "192.0.2.9", clientPort: 5, server: "192.0.2.1", serverPort: 22, cause };
	expect(printed({ session: { ...session, cut: true, refused: true } }).error).toContain("would be ended");
	const next = printed({ session: { ...session, cut: false, refused: true } }).error;
	expect(next).toMatch(/^portward: WARNING: .*192\.0\.2\.9:5 goes on/);
	expect(printed({ session: { ...session, cut: false, refused: false, cause: null } }).error).toBe("");
});
