import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { OutDirectory } from "../../../src/cli/journey/out-directory.ts";
import { readKeptHistory } from "../../../src/cli/journey/read-history.ts";
import { FlowStore } from "../../../src/enforcers/network/history/flow-store.ts";
import {
	flowWords,
	setAddress,
	setFacts,
	setVerdict,
} from "../../../src/enforcers/network/history/flow-words.ts";
import { saveHistory } from "../../../src/enforcers/network/history/saved-history.ts";
import { historyJson, type SeenFlow } from "../../../src/enforcers/network/history/seen-flow.ts";
import { readState, writeState } from "../../../src/state/state-file.ts";
import { beginning, flow, guestFlow, seenFlows } from "../../enforcers/network/history/support/flows.ts";
import { Files, portward } from "../support/portward.ts";

/** What a daemon kept: one client after the other, each ten times. */
function storeOf(hosts: number): FlowStore {
	const store = new FlowStore({ maxFlows: 100, seed: 1, since: 1_000 });
	for (let host = 1; host <= hosts; host++) {
		const words = new Uint32Array(flowWords);
		const place = { direction: "ingress", hook: "input", family: 4 } as const;
		setFacts(words, { ...place, protocol: 6, port: 22, interface: store.interface("eth0") }, false);
		setAddress(words, "remote", Uint8Array.of(192, 0, 2, host), 0, 4);
		setVerdict(words, store.verdict({ action: "Allow", policy: "ssh" }));
		store.add(words, { count: 10, first: host * 1_000, last: host * 1_000 });
	}
	return store;
}

const clients = [1, 2, 3].map((host) => flow(`ingress tcp 443 from 10.0.0.${host}`));
const scan = Array.from({ length: 12 }, (_, i) =>
	flow(`ingress tcp ${i === 0 ? 443 : 100 + i} from 10.0.0.66`),
);
const seen = [
	...clients,
	...scan,
	flow("egress udp 53 to 10.0.0.53", { action: "Audit", policy: "DefaultPosture" }),
	flow("ingress tcp 22 from 203.0.113.7", { count: 1 }),
	flow("ingress tcp 23 from 10.0.0.9", { action: "Block", policy: "old" }),
	guestFlow("ingress tcp 80 from 10.0.0.1"),
];

class Lab implements Disposable {
	readonly files = new Files();
	readonly out = join(this.files.path, "out");

	constructor(settings: Readonly<Record<string, unknown>> = {}) {
		this.files.config({ stateDir: join(this.files.path, "state"), ...settings });
	}

	async run(flows: readonly SeenFlow[], ...more: readonly string[]) {
		const json = JSON.stringify(historyJson({ since: beginning, flows, merged: 0, lost: 0 }));
		const from = this.files.put("flows.json", json);
		return portward("recommend", "--out", this.out, "--from", from, ...this.config, ...more);
	}

	get config(): readonly string[] {
		return ["--config", join(this.files.path, ".config")];
	}

	text(name: string): string {
		return readFileSync(join(this.out, name), "utf8");
	}

	put(name: string, text: string): void {
		this.files.put(`out/${name}`, text);
	}

	all(): readonly (readonly [string, string])[] {
		return readdirSync(this.out)
			.sort()
			.map((name) => [name, this.text(name)]);
	}

	[Symbol.dispose](): void {
		this.files[Symbol.dispose]();
	}
}

const names = [
	"recommend.report",
	"recommend.states",
	"seen-egress-udp-53.yaml",
	"seen-guests-ingress-tcp-80.yaml",
	"seen-ingress-tcp-443.yaml",
	"seen-test.yaml",
];

