/** Who reaches the ports that are published for guests, in words. */

import { expect, test } from "bun:test";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import {
	type AskedPort,
	describeVerdict,
	PublishedJudge,
} from "../../../../../src/enforcers/network/compile/verdict/published-verdict.ts";
import { policy, rule } from "../build.ts";

const meaning = {
	posture: "block",
	allowlistScope: "direction",
	failsafe: { ingress: [], egress: [] },
} as const;
const model = (...policies: Parameters<typeof ruleSets>[0]) => buildModel(ruleSets(policies), meaning);
const open = model();
const postgres: AskedPort = { protocol: "tcp", family: 4, port: 5432, hook: "forward" };

function verdict(
	guests: ReturnType<typeof model> | null,
	port = postgres,
	interfaces = ["eth0"],
	host = open,
) {
	return new PublishedJudge(host, guests, [port], interfaces).verdict(port);
}

test("a port that no policy closes is open to all, in either family", () => {
	expect(describeVerdict(verdict(open))).toBe("open to all");
	expect(describeVerdict(verdict(open, { ...postgres, family: 6 }))).toBe("open to all");
});

test("a port that some may reach names them, and the policy that closes it to the rest", () => {
	const some = model(policy("db", rule("Allow", { peers: ["10.0.1.0/24"], ports: ["tcp/5432"] })));
	expect(verdict(some)).toEqual({
		reachable: [{ interface: null, addresses: ["10.0.1.0/24"] }],
		closedBy: ["DefaultPosture"],
	});
	expect(describeVerdict(verdict(some))).toBe("open to 10.0.1.0/24; closed to the rest by DefaultPosture");
});

test("a port that a Block closes names its policy", () => {
	const closed = model(policy("shut", rule("Block", { ports: ["tcp/5432"] })));
	expect(describeVerdict(verdict(closed))).toBe("closed by shut");
	expect(describeVerdict(verdict(closed, { ...postgres, port: 5433 }))).toBe("open to all");
});

test("interfaces are told apart where they differ", () => {
	const lan = model(policy("lan", rule("Block", { ports: ["tcp/5432"], interfaces: ["eth1"] })));
	expect(describeVerdict(verdict(lan, postgres, ["eth0", "eth1"]))).toBe(
		"open to all on eth0; closed to the rest by lan",
	);
	expect(describeVerdict(verdict(lan, postgres, []))).toBe("open to all");
});

test("what a program of the host listens for is judged as the host's, and what is forwarded apart from that", () => {
	const closed = model(policy("shut", rule("Block", { ports: ["tcp/5432"] })));
	expect(describeVerdict(verdict(null, postgres, ["eth0"], closed))).toBe("not judged");
	expect(describeVerdict(verdict(null, { ...postgres, hook: "input" }, ["eth0"], closed))).toBe(
		"closed by shut",
	);
});
