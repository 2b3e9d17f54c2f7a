import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { dispatch } from "../../../src/cli/dispatch.ts";
import { groupFlows } from "../../../src/cli/journey/flow-groups.ts";
import { FlowArray } from "../../../src/cli/journey/flow-list.ts";
import { flowsTable, followLine, groupsTable } from "../../../src/cli/journey/flows-text.ts";
import { followFlows, ToldFlows } from "../../../src/cli/journey/follow-flows.ts";
import { until } from "../../serve/http/wire.ts";
import { violations } from "../../support/json-schema.ts";
import { CapturedIo, commands, Files, portward } from "../support/portward.ts";
import { flowJson, historyText, seenFlows } from "./support/flows.ts";

const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
const some = [
	{ ...flowJson, lastSeen: hourAgo, firstSeen: hourAgo },
	{ ...flowJson, remote: "192.0.2.9", port: 22, action: "Block", policy: "DefaultPosture", count: 120_000 },
	{
		...flowJson,
		direction: "egress",
		hook: "output",
		remote: "2001:db8::7",
		port: 53,
		protocol: "udp",
		new: true,
	},
];

describe("flows --from", () => {
	test("is a table, the most frequent first", async () => {
		using files = new Files();
		const from = files.put("flows.json", historyText(some, { merged: 4, lost: 1 }));
		const { code, out, error } = await portward("flows", "--from", from);
		expect(code).toBe(0);
		expect(out.replaceAll(/ +\d+[mhd] {2}/gu, " AGE  ")).toBe(
			" COUNT  LAST  VERDICT  FLOW\n" +
				"  120k AGE  blocked  192.0.2.9 → tcp 22 on eth0 (DefaultPosture)\n" +
				"     3 AGE  allowed  192.0.2.7 → tcp 443 on eth0 (web)\n" +
				"     3 AGE  allowed  this host → udp 53 of 2001:db8::7 on eth0 (web) NEW\n",
		);
		expect(error).toBe(
			"3 flows, seen 120006 times since 2026-01-01T00:00:00.000Z\n" +
				"4 flows were too many to be kept apart, and stand as blocks of addresses\n" +
				"of 1 flow nothing is known but that it was\n",
		);
	});

	test.each([
		[["--verdict", "block"], ["192.0.2.9"]],
		[["--verdict", "Audit"], []],
		[["--new"], ["2001:db8::7"]],
		[["--since", "2h"], ["192.0.2.7"]],
		[["--limit", "1"], ["192.0.2.9"]],
	])("%j leaves out what is not meant", async (args, expected) => {
		using files = new Files();
		const from = files.put("flows.json", historyText(some));
		const { code, out } = await portward("flows", "--from", from, "--json", ...args);
		expect(code).toBe(0);
		const document: { flows: { remote: string }[] } = JSON.parse(out);
		expect(violations(document, "flows")).toEqual([]);
		expect(document.flows.map(({ remote }) => remote)).toEqual(expected);
	});

	test("--json is what --from reads", async () => {
		using files = new Files();
		const first = await portward("flows", "--from", files.put("a.json", historyText(some)), "--json");
		const second = await portward("flows", "--from", files.put("b.json", first.out), "--json");
		expect(second.out).toBe(first.out);
	});

	test("--group-by adds up, as a table and as JSON", async () => {
		using files = new Files();
		const from = files.put("flows.json", historyText(some));
		const { out } = await portward("flows", "--from", from, "--group-by", "policy");
		expect(out.split("\n")[0]).toBe(" COUNT FLOWS  LAST  ALLOW  AUDIT  BLOCK  POLICY");
		expect(out.split("\n")[1]).toMatch(/^ {2}120k {5}1 +\S+ {6}0 {6}0 {3}120k {2}DefaultPosture$/u);
		const json = await portward("flows", "--from", from, "--group-by", "prefix", "--json");
		const document: unknown = JSON.parse(json.out);
		expect(violations(document, "flow-groups")).toEqual([]);
		expect(document).toMatchObject({ groupBy: "prefix", groups: [{ key: "192.0.2.0/24", flows: 2 }, {}] });
	});

	test("what is wrong in it is told with its place", async () => {
		using files = new Files();
		const from = files.put("flows.json", historyText([{ ...flowJson, port: 0 }]));
		const { code, out, error } = await portward("flows", "--from", from);
		expect([code, out]).toEqual([1, ""]);
		expect(error).toContain("flows.json:1:");
	});
});

test.each([
	[["--group-by", "host"], "known keys"],
	[["--group-by", "prefx"], "did you mean prefix?"],
	[["--verdict", "deny"], "known verdicts"],
	[["--limit", "0"], "--limit is a whole number"],
	[["--since", "soon"], "--since is a duration"],
	[["--follow", "--since", "1d"], "without --since"],
	[["--follow", "--from", "-"], "without --from"],
	[["all"], "is not expected here"],
])("%j is wrong usage", async (args, text) => {
	const { code, error } = await portward("flows", ...args);
	expect(code).toBe(64);
	expect(error).toContain(text);
});