describe("recommend --out", () => {
	test("writes policies that hold, with evidence, tests that pass, and what stays out", async () => {
		using lab = new Lab();
		const { code, out, error } = await lab.run(seen);
		expect([code, error]).toEqual([0, ""]);
		expect(out).toContain("19 flows seen since 2026-11-20 00:00 UTC: 5 are allowed by 3 rules");
		expect(readdirSync(lab.out).sort()).toEqual(names);
		const policy = lab.text("seen-ingress-tcp-443.yaml");
		expect(policy).toContain(
			"# 10.0.0.0/24 on eth0: 30 times, 2026-11-20T00:00:00.000Z to 2026-11-21T00:00:00.000Z\n",
		);
		expect(policy).toContain("3 addresses of this network were seen often enough");
		expect(policy).toContain("such as 10.0.0.1 (10 times)");
		expect(policy).toContain("except:\n        - 10.0.0.66\n");
		expect((await portward("validate", lab.out, ...lab.config)).code).toBe(0);
		expect((await portward("fmt", lab.out, "--check")).code).toBe(0);
		const tests = await portward("test", "--policy-dir", lab.out, ...lab.config, "--coverage", "--json");
		expect(JSON.parse(tests.out)).toMatchObject({ passed: 19, failed: 0, coverage: { rules: 3 } });
		const report = lab.text("recommend.report");
		expect(report).toContain("part of a scan: 10.0.0.66 asked for 12 ports (12 flows):\n");
		expect(report).toContain(
			"was blocked, last by old (1 flow):\n  ingress tcp 23 from 10.0.0.9 on eth0, 10 times",
		);
		expect(lab.text("recommend.states")).toContain(
			"Learn  ingress tcp 22 from 203.0.113.7 on eth0 | 1 time, ",
		);
	});

	test("tells the same as JSON", async () => {
		using lab = new Lab();
		const { code, out } = await lab.run(seen, "--json");
		expect(code).toBe(0);
		const json = JSON.parse(out);
		expect(
			json.files.map(({ file, change }: { file: string; change: string }) => `${file} ${change}`).sort(),
		).toEqual(names.map((name) => `${name} written`));
		expect(json.rules).toHaveLength(3);
		expect(json.rules[2]).toMatchObject({
			policy: "seen-ingress-tcp-443",
			direction: "ingress",
			index: 0,
			interfaces: ["eth0"],
			blocks: [{ block: "10.0.0.0/24", except: ["10.0.0.66"], count: 30 }],
		});
		expect(json.leftOut).toHaveLength(14);
	});

	test("the same flows give the same bytes, anew and again", async () => {
		using lab = new Lab();
		using other = new Lab();
		await lab.run(seen);
		await other.run(seen.toReversed());
		const first = lab.all();
		expect(other.all()).toEqual([...first]);
		expect((await lab.run(seen, "--update")).code).toBe(0);
		expect(lab.all()).toEqual([...first]);
	});

	test("whatever the names in the flows are, all that is written is valid", async () => {
		const flows = fc
			.array(seenFlows, { maxLength: 30 })
			.map((list) => list.map((one) => ({ ...one, interface: one.interface.replaceAll(/[/\s\0]/gu, "_") })));
		await fc.assert(
			fc.asyncProperty(flows, async (list) => {
				using lab = new Lab();
				const { code, error } = await lab.run(list, "--min-count", "1");
				expect([code, error]).toEqual([0, expect.not.stringContaining("blocked by what else")]);
				const checked = await portward("validate", lab.out, ...lab.config);
				expect(checked.code).toBe(0);
				expect((await lab.run(list, "--min-count", "1", "--update")).code).toBe(0);
			}),
			{ numRuns: 25 },
		);
	});

	test("packets without an address, and of a protocol that their family does not have, stop nothing", async () => {
		using lab = new Lab();
		const odd = [
			...["0.0.0.0", "::", "10.0.0.0", "::ffff:1.2.3.4"].map((from) => flow(`ingress udp 67 from ${from}`)),
			flow("ingress 1 from 2001:db8::1"),
			flow("ingress 58 from 10.0.0.1", { count: 1, action: "Block", policy: "old" }),
		];
		expect(await lab.run(odd)).toEqual(expect.objectContaining({ code: 0, error: "" }));
		const text = lab.text("seen-ingress-udp-67.yaml");
		for (const block of ["0.0.0.0/32", "::/128", "10.0.0.0/32"]) expect(text).toContain(`cidr: ${block}\n`);
		expect(lab.text("recommend.report")).toContain("no rule is asked about this protocol in this family");
		expect(lab.text("recommend.report")).toContain("no rule can name its address, which is IPv4-mapped");
		const checked = await portward("validate", lab.out, ...lab.config);
		expect([checked.code, checked.error]).toEqual([0, expect.not.stringContaining("looks like")]);
		expect((await lab.run(odd, "--update")).code).toBe(0);
	});

	test("is refused where an earlier run wrote, or the wish makes no sense", async () => {
		using lab = new Lab();
		await lab.run(seen);
		const again = await lab.run(seen);
		expect([again.code, again.error]).toEqual([1, expect.stringContaining("--update")]);
		for (const wrong of [["--min-count", "0"], ["--aggregate", "/33"], ["--aggregate", "some"], ["--narrow"]])
			expect((await lab.run(seen, ...wrong)).code).toBe(64);
		expect((await portward("recommend")).code).toBe(64);
		expect((await portward("recommend", "all", "--out", lab.out)).code).toBe(64);
		const out = lab.files.put("file", "");
		const from = join(lab.files.path, "flows.json");
		const none = await portward("recommend", "--out", out, "--from", from, ...lab.config);
		expect([none.code, none.error]).toEqual([1, expect.stringContaining("cannot be made")]);
	});
});

