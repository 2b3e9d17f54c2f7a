import { afterEach, describe, expect, jest, test } from "bun:test";
import type { Config } from "../../../../src/config/model.ts";
import { defaultConfig } from "../../../../src/config/parse.ts";
import type { PolicyCalls } from "../../../../src/daemon/policy-calls.ts";
import { PolicyReader } from "../../../../src/daemon/policy-reader.ts";
import type { ApplyResult, OpenResult } from "../../../../src/enforcers/network/apply/apply-result.ts";
import type { CompiledRule, NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import type { JudgedFlow } from "../../../../src/enforcers/network/flows/open-connections.ts";
import type { DriftEvent } from "../../../../src/enforcers/network/observe/event.ts";
import type { JudgeCalls, NftCalls, NftOpened } from "../../../../src/enforcers/network/run/calls.ts";
import { NetworkEnforcer } from "../../../../src/enforcers/network/run/network-enforcer.ts";
import type { Reloaded } from "../../../../src/engine/reading.ts";
import { WorkerClient } from "../../../../src/threads/rpc.ts";
import { LocalWorker } from "../../../daemon/support/worker.ts";

const rule = (id: string): CompiledRule => ({
	id,
	policy: id,
	index: 0,
	direction: "ingress",
	action: "Block",
	severity: 1,
	tags: [],
	message: "",
	place: null,
	counter: `c_${id}`,
	logCounter: `l_${id}`,
});

const plan = (name: string, rules: readonly string[] = [name]): NetworkPlan => ({
	objects: [{ kind: "chain", name, rules: [] }],
	roots: { ingress: name, egress: name },
	rules: rules.map(rule),
	elements: 2,
	allowlistMode: { ingress: true, egress: false },
	defaultDrop: { ingress: true, egress: false },
	failsafe: [],
});

const flow: JudgedFlow = {
	direction: "ingress",
	family: 4,
	local: "192.0.2.2",
	remote: "192.0.2.1",
	protocol: 6,
	destinationPort: 22,
	cut: { family: 4, remote: "192.0.2.1", protocol: 6, remotePort: 1024, localPort: 22 },
};

const drift: DriftEvent = { time: 0, generation: 9, pid: 7, process: "nft", changes: ["deltable"] };
const applied: ApplyResult = { ok: true, loaded: 1 };

interface World {
	opened: NftOpened;
	plan: NetworkPlan | null;
	parsed: Reloaded["parsed"];
	apply: () => ApplyResult | Promise<ApplyResult>;
	garbage: string;
	refused: readonly JudgedFlow[];
	unsaved: string | null;
	unsavedBoot: string | null;
	confirmed: boolean;
	bug: string | null;
	panic: string | null;
	/** A look at the flows that were seen. */
	look: () => Promise<void>;
	openTable: OpenResult;
	uplinks: readonly string[];
}

const stops: (() => void)[] = [];
afterEach(() => {
	for (const stop of stops.splice(0)) stop();
	jest.useRealTimers();
});

/** An enforcer over Workers that record what they are asked and answer as `world` says. */
function setUp(world: Partial<World> = {}, config: Partial<Config> = {}) {
	const state: World = {
		opened: { ok: true, form: "concatenated", counts: true, units: true },
		plan: plan("first"),
		parsed: { ever: 100_000, present: 100_000 },
		apply: () => applied,
		garbage: "",
		refused: [],
		unsaved: null,
		unsavedBoot: null,
		confirmed: true,
		bug: null,
		panic: null,
		look: async () => {},
		openTable: { ok: true, opened: true },
		uplinks: [],
		...world,
	};
	const log: string[] = [];
	const epochs: string[] = [];
	const anew: boolean[] = [];
	const nft: NftCalls = {
		open: () => {
			log.push("open");
			return state.opened;
		},
		observed: () => {},
		probe: () => null,
		quotas: () => null,
		guests: () => ({ ok: false, error: "not asked" }),
		cuts: () => null,
		openTable: () => {
			log.push("open table");
			return state.openTable;
		},
		closeTable: () => {
			log.push("close table");
			return { ok: true, closed: true };
		},
		refreshUnits: () => ({ units: {}, slices: [], names: [], hierarchy: true, error: "" }),
		setUplinks: (names) => {
			log.push(`uplinks ${names.join()}`);
			return null;
		},
		collect: () => {
			log.push("collect");
			return state.garbage;
		},
		counters: () => ({ c_first: { packets: 1, bytes: 2 } }),
		apply: ({ plan: given, distrust }) => {
			log.push(`apply ${given.roots.ingress}${distrust ? " distrust" : ""}`);
			return state.apply() as ApplyResult;
		},
		guard: ({ defaultDrop }) => {
			log.push(`guard ${defaultDrop.ingress}/${defaultDrop.egress}`);
			return applied;
		},
		saveBoot: (request) => {
			log.push(
				request === null ? "forget" : `save ${request.form} ${request.filtered} ${request.kept.usbLock}`,
			);
			return request === null ? null : state.unsavedBoot;
		},
		cut: ({ flows }) => {
			log.push(`cut ${flows.map(({ remote }) => remote).join()}`);
			return { ok: true };
		},
	};
	const policy = {
		reload: ({ wishes, anew: whole }: Parameters<PolicyCalls["reload"]>[0]): Reloaded => {
			log.push("read");
			anew.push(whole);
			epochs.push((wishes.network as { epoch: string }).epoch);
			if (state.bug !== null) throw new TypeError(state.bug);
			return {
				documents: [],
				diagnostics: [],
				complete: true,
				lastGood: false,
				withheld: state.plan === null,
				signature: null,
				tests: null,
				feeds: [],
				nodeLabels: {},
				parsed: state.parsed,
				sent: {
					network: { plan: state.plan, policies: [], interfaces: [] },
					usb: { entries: [], lock: false, complete: true },
				},
			};
		},
		keep: () => {
			log.push("keep");
			return state.unsaved;
		},
		rest: () => {},
		recall: () => {},
		askedMuch: () => {},
		tellChange: () => ({ text: { digest: "", files: null, documents: null }, change: null }),
		judgePublished: () => null,
		drawGraph: () => null,
		judgeReceivers: () => null,
		judgeSeen: () => null,
		judgeConnections: () => {
			log.push("judge");
			return {
				blocked: state.refused.length,
				strayed: 0,
				refused: state.refused,
				overflow: 0,
				muted: [],
				spared: [],
				error: "",
			};
		},
		adoptConnections: () => "",
		endConnections: () => {
			log.push("end");
			return { ended: 0, error: "" };
		},
	};
	const policyWorkers: LocalWorker[] = [];
	const settings = { ...defaultConfig(), ...config };
	const reader = new PolicyReader({
		settings: () => ({
			directory: "/p",
			stateDirectory: "/s",
			checkPermissions: false,
			hostname: "h",
			config: settings,
		}),
		createWorker: () => {
			const worker = LocalWorker.serving<PolicyCalls & JudgeCalls>(policy);
			policyWorkers.push(worker);
			return worker;
		},
		gone: () => {},
		read: () => {},
	});
	const enforcer = new NetworkEnforcer({
		config: () => settings,
		policies: reader,
		judge: reader.worker,
		nft: new WorkerClient<NftCalls>("nft", LocalWorker.serving(nft), () => {}),
		drift: { opened: async () => void log.push("probe") },
		uplinks: () => ({ ok: true, names: state.uplinks }),
		panic: () => state.panic,
		confirmed: () => state.confirmed,
		events: {
			replacing: () => state.look(),
			reloaded: (result, _seconds, detail) => log.push(`${result}: ${detail}`),
			found: (counters) => log.push(`found ${Object.keys(counters).join()}`),
			repaired: (_event, error) => log.push(`repaired: ${error}`),
			ended: () => {},
			warn: (message) => log.push(`warning: ${message}`),
		},
	});
	stops.push(() => enforcer.stop());
	const take = () => log.splice(0);
	return { enforcer, world: state, take, epochs, anew, policyWorkers };
}

describe("the next boot", () => {
	test("is given what is in force, and nothing that waits for a confirmation", async () => {
		const { enforcer, world, take } = setUp({ confirmed: false });
		await enforcer.reload();
		expect(take()).toContain("forget");
		world.confirmed = true;
		await enforcer.reload();
		expect(take()).toContain("save concatenated true false");
	});

	test("is given the USB lock alone where packets are not filtered", async () => {
		const { enforcer, take } = setUp({}, { enableNetworkPolicyEnforcer: false });
		await enforcer.reload();
		expect(take()).toEqual(["read", "save concatenated false false", "keep"]);
	});

	test("is given what is in force by the time that the daemon stops", async () => {
		const { enforcer, take } = setUp({ apply: () => Bun.sleep(50).then(() => applied) });
		void enforcer.reload();
		await Bun.sleep(20);
		await enforcer.stop();
		expect(take().slice(-4)).toEqual(["save concatenated true false", "end", "collect", "keep"]);
		await enforcer.reload();
		expect(take()).toEqual([]);
	});

	test("is not given what was refused", async () => {
		const { enforcer, take } = setUp({ apply: () => ({ ok: false, reason: "refused", error: "no" }) });
		await enforcer.reload();
		expect(take().filter((line) => line.startsWith("save"))).toEqual([]);
	});

	test("a disk that is full is told once, and tried again later", async () => {
		const { enforcer, world, take } = setUp({ unsavedBoot: "ENOSPC" });
		jest.useFakeTimers();
		await enforcer.reload();
		expect(take().filter((line) => line.includes("ENOSPC"))).toHaveLength(1);
		expect(enforcer.state.state).toBe("active");
		jest.advanceTimersByTime(31_000);
		await enforcer.reload();
		const again = take();
		expect(again).toContain("save concatenated true false");
		expect(again.filter((line) => line.includes("ENOSPC"))).toEqual([]);
		world.unsavedBoot = null;
		await enforcer.reload();
		take();
		jest.advanceTimersByTime(31_000);
		expect(take()).toEqual([]);
	});
});

describe("a reload", () => {
	test("opens, reads, applies, and only then ends connections and keeps what is good", async () => {
		const { enforcer, world, take } = setUp();
		expect(enforcer.state).toMatchObject({ state: "unavailable", reason: "starting", generation: 0 });
		expect(await enforcer.counters()).toBeNull();
		await enforcer.reload();
		expect(take()).toEqual([
			"open",
			"probe",
			"found c_first",
			"read",
			"apply first",
			"applied: 1 objects loaded",
			"judge",
			"save concatenated true false",
			"end",
			"collect",
			"keep",
		]);
		expect(enforcer.state).toEqual({ state: "active", reason: "", generation: 1, elements: 2 });
		expect(enforcer.rule("first")?.policy).toBe("first");
		expect(await enforcer.counters()).toEqual({ c_first: { packets: 1, bytes: 2 } });
		world.plan = plan("second");
		await enforcer.reload();
		expect(take()).toEqual([
			"read",
			"apply second",
			"applied: 1 objects loaded",
			"judge",
			"save concatenated true false",
			"end",
			"collect",
			"keep",
		]);
		expect(enforcer.state.generation).toBe(2);
		expect(enforcer.rule("first")).toBeDefined();
		expect(enforcer.rule("third")).toBeUndefined();
	});

	test("refuses tuples before their entries go, and clears what is no longer refused", async () => {
		const { enforcer, world, take } = setUp({ refused: [flow] });
		await enforcer.reload();
		expect(take().slice(-6)).toEqual([
			"judge",
			"save concatenated true false",
			"cut 192.0.2.1",
			"end",
			"collect",
			"keep",
		]);
		world.refused = [];
		await enforcer.reload();
		expect(take().slice(-6)).toEqual([
			"judge",
			"save concatenated true false",
			"cut ",
			"end",
			"collect",
			"keep",
		]);
		await enforcer.reload();
		expect(take().slice(-5)).toEqual(["judge", "save concatenated true false", "end", "collect", "keep"]);
	});

	test("requests while one is under way become one more", async () => {
		const gate = Promise.withResolvers<ApplyResult>();
		const { enforcer, world, take } = setUp({ apply: () => gate.promise });
		const all = [enforcer.reload(), enforcer.reload()];
		while (!take().includes("apply first")) await Bun.sleep(1);
		all.push(enforcer.reload(), enforcer.reload(), enforcer.reload());
		world.plan = plan("second");
		gate.resolve(applied);
		await Promise.all(all);
		expect(take().filter((line) => line.startsWith("apply"))).toEqual(["apply second"]);
		expect(enforcer.state.generation).toBe(2);
	});

	test("names of one process stay the same, so that unchanged objects are shared", async () => {
		const { enforcer, epochs } = setUp();
		await enforcer.reload();
		await enforcer.reload();
		expect(epochs[0]).toMatch(/^[a-z0-9]{1,16}$/);
		expect(epochs[1]).toBe(epochs[0] ?? "");
	});
});

describe("what is refused", () => {
	test("a set without a plan leaves what was in force", async () => {
		const { enforcer, world, take } = setUp();
		await enforcer.reload();
		take();
		world.plan = null;
		await enforcer.reload();
		expect(take()).toEqual(["read", "refused: the set of policies was refused; what was in force stays"]);
		expect(enforcer.state).toMatchObject({ state: "active", generation: 1 });
		expect(enforcer.plan?.roots.ingress).toBe("first");
	});

	test("a plan that did not get to the kernel's thread is followed by one that is sent whole", async () => {
		const { enforcer, world, anew } = setUp();
		const { plan } = world;
		await enforcer.reload();
		await enforcer.reload();
		world.plan = null;
		await enforcer.reload();
		world.plan = plan;
		await enforcer.reload();
		await enforcer.reload();
		expect(anew).toEqual([true, false, false, true, false]);
	});

	test("a plan that the kernel refuses leaves the one before, and is not kept as good", async () => {
		const { enforcer, world, take } = setUp();
		await enforcer.reload();
		take();
		world.plan = plan("second");
		world.apply = () => ({ ok: false, reason: "refused", error: "no memory" });
		await enforcer.reload();
		expect(take()).toEqual(["read", "apply second", "failed: no memory"]);
		expect(enforcer.state).toMatchObject({ state: "active", generation: 1 });
		expect(enforcer.plan?.roots.ingress).toBe("first");
		// Packets may already carry its rules' ids where the swap was half way.
		expect(enforcer.rule("second")).toBeDefined();
	});

	test("the first plan refused, or a foreign table at any time, is unavailable with the reason", async () => {
		const first = setUp({ apply: () => ({ ok: false, reason: "refused", error: "no memory" }) });
		await first.enforcer.reload();
		expect(first.enforcer.state).toMatchObject({ state: "unavailable", reason: "no memory" });
		const later = setUp();
		await later.enforcer.reload();
		later.world.apply = () => ({ ok: false, reason: "foreign", error: "not ours" });
		await later.enforcer.reload();
		expect(later.enforcer.state).toMatchObject({ state: "unavailable", reason: "not ours" });
		later.world.apply = () => applied;
		await later.enforcer.reload();
		expect(later.enforcer.state).toMatchObject({ state: "active", reason: "" });
	});

	test("without nftables nothing is applied, the policies are still read, and it is tried again", async () => {
		const missing = {
			ok: false,
			reason: "libnftables is missing",
			remedy: "apt install libnftables1",
		} as const;
		const { enforcer, world, take } = setUp({ opened: missing });
		await enforcer.reload();
		expect(take()).toEqual(["open", "read"]);
		expect(enforcer.state.reason).toBe("libnftables is missing; apt install libnftables1");
		expect(enforcer.sent?.plan).not.toBeNull();
		world.opened = { ok: true, form: "nested", counts: false, units: false };
		await enforcer.reload();
		expect(take()).toContain("apply first");
		expect(enforcer.state.state).toBe("active");
	});

	test("disabled by the settings it reads and keeps, and never opens", async () => {
		const { enforcer, take } = setUp({}, { enableNetworkPolicyEnforcer: false });
		await enforcer.reload();
		expect(take()).toEqual(["read", "save concatenated false false", "keep"]);
		expect(enforcer.state).toMatchObject({
			state: "disabled",
			reason: "enableNetworkPolicyEnforcer is false",
		});
	});

	test("a bug that a set of policies brings out leaves what was in force, and the daemon", async () => {
		const { enforcer, world, take } = setUp();
		await enforcer.reload();
		take();
		world.bug = "no such thing";
		await enforcer.reload();
		expect(take()).toEqual([
			"read",
			expect.stringContaining("warning: a bug in reading policies: TypeError: no such thing\n"),
			"failed: the policies could not be compiled: TypeError: no such thing",
		]);
		expect(enforcer.state).toMatchObject({ state: "active", generation: 1 });
		await enforcer.repair(drift);
		expect(take()[0]).toBe("guard true/false");
		expect(enforcer.state.state).toBe("unavailable");
		world.bug = null;
		await enforcer.reload();
		expect(enforcer.state.state).toBe("active");
	});

	test("warnings say what could not be cleaned up or saved, and which connections may stall", async () => {
		const { enforcer, take } = setUp({
			apply: () => ({ ok: true, loaded: 1, unadopted: "no memory" }),
			garbage: "busy",
			unsaved: "disk full",
		});
		await enforcer.reload();
		expect(take().filter((line) => line.startsWith("warning"))).toEqual([
			"warning: open connections may stall: no memory",
			"warning: old objects stay in the table for now: busy",
			"warning: the last good policies could not be saved: disk full",
		]);
	});
});

test("a reload of what is in force reads behind a look at the flows; a repair does not wait for that", async () => {
	const { enforcer, world, take } = setUp();
	const looked = Promise.withResolvers<void>();
	let looks = 0;
	world.look = () => {
		looks++;
		return looked.promise;
	};
	await enforcer.reload();
	expect(looks).toBe(0);
	await enforcer.repair(drift);
	expect(looks).toBe(1);
	take();
	const reloaded = enforcer.reload();
	while (looks < 2) await Bun.sleep(1);
	await Bun.sleep(20);
	expect(take()).toEqual([]);
	looked.resolve();
	await reloaded;
	expect(take()[0]).toBe("read");
});

describe("a repair", () => {
	test("guards first, then loads everything under names that nobody can have changed", async () => {
		const { enforcer, take, epochs } = setUp();
		await enforcer.reload();
		take();
		await enforcer.repair(drift);
		expect(take()).toEqual([
			"guard true/false",
			"read",
			"apply first distrust",
			"applied: 1 objects loaded",
			"judge",
			"save concatenated true false",
			"end",
			"collect",
			"keep",
			"repaired: ",
		]);
		expect(epochs[1]).not.toBe(epochs[0] ?? "");
		expect(enforcer.state.generation).toBe(2);
	});

	test("refuses the ended flows again: they went with the table", async () => {
		const { enforcer, take } = setUp({ refused: [flow] });
		await enforcer.reload();
		take();
		await enforcer.repair(drift);
		expect(take()).toContain("cut 192.0.2.1");
	});

	test("that fails is unavailable, never a silent pass", async () => {
		const { enforcer, world, take } = setUp();
		await enforcer.reload();
		take();
		world.apply = () => ({ ok: false, reason: "refused", error: "no memory" });
		await enforcer.repair(drift);
		expect(take().at(-1)).toBe("repaired: no memory");
		expect(enforcer.state).toMatchObject({ state: "unavailable", reason: "no memory" });
		expect(await enforcer.counters()).toBeNull();
	});

	test("several changes during one job are one repair, which reads the policies too", async () => {
		const gate = Promise.withResolvers<ApplyResult>();
		const { enforcer, take } = setUp({ apply: () => gate.promise });
		const first = enforcer.reload();
		while (!take().includes("apply first")) await Bun.sleep(1);
		const all = [first, enforcer.repair(drift), enforcer.reload(), enforcer.repair(drift)];
		gate.resolve(applied);
		await Promise.all(all);
		const log = take();
		expect(log.filter((line) => line.startsWith("repaired"))).toEqual(["repaired: "]);
		expect(log.filter((line) => line.startsWith("apply"))).toEqual(["apply first distrust"]);
	});

	test("before anything was in force has nothing to guard", async () => {
		const { enforcer, take } = setUp();
		await enforcer.repair(drift);
		expect(take().filter((line) => line.startsWith("guard"))).toEqual([]);
		expect(enforcer.state.state).toBe("active");
	});
});

describe("at rest", () => {
	test("the policy Worker stays with much text, and goes after a while with little", async () => {
		jest.useFakeTimers();
		const heavy = setUp({ parsed: { ever: 2 ** 20, present: 2 ** 20 } });
		await heavy.enforcer.reload();
		jest.advanceTimersByTime(60_000);
		expect(heavy.policyWorkers.map((worker) => worker.terminated)).toEqual([false]);
		const light = setUp({ parsed: { ever: 10, present: 10 } });
		await light.enforcer.reload();
		expect(light.policyWorkers.map((worker) => worker.terminated)).toEqual([false]);
		jest.advanceTimersByTime(60_000);
		expect(light.policyWorkers.map((worker) => worker.terminated)).toEqual([true]);
	});

	test("the policy Worker stays while it alone knows the last good policies", async () => {
		jest.useFakeTimers();
		for (const parsed of [
			{ ever: 2 ** 20, present: 10 },
			{ ever: 10, present: 10 },
		]) {
			const { enforcer, world, policyWorkers } = setUp({ parsed, unsaved: "read-only file system" });
			await enforcer.reload();
			jest.advanceTimersByTime(60_000);
			expect(policyWorkers.map((worker) => worker.terminated)).toEqual([false]);
			world.unsaved = null;
			await enforcer.reload();
			jest.advanceTimersByTime(60_000);
			expect(policyWorkers.map((worker) => worker.terminated)).toEqual([true]);
		}
	});

	test("what failed is tried again, until it is stopped", async () => {
		jest.useFakeTimers();
		const { enforcer, world, take } = setUp({
			apply: () => ({ ok: false, reason: "foreign", error: "not ours" }),
		});
		await enforcer.reload();
		take();
		world.apply = () => applied;
		jest.advanceTimersByTime(60_000);
		await enforcer.reload();
		expect(take()).toContain("apply first");
		expect(enforcer.state.state).toBe("active");
		world.apply = () => ({ ok: false, reason: "foreign", error: "not ours" });
		await enforcer.reload();
		take();
		enforcer.stop();
		jest.advanceTimersByTime(60_000);
		expect(take()).toEqual([]);
	});
});

describe("while panic-open stands", () => {
	const why = "panic-open since 2026-01-01T00:00:00.000Z: drill";

	test("a reload, a repair and a start read the policies and leave the table open", async () => {
		const { enforcer, world, take } = setUp();
		await enforcer.reload();
		take();
		world.panic = why;
		await enforcer.reload();
		expect(take()).toEqual(["open table", "read", "open table"]);
		await enforcer.repair(drift);
		expect(take()).toEqual(["open table", "read", "open table", "repaired: "]);
		expect(enforcer.state).toMatchObject({ state: "open", reason: why, generation: 1 });
		expect(await enforcer.counters()).toEqual({ c_first: { packets: 1, bytes: 2 } });
		const started = setUp({ panic: why });
		await started.enforcer.reload();
		expect(started.take()).toEqual(["open", "probe", "found c_first", "open table", "read", "open table"]);
		expect(started.enforcer.state).toMatchObject({ state: "open", generation: 0 });
	});

	test("it opens at once, and again after a plan that was on its way", async () => {
		const gate = Promise.withResolvers<ApplyResult>();
		const { enforcer, world, take } = setUp({ apply: () => gate.promise });
		const loading = enforcer.reload();
		while (!take().includes("apply first")) await Bun.sleep(1);
		world.panic = why;
		const opening = enforcer.letAllPass();
		gate.resolve(applied);
		expect(await opening).toBe("");
		await loading;
		expect(take()).toEqual(["open table", "open table"]);
		expect(enforcer.state.state).toBe("open");
	});

	test("afterwards what the table holds is in force before the policies are read, and all of it is loaded anew", async () => {
		const { enforcer, world, take, epochs } = setUp();
		await enforcer.reload();
		world.panic = why;
		await enforcer.reload();
		take();
		world.panic = null;
		world.plan = null;
		await enforcer.reload();
		expect(take()).toEqual([
			"close table",
			"read",
			"refused: the set of policies was refused; what was in force stays",
		]);
		expect(enforcer.state).toMatchObject({ state: "active", reason: "" });
		world.plan = plan("second");
		await enforcer.reload();
		expect(take().slice(0, 3)).toEqual(["read", "apply second distrust", "applied: 1 objects loaded"]);
		await enforcer.reload();
		expect(take().slice(0, 2)).toEqual(["read", "apply second"]);
		// Names that the table held before are given to nothing new; then they stay.
		expect(epochs.lastIndexOf(epochs[0] ?? "")).toBe(0);
		expect(epochs[4]).toBe(epochs[3] ?? "");
	});

	test("a table that cannot be opened is said, and tried again", async () => {
		jest.useFakeTimers();
		const { enforcer, world } = setUp({
			panic: why,
			openTable: { ok: false, reason: "refused", error: "no memory" },
		});
		expect(await enforcer.letAllPass()).toContain("could not be opened: no memory");
		expect(enforcer.state.state).toBe("unavailable");
		world.openTable = { ok: true, opened: true };
		jest.advanceTimersByTime(30_000);
		while (enforcer.state.state !== "open") await Promise.resolve();
	});

	test("without a network enforcer there is nothing to open", async () => {
		const { enforcer, take } = setUp({ panic: why }, { enableNetworkPolicyEnforcer: false });
		expect(await enforcer.letAllPass()).toBe("");
		expect(take()).toEqual(["read", "save concatenated false false", "keep"]);
		expect(enforcer.state.state).toBe("disabled");
	});
});

describe("bridges that lead to other hosts", () => {
	const forward = (uplinks: readonly string[]): NetworkPlan => ({
		...plan("first"),
		forward: { mode: "enforce", root: "f", uplinks, guard: [] },
	});

	test("are told to the ruleset in force at once, and it is compiled anew for the next boot", async () => {
		const { enforcer, world, take } = setUp({ plan: forward(["br0"]), uplinks: ["br0"] });
		await enforcer.reload();
		expect(take().filter((entry) => entry.startsWith("uplinks"))).toEqual([]);
		await enforcer.linksChanged();
		expect(take()).toEqual([]);
		world.uplinks = ["br0", "br1"];
		world.plan = forward(["br0", "br1"]);
		await enforcer.linksChanged();
		const log = take();
		expect(log.slice(0, 2)).toEqual(["uplinks br0,br1", "read"]);
		expect(log).toContain("save concatenated true false");
	});

	test("are told also where the policies are refused by now, and once", async () => {
		const { enforcer, world, take } = setUp({ plan: forward([]), uplinks: [] });
		await enforcer.reload();
		take();
		world.uplinks = ["br1"];
		world.plan = null;
		await enforcer.linksChanged();
		expect(take()[0]).toBe("uplinks br1");
		await enforcer.linksChanged();
		expect(take()).toEqual([]);
	});

	test("that changed while the plan was made are told when it is in force", async () => {
		const { enforcer, world, take } = setUp({ plan: forward([]), uplinks: [] });
		world.apply = () => {
			world.uplinks = ["br1"];
			return applied;
		};
		await enforcer.reload();
		expect(take().filter((entry) => entry.startsWith("uplinks"))).toEqual(["uplinks br1"]);
	});

	test("are nobody's business where nothing that is forwarded is judged", async () => {
		const { enforcer, take } = setUp({ uplinks: ["br1"] });
		await enforcer.reload();
		await enforcer.linksChanged();
		expect(take().filter((entry) => entry.startsWith("uplinks"))).toEqual([]);
	});
});
