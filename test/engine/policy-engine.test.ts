import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/model.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { PolicyEngine } from "../../src/engine/policy-engine.ts";
import { settledPolicies } from "../../src/state/pending-record.ts";
import { block, documents, policy, port } from "../system/support/case.ts";
import { type Told, told } from "./support/told.ts";

let home: string;
let directory: string;
let state: string;

beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-engine-"));
	directory = join(home, "policies");
	state = join(home, "state");
	mkdirSync(directory);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(directory, name), text);
const blocking = (name: string, port_ = 80) =>
	policy(name, { action: "Block", message: `${port_}`, ingress: [{ ports: [port("TCP", port_)] }] });

const engine = (checkPermissions = false) =>
	new PolicyEngine({
		directory,
		stateDirectory: state,
		checkPermissions,
		hostname: "h1",
		config: defaultConfig(),
	});

/** One start of the daemon: what the first reload says, kept as in force. */
function start(config: Partial<Config> = {}): { engine: PolicyEngine; reloaded: Told } {
	const started = engine();
	return { engine: started, reloaded: reload(started, config) };
}

function reload(running: PolicyEngine, config: Partial<Config> = {}): Told {
	const reloaded = told(running.reload({ ...defaultConfig(), ...config }));
	if (reloaded.plan) expect(running.keep()).toBeNull();
	return reloaded;
}

/** Names of the policies that the plan enforces. */
const inForce = ({ plan }: Told) => [...new Set(plan?.rules.map((rule) => rule.policy))].sort();
const origins = ({ documents: all }: Told) =>
	all.map(({ name, origin, enforced }) => [name, origin, enforced]);
/** Which versions of `blocking` are in force, by their port. */
const ports = ({ plan }: Told) => plan?.rules.map(({ message }) => message).sort();
const codes = ({ diagnostics }: Told) => diagnostics.map(({ code }) => code);

describe("what is on disk", () => {
	test("is read, selected and compiled", () => {
		put(
			"a.yaml",
			documents(
				blocking("a"),
				policy("far", { nodeSelector: { matchLabels: { role: "db" } }, ingress: [{}] }),
			),
		);
		put("b.json", blocking("b", 81));
		const { reloaded } = start();
		expect(inForce(reloaded)).toEqual(["a", "b"]);
		expect(reloaded).toMatchObject({ complete: true, lastGood: false });
		expect(reloaded.documents).toMatchObject([
			{
				name: "a",
				file: join(directory, "a.yaml"),
				line: 1,
				selected: true,
				enforced: true,
				origin: "current",
				action: "Block",
			},
			{ name: "far", line: 3, selected: false, enforced: false, origin: "current" },
			{ name: "b", selected: true, enforced: true },
		]);
		expect(reloaded.nodeLabels).toMatchObject({
			"kubernetes.io/hostname": "h1",
			"kubearmor.io/hostname": "h1",
		});
		expect(reloaded.documents[1]?.diagnostics.map(({ code }) => code)).toEqual(["unknown-label"]);
	});

	test("test cases beside policies are none, and no reason to be incomplete, even broken ones", () => {
		put("a.yaml", blocking("a"));
		put("t.yaml", '{"apiVersion": "portward.io/v1", "kind": "PortwardTest", "spec": {}}');
		const { reloaded } = start();
		expect(inForce(reloaded)).toEqual(["a"]);
		expect(reloaded.complete).toBe(true);
		expect(origins(reloaded)).toEqual([["a", "current", true]]);
	});

	test("an empty directory is complete, and a plan that accepts", () => {
		const { reloaded } = start();
		expect(reloaded).toMatchObject({ complete: true, lastGood: false, documents: [] });
		expect(reloaded.plan?.rules).toEqual([]);
	});

	test("a changed setting is obeyed by the next reload", () => {
		const allow = policy("a", { action: "Allow", ingress: [{ from: [block("192.0.2.0/24")] }] });
		put("a.yaml", allow);
		put(
			"b.yaml",
			policy("far", { nodeSelector: { matchLabels: { role: "db" } }, action: "Block", egress: [{}] }),
		);
		const { engine: running, reloaded } = start();
		expect(reloaded.plan?.defaultDrop).toEqual({ ingress: true, egress: false });
		const changed = reload(running, { hostDefaultNetworkPosture: "audit", nodeLabels: { role: "db" } });
		expect(changed.plan?.defaultDrop).toEqual({ ingress: false, egress: false });
		expect(inForce(changed)).toEqual(["DefaultPosture", "a", "far"]);
		expect(reload(running, { allowlistScope: "host" }).plan?.defaultDrop).toEqual({
			ingress: true,
			egress: true,
		});
	});

	test("files that others can write are refused while permissions are checked", () => {
		put("a.yaml", blocking("a"));
		put("b.yaml", blocking("b"));
		chmodSync(directory, 0o755);
		chmodSync(join(directory, "a.yaml"), 0o666);
		chmodSync(join(directory, "b.yaml"), 0o644);
		const checked = told(engine(true).reload(defaultConfig()));
		expect(inForce(checked)).toEqual(process.getuid?.() === 0 ? ["b"] : []);
		expect(codes(checked)).toContain("insecure-permissions");
		expect(checked.complete).toBe(false);
		expect(inForce(told(engine().reload(defaultConfig())))).toEqual(["a", "b"]);
	});
});