describe("recommend --update", () => {
	test("leaves alone what was changed by hand, and says so", async () => {
		using lab = new Lab();
		await lab.run(seen);
		const changed = lab.text("seen-ingress-tcp-443.yaml").replace("10.0.0.0/24", "10.0.0.0/16");
		lab.put("seen-ingress-tcp-443.yaml", changed);
		const more = flow("ingress tcp 443 from 10.9.0.1");
		const { code, error } = await lab.run([...seen, more], "--update");
		expect([code, error]).toEqual([
			0,
			expect.stringContaining("seen-ingress-tcp-443.yaml was changed by hand"),
		]);
		expect(lab.text("seen-ingress-tcp-443.yaml")).toBe(changed);
		expect((await portward("test", "--policy-dir", lab.out, ...lab.config)).code).toBe(0);
	});

	test("heeds the states: Set comes in, Ignore stays out, and a deleted policy is ignored", async () => {
		using lab = new Lab();
		await lab.run(seen);
		const states = lab
			.text("recommend.states")
			.replace("Learn  ingress tcp 22", "Set    ingress tcp 22")
			.replace("Set    guests", "Ignore guests");
		lab.put("recommend.states", states);
		rmSync(join(lab.out, "seen-egress-udp-53.yaml"));
		const { code, error } = await lab.run(seen, "--update");
		expect([code, error]).toEqual([0, expect.stringContaining("seen-guests-ingress-tcp-80.yaml is removed")]);
		const policies = readdirSync(lab.out).filter((name) => name.endsWith(".yaml"));
		expect(policies.sort()).toEqual([
			"seen-ingress-tcp-22.yaml",
			"seen-ingress-tcp-443.yaml",
			"seen-test.yaml",
		]);
		expect(lab.text("recommend.states")).toContain("Ignore egress udp 53 to 10.0.0.53 | ");
		const settled = lab.all();
		expect((await lab.run(seen, "--update")).code).toBe(0);
		expect(lab.all()).toEqual([...settled]);
	});

	test("what was set stays when it is seen no more", async () => {
		using lab = new Lab();
		await lab.run(seen);
		expect((await lab.run([], "--update")).code).toBe(0);
		expect(lab.text("seen-ingress-tcp-443.yaml")).toContain("not of late");
	});

	test("writes nothing where a policy there is broken, or a line of the states", async () => {
		using lab = new Lab();
		await lab.run(seen);
		const before = lab.text("recommend.states");
		lab.put("mine.yaml", "kind: KubeArmorNetworkPolicy\n");
		const broken = await lab.run([], "--update");
		expect([broken.code, broken.error]).toEqual([1, expect.stringContaining("mine.yaml:1:1: error")]);
		rmSync(join(lab.out, "mine.yaml"));
		lab.put("recommend.states", `${before}Sett ingress tcp 1 from any\n`);
		const wrong = await lab.run([], "--update");
		expect([wrong.code, wrong.error]).toEqual([
			1,
			expect.stringMatching(/recommend\.states:\d+:1: error: "Sett"/u),
		]);
	});

	test("follows no link, and replaces none that is no file of its own", async () => {
		using lab = new Lab();
		await lab.run(seen);
		const target = lab.files.put("target", "theirs\n");
		for (const name of ["seen-ingress-tcp-443.yaml", "recommend.report"]) {
			rmSync(join(lab.out, name));
			symlinkSync(target, join(lab.out, name));
		}
		const { error } = await lab.run(seen, "--update");
		expect(error).toContain("link");
		expect(readFileSync(target, "utf8")).toBe("theirs\n");
		expect(lstatSync(join(lab.out, "seen-ingress-tcp-443.yaml")).isSymbolicLink()).toBe(true);
	});
});

