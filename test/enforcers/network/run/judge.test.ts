import { afterEach, beforeEach, expect, test } from "bun:test";
import { defaultConfig } from "../../../../src/config/parse.ts";
import type { NetworkModel } from "../../../../src/enforcers/network/compile/program.ts";
import type { JudgeRequest } from "../../../../src/enforcers/network/run/calls.ts";
import { judgeCalls } from "../../../../src/enforcers/network/run/judge.ts";
import { compileSet, wholeModel } from "../../../../src/engine/policy-model.ts";
import { Conntrack } from "../../../../src/kernel/conntrack.ts";
import { Files } from "../../../cli/support/portward.ts";
import { block, policy } from "../../../system/support/case.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../../system/support/isolated.ts";

let network: IsolatedNetwork;
beforeEach(() => {
	network = enterIsolatedNetwork();
	command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
	command("ip", "addr", "add", "192.0.2.1/24", "dev", "d0");
	command("ip", "link", "set", "d0", "up");
	command("ip", "link", "set", "d1", "up");
});
afterEach(() => network.leave());

const asked: JudgeRequest = {
	refused: [],
	spared: [],
	before: [],
	mutedPorts: [],
	guests: null,
	strict: false,
};

function model(cidr: string): NetworkModel {
	using files = new Files({
		"p.yaml": policy("p", { action: "Block", egress: [{ to: [block(cidr)] }] }),
	});
	const whole = wholeModel(compileSet(files.path, defaultConfig()));
	if (whole === null) throw new Error("not compiled");
	return whole;
}

test("without policies no connection is judged or adopted", () => {
	const calls = judgeCalls(() => null);
	expect(calls.judgeConnections({ ...asked, mutedPorts: [7] })).toMatchObject({
		blocked: 0,
		strayed: 0,
		muted: [],
		error: "",
	});
	expect(calls.adoptConnections(null)).toBeNull();
	expect(calls.judgePublished({ ports: [], interfaces: [] })).toBeNull();
	expect(calls.drawGraph(null)).toBeNull();
});

test("a published port is judged, and the drawing made, by the model of now", () => {
	let blocked = "198.51.100.0/24";
	const calls = judgeCalls(() => model(blocked));
	const published = { protocol: "tcp", family: 4, port: 80, hook: "forward" } as const;
	const [verdict] = calls.judgePublished({ ports: [published], interfaces: ["d0"] }) ?? [];
	expect(verdict).toMatchObject({ reachable: [{ interface: null, addresses: ["0.0.0.0/0"] }], closedBy: [] });
	const drawn = () => JSON.stringify(calls.drawGraph(null));
	expect(drawn()).toContain("198.51.100.0/24");
	blocked = "203.0.113.0/24";
	expect(drawn()).toContain("203.0.113.0/24");
});

test("connections that the model of now blocks are found, and end", () => {
	command(
		"nft",
		"add table inet t; add chain inet t c { type filter hook output priority 0; ct state new accept; }",
	);
	const opened = Conntrack.open();
	if (!opened.ok) throw new Error(opened.error);
	const { conntrack } = opened;
	using _ = { [Symbol.dispose]: () => conntrack.close() };
	command(
		"conntrack",
		"-I",
		"-p",
		"udp",
		"-s",
		"192.0.2.1",
		"-d",
		"192.0.2.7",
		"--sport",
		"4000",
		"--dport",
		"53",
		"-t",
		"60",
		"-u",
		"SEEN_REPLY",
	);
	let blocked = "198.51.100.0/24";
	const calls = judgeCalls(() => model(blocked));
	expect(calls.judgeConnections(asked)).toMatchObject({ blocked: 0, error: "" });
	blocked = "192.0.2.0/24";
	expect(calls.judgeConnections(asked)).toMatchObject({ blocked: 1, error: "" });
	expect(calls.endConnections(null)).toMatchObject({ ended: 1, error: "" });
	expect([...conntrack.dump(4)]).toEqual([]);
	expect(calls.adoptConnections(null)).toBe("");
});