test("no row is wider than eighty columns, and no terminal obeys one", () => {
	fc.assert(
		fc.property(fc.array(seenFlows, { maxLength: 8 }), (flows) => {
			const tables = [
				...flowsTable(new FlowArray(flows), Uint32Array.from(flows.keys()), Date.now()),
				groupsTable(groupFlows(flows, "policy"), "POLICY", Date.now()),
				groupsTable(groupFlows(flows, "remote"), "REMOTE", Date.now()),
			];
			for (const line of tables.join("").split("\n")) expect(line.length).toBeLessThanOrEqual(80);
			const text = [...tables, ...flows.map((flow) => followLine(flow, 2))].join("");
			expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/u);
		}),
	);
});

test("of a flow that was told, only what is new is told", () => {
	const told = new ToldFlows();
	const [flow] = fc.sample(seenFlows, { numRuns: 1, seed: 1 });
	if (flow === undefined) throw new Error("there is a flow");
	expect(told.take({ ...flow, count: 3 })).toBe(3);
	expect(told.take({ ...flow, count: 3 })).toBe(0);
	expect(told.take({ ...flow, count: 8 })).toBe(5);
	expect(told.take({ ...flow, count: 2 })).toBe(2);
	expect(told.take({ ...flow, count: 2, action: flow.action === "Block" ? "Allow" : "Block" })).toBe(2);
});

test("--follow asks a minute back, from now where the clock was set back, and tells nothing twice", async () => {
	const [flow] = fc.sample(seenFlows, { numRuns: 1, seed: 1 });
	if (flow === undefined) throw new Error("there is a flow");
	const latest = 10_000_000;
	const first = { ...flow, interface: "a", lastSeen: latest };
	// Seen before the first, and judged after it was told.
	const late = { ...flow, interface: "b", lastSeen: latest - 30_000, count: 2 };
	const times = [latest + 1, latest + 2, 5_000_000];
	const asked: (number | null)[] = [];
	const told: string[] = [];
	const io = new CapturedIo();
	const ask = async (since: number | null) => {
		asked.push(since);
		if (asked.length > times.length) io.interrupt();
		const flows = asked.length === 1 ? [first] : [first, late];
		const history = { since: 0, flows, merged: 0, lost: 0 };
		return { ok: true, history, from: "daemon", problem: "" } as const;
	};
	const tell = ({ interface: name }: typeof flow, more: number) => void told.push(`${name} ${more}`);
	const clock = () => times[asked.length - 1] ?? 0;
	expect(await followFlows({ ask, wanted: () => true, tell }, io, 1, clock)).toBe(0);
	expect(asked).toEqual([null, latest - 60_000, latest - 60_000, 4_940_000]);
	expect(told).toEqual(["b 2"]);
});

describe("flows of a daemon", () => {
	const running: { stop(): void }[] = [];
	afterEach(() => {
		for (const server of running.splice(0)) server.stop();
	});

	/** Answers as a daemon does, with what the test puts there. */
	function daemon(path: string) {
		const now = { flows: some.slice(0, 1) as object[] };
		const asked: string[] = [];
		const server = Bun.serve({
			unix: path,
			fetch: (request) => {
				asked.push(new URL(request.url).pathname);
				return new Response(historyText(now.flows));
			},
		});
		running.push({ stop: () => void server.stop(true) });
		return { now, asked, at: ["--config", "/dev/null", "--status-address", `unix:${path}`] };
	}

	test("are those that it sends", async () => {
		using files = new Files();
		const { at } = daemon(`${files.path}/s.sock`);
		const { code, out } = await portward("flows", "--json", ...at);
		expect([code, JSON.parse(out).flows.length]).toEqual([0, 1]);
	});

	test("--follow tells what comes, until the operator has enough", async () => {
		using files = new Files();
		const { now, asked, at } = daemon(`${files.path}/s.sock`);
		const io = new CapturedIo();
		const ended = dispatch(commands, ["flows", "--follow", "--verdict", "allow", ...at], io);
		await until(() => asked.length > 0, 30_000);
		now.flows = [{ ...some[0], count: 5 }, { ...some[2] }, { ...some[1] }];
		await until(() => io.out_.split("\n").length === 3, 30_000);
		io.interrupt();
		expect(await ended).toBe(0);
		expect(io.out_).toContain("192.0.2.7 → tcp 443 on eth0: allowed by web (2 times)\n");
		expect(io.out_).toContain("this host → udp 53 of 2001:db8::7 on eth0: allowed by web (3 times) NEW\n");
		expect(io.error_).toBe("");
	});

	test("--follow ends with the daemon, and says so", async () => {
		using files = new Files();
		const { asked, at } = daemon(`${files.path}/s.sock`);
		const io = new CapturedIo();
		const ended = dispatch(commands, ["flows", "--follow", "--json", ...at], io);
		await until(() => asked.length > 0, 30_000);
		for (const server of running.splice(0)) server.stop();
		expect(await ended).toBe(1);
		expect(io.error_).toContain("no daemon answers");
	});
});