describe("what is known from then on", () => {
	test("is what the recommendation was made from, where the flows are this host's own", async () => {
		using lab = new Lab({ status: { address: "unix:/nowhere/status.sock" } });
		const state = join(lab.files.path, "state");
		expect(writeState(join(state, "seen-flows.json"), saveHistory(storeOf(4)))).toBeNull();
		const run = (...more: readonly string[]) =>
			portward("recommend", "--out", lab.out, ...lab.config, ...more);
		expect((await run("--no-baseline")).code).toBe(0);
		expect(readState(join(state, "seen-baseline.json")).ok).toBe(false);
		const { code, error } = await run("--update");
		expect([code, error]).toEqual([0, expect.stringContaining("the daemon is not running")]);
		const read = readState(join(state, "seen-baseline.json"));
		expect(read).toMatchObject({ ok: true, value: { keys: ["ingress|input|tcp|192.0.2.0/24|22|eth0"] } });
		const history = await readKeptHistory(state, null, Date.now());
		expect(history.ok && history.history.flows.map(({ isNew }) => isNew)).toEqual([
			false,
			false,
			false,
			false,
		]);
	});
});

test("what another daemon saw is recommended, and not known on this host; the sentences count", async () => {
	using lab = new Lab();
	const path = join(lab.files.path, "other.sock");
	const json = historyJson({ since: beginning, flows: clients.slice(0, 1), merged: 1, lost: 1 });
	using _server = Bun.serve({ unix: path, fetch: () => Response.json(json) });
	const at = ["--status-address", `unix:${path}`];
	const { code, out, error } = await portward("recommend", "--out", lab.out, ...lab.config, ...at);
	expect([code, out]).toEqual([0, expect.stringContaining(": 1 is allowed by 1 rule in ")]);
	expect(error).toContain("1 flow was merged into a block, and stays out\n");
	expect(error).toContain("1 flow was lost, as there were too many");
	expect(readState(join(lab.files.path, "state", "seen-baseline.json")).ok).toBe(false);
});

test("a directory's files that cannot be read are told apart from those that are not there", () => {
	using lab = new Lab();
	const directory = OutDirectory.open(lab.out);
	if (typeof directory === "string") throw new Error(directory);
	using held = directory;
	expect(held.write([{ name: "a", text: "x" }], [])).toBeNull();
	expect([held.read("a"), held.read("b")]).toEqual(["x", null]);
	expect(held.write([], ["b"])).toContain("ENOENT");
	symlinkSync(join(lab.out, "a"), join(lab.out, "l"));
	expect(held.read("l")).toEqual(new Error("l is a link"));
	expect(held.read(".")).toEqual(new Error(". is no file"));
	expect(OutDirectory.open(join(lab.out, "a", "b"))).toContain("cannot be made");
});