test("what was never confirmed is said so, without advice to make a directory of the daemon's own", () => {
	const config = { ...defaultConfig(), stateDir: state, confirm: "required" as const };
	const { directory: confirmed, stateDirectory } = settledPolicies(state);
	const unconfirmed = new PolicyEngine({
		directory: confirmed,
		stateDirectory,
		checkPermissions: false,
		hostname: "h1",
		config,
	});
	expect(unconfirmed.reload(config).diagnostics).toMatchObject([
		{ message: "no confirmed policies are kept", hint: expect.stringContaining("portward confirm") },
	]);
});

describe("the last good version", () => {
	for (const restarted of [false, true]) {
		const when = restarted ? "across a restart" : "while the daemon runs";
		const again = (running: PolicyEngine, config: Partial<Config> = {}) =>
			reload(restarted ? engine() : running, config);

		test(`of a broken document stays in force ${when}, and the others go on`, () => {
			put("a.yaml", documents(blocking("a"), blocking("b", 81)));
			const { engine: running } = start();
			put("a.yaml", documents(blocking("a", 443), blocking("b", 81).replace('"Block"', '"Blok"')));
			const broken = again(running);
			expect(inForce(broken)).toEqual(["a", "b"]);
			expect(origins(broken)).toEqual([
				["a", "current", true],
				["b", "last-good", true],
			]);
			expect(ports(broken)).toEqual(["443", "81"]);
			expect(broken).toMatchObject({ complete: true, lastGood: true });
			// A second restart finds it again.
			expect(inForce(again(running))).toEqual(["a", "b"]);
			put("a.yaml", documents(blocking("a"), blocking("b", 82)));
			const repaired = again(running);
			expect(origins(repaired)).toEqual([
				["a", "current", true],
				["b", "current", true],
			]);
			expect(ports(repaired)).toEqual(["80", "82"]);
			expect(repaired.lastGood).toBe(false);
		});

		test.each([
			["cut to nothing", ""],
			["half written", blocking("a").slice(0, 60)],
			["binary", "\0\x01\xff".repeat(50)],
		])(`of a file that is %s stays in force ${when}`, (_what, content) => {
			put("a.yaml", blocking("a"));
			const { engine: running } = start();
			put("a.yaml", content);
			const broken = again(running);
			expect(inForce(broken)).toEqual(["a"]);
			expect(broken.lastGood).toBe(true);
		});

		test(`of everything stays in force ${when} when the directory vanishes, and comes back with it`, () => {
			put("a.yaml", blocking("a"));
			put("b.yaml", blocking("b"));
			const { engine: running } = start();
			renameSync(directory, `${directory}.gone`);
			const vanished = again(running);
			expect(inForce(vanished)).toEqual(["a", "b"]);
			expect(codes(vanished)).toContain("unreadable-directory");
			expect(vanished).toMatchObject({ complete: false, lastGood: true });
			renameSync(`${directory}.gone`, directory);
			expect(again(running)).toMatchObject({ complete: true, lastGood: false });
		});

		test(`a removed file is a deletion ${when}`, () => {
			put("a.yaml", blocking("a"));
			put("b.yaml", blocking("b"));
			const { engine: running } = start();
			rmSync(join(directory, "a.yaml"));
			expect(inForce(again(running))).toEqual(["b"]);
			rmSync(join(directory, "b.yaml"));
			expect(again(running).plan?.rules).toEqual([]);
		});

		test(`of two policies with one name none is newly enforced ${when}`, () => {
			put("a.yaml", blocking("a"));
			const { engine: running } = start();
			put("b.yaml", blocking("a", 81));
			const doubled = again(running);
			expect(inForce(doubled)).toEqual(["a"]);
			expect(ports(doubled)).toEqual(["80"]);
			expect(codes(doubled)).toEqual(["duplicate-name", "duplicate-name"]);
			expect(doubled.complete).toBe(false);
		});

		test(`of a set with too many elements stays in force ${when}, with an error that names policies`, () => {
			put("a.yaml", blocking("a"));
			const { engine: running } = start({ maxElements: 30 });
			const many = Array.from({ length: 64 }, (_, index) => block(`10.0.${2 * index}.0/24`));
			put("b.yaml", policy("big", { action: "Block", ingress: [{ from: many, ports: [port("TCP", 9)] }] }));
			const refused = again(running, { maxElements: 30 });
			expect(inForce(refused)).toEqual(["a"]);
			expect(refused).toMatchObject({ complete: false, lastGood: true });
			const told = refused.diagnostics.filter(({ code }) => code === "too-many-elements");
			expect(told.map(({ message }) => message).join()).toContain('policy "big" needs 64');
			expect(refused.documents.map(({ name, enforced }) => [name, enforced])).toContainEqual(["big", false]);
			expect(inForce(again(running, { maxElements: 30_000 }))).toEqual(["a", "big"]);
		});
	}

	test("is not what was never in force: a reload that was not kept leaves no trace", () => {
		put("a.yaml", blocking("a"));
		const running = start().engine;
		put("a.yaml", blocking("a", 81));
		told(running.reload(defaultConfig()));
		put("a.yaml", "{");
		const broken = reload(running);
		expect(ports(broken)).toEqual(["80"]);
	});

	test("nothing stands in for what was broken from the start", () => {
		put("a.yaml", "{");
		put("b.yaml", blocking("b"));
		const { reloaded } = start();
		expect(inForce(reloaded)).toEqual(["b"]);
		expect(reloaded).toMatchObject({ complete: false, lastGood: false });
		expect(origins(reloaded)).toEqual([
			["", "none", false],
			["b", "current", true],
		]);
	});

	test("a set that is refused from the start has no plan", () => {
		put("a.yaml", blocking("a"));
		const { reloaded } = start({ maxElements: 1 });
		expect(inForce(reloaded)).toEqual([]);
		expect(reloaded.complete).toBe(false);
		expect(codes(reloaded)).toContain("too-many-elements");
	});

	test("damaged state is reported, takes nothing down, and is replaced", () => {
		put("a.yaml", blocking("a"));
		start();
		const file = join(state, "last-good.json");
		writeFileSync(file, readFileSync(file, "utf8").replace("Block", "Allow"));
		const { reloaded } = start();
		expect(inForce(reloaded)).toEqual(["a"]);
		expect(reloaded.diagnostics).toMatchObject([
			{ file, code: "damaged-state", severity: "error", hint: expect.stringContaining("state directory") },
		]);
		expect(start().reloaded.diagnostics).toEqual([]);
	});

	test("a state directory that cannot be written is an error text, and the version stays in memory", () => {
		put("a.yaml", blocking("a"));
		writeFileSync(state, "a file where the directory should be");
		const running = engine();
		told(running.reload(defaultConfig()));
		expect(running.keep()).toContain("state");
		put("a.yaml", "{");
		expect(inForce(told(running.reload(defaultConfig())))).toEqual(["a"]);
	});
});

test("files that did not change are not parsed again", () => {
	put("a.yaml", blocking("a"));
	put("b.yaml", blocking("b"));
	const { engine: running, reloaded } = start();
	const size = blocking("a").length;
	expect(reloaded.parsed).toEqual({ ever: 2 * size, present: 2 * size });
	put("b.yaml", blocking("c"));
	expect(reload(running).parsed).toEqual({ ever: 3 * size, present: 2 * size });
	rmSync(join(directory, "a.yaml"));
	expect(reload(running).parsed).toEqual({ ever: 3 * size, present: size });
});
