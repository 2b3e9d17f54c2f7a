/** The state machine over real files, with a clock that the test turns. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchangePaths } from "../../../ffi/rename.ts";
import { syncFileSystem } from "../../../ffi/sync.ts";
import type { Config } from "../../../src/config/model.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { PendingChanges } from "../../../src/daemon/pending/pending-changes.ts";
import { digestPolicies, PendingStager, stagePolicies } from "../../../src/daemon/pending/pending-stager.ts";
import type { StagingCalls } from "../../../src/daemon/policy-calls.ts";
import { meaningOf } from "../../../src/engine/meaning.ts";
import type { SshSession } from "../../../src/kernel/ssh-session.ts";
import { PolicyDirectoryReader } from "../../../src/source/policy-directory.ts";
import { publicText } from "../../../src/source/signing-key.ts";
import { type FileOperations, fileOperations } from "../../../src/state/pending-files.ts";
import { recordPath } from "../../../src/state/pending-record.ts";
import { PendingStore } from "../../../src/state/pending-store.ts";
import { newKey, signDirectory } from "../../state/support/signing.ts";
import { block, policy, port } from "../../system/support/case.ts";
import { eventually } from "../../system/support/netns.ts";
import { LocalWorker } from "../support/worker.ts";

let root: string;
let policyDir: string;
let stateDir: string;
let fresh: string;
let stops: (() => void)[];
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "portward-pending."));
	[policyDir, stateDir, fresh] = ["policies", "state", "new"].map((name) => join(root, name)) as [
		string,
		string,
		string,
	];
	for (const directory of [policyDir, stateDir, fresh]) mkdirSync(directory);
	writeFileSync(join(policyDir, "old.yaml"), blocking("old"));
	writeFileSync(join(fresh, "new.yaml"), blocking("new"));
	stops = [];
});
afterEach(() => {
	for (const stop of stops) stop();
	rmSync(root, { recursive: true });
});

const blocking = (name: string) =>
	policy(name, { action: "Block", ingress: [{ from: [block("192.0.2.0/24")], ports: [port("TCP", 7)] }] });
const peer = { pid: 4242, uid: 0, gid: 0 };
const syncReally = async (directory: string) => {
	const synced = syncFileSystem(directory);
	if (!synced.ok) throw new Error(synced.error);
};

const real = fileOperations(exchangePaths, syncReally);

interface World {
	now: number;
	boot: string;
	config: Partial<Config>;
	/** Why enforcing fails, for a directory with such a file in it. */
	broken: Record<string, string>;
	obstacle: string | null;
	session: SshSession | null;
	operations: Partial<FileOperations>;
}

/** A daemon's part, started as after a crash where there was one before. */
async function start(over: Partial<World> = {}) {
	const world: World = {
		now: 1000,
		boot: "boot",
		config: {},
		broken: {},
		obstacle: null,
		session: null,
		operations: {},
		...over,
	};
	const log: string[] = [];
	const enforced: string[] = [];
	const config = () => ({ ...defaultConfig(), policyDir, stateDir, ...world.config });
	const staging: StagingCalls = {
		sync: () => null,
		stage: (request) => stagePolicies(request, real),
		meaning: meaningOf,
		digest: digestPolicies,
	};
	const settings = () => ({ checkPermissions: true, hostname: "host", config: config() });
	const changes = new PendingChanges({
		store: new PendingStore(stateDir, { ...real, ...world.operations }),
		stager: new PendingStager(() => LocalWorker.serving<StagingCalls>(staging), settings),
		config,
		boot: world.boot,
		clock: () => world.now,
		enforce: async () => {
			const { directory } = changes.source;
			const names = existsSync(directory)
				? readdirSync(directory)
						.filter((name) => !name.startsWith("."))
						.sort()
				: [];
			const why = Object.entries(world.broken).find(([name]) => names.includes(name))?.[1] ?? "";
			if (why === "") enforced.push(names.join());
			return why;
		},
		obstacle: () => world.obstacle,
		session: () => world.session,
		events: {
			started: (change, again) => log.push(`${again ? "resumed" : "started"} ${change.source}`),
			settled: (result, change, reason) => log.push(`${result} ${change?.source ?? "?"}: ${reason}`),
			refused: (reason) => log.push(`refused: ${reason}`),
		},
		log: { info: () => {}, warn: () => {}, error: (message) => log.push(message) },
	});
	stops.push(() => changes.stop());
	await changes.start();
	// As the daemon does with its first reload.
	await changes.changed(true);
	await changes.enforced();
	const verbs = {
		apply: (from = fresh, seconds: number | null = 60) =>
			changes.apply({ verb: "apply", directory: from, from, seconds, session: null }, peer),
		confirm: (id: string | null = null, sameSession = false, session: SshSession | null = null) =>
			changes.confirm({ verb: "confirm", id, sameSession, session }, peer),
		rollback: (id: string | null = null) => changes.rollback({ verb: "rollback", id }, peer),
	};
	/** As SIGKILL does, seen from what comes after. */
	const kill = () => changes.stop();
	return { world, log, changes, kill, ...verbs, inForce: () => enforced.at(-1) };
}

const names = (directory: string) => (existsSync(directory) ? readdirSync(directory).sort() : []);

describe("a change that is asked for", () => {
	test("is in force, and rolls back by itself when its time is up", async () => {
		const { world, log, changes, apply, inForce } = await start();
		expect(inForce()).toBe("old.yaml");
		expect(await apply()).toMatchObject({ ok: true });
		expect([inForce(), changes.confirmed]).toEqual(["new.yaml", false]);
		world.now += 30.5;
		expect(changes.state).toMatchObject({ from: fresh, seconds: 60, secondsLeft: 30, waiting: false });
		expect(names(policyDir)).toEqual(["old.yaml"]);
		world.now += 29.5;
		await eventually("the way back", () => inForce() === "old.yaml");
		await eventually("the end of it", () => log.at(-1)?.startsWith("rolled_back apply"));
		expect([changes.confirmed, changes.state, existsSync(recordPath(stateDir))]).toEqual([true, null, false]);
		expect(names(join(stateDir, "pending"))).toEqual([]);
	});

	test("confirmed, it becomes the content of the policy directory", async () => {
		const { changes, apply, confirm, inForce } = await start();
		await apply();
		expect(await confirm()).toMatchObject({ ok: true, message: expect.stringContaining("unchecked") });
		expect([names(policyDir), inForce(), changes.source.directory]).toEqual([
			["new.yaml"],
			"new.yaml",
			policyDir,
		]);
		expect(await confirm()).toEqual({ ok: false, message: "no change is pending" });
	});

	test("rolls back at once when that is asked for, but not another one", async () => {
		const { changes, apply, confirm, rollback, inForce } = await start();
		await apply();
		const other = "0".repeat(16);
		expect(await rollback(other)).toMatchObject({ ok: false });
		expect(await confirm(other)).toMatchObject({ ok: false });
		expect(changes.state?.id).not.toBe(other);
		expect(await rollback(changes.state?.id ?? "")).toMatchObject({ ok: true });
		expect([inForce(), changes.state]).toEqual(["old.yaml", null]);
		expect(await rollback()).toEqual({ ok: false, message: "no change is pending" });
	});

	test("is the only one: a second is refused with what is pending, and time does not start anew", async () => {
		const { world, changes, apply } = await start();
		await apply();
		const first = changes.state?.id ?? "";
		world.now += 10;
		const refused = await apply();
		expect(refused).toMatchObject({ ok: false, message: expect.stringContaining(first) });
		expect(changes.state?.secondsLeft).toBe(50);
	});

	test("that comes at the same time as another waits for its turn, and is refused", async () => {
		const { apply } = await start();
		const both = await Promise.all([apply(), apply()]);
		expect(both.map(({ ok }) => ok)).toEqual([true, false]);
	});

	test.each([
		["a broken document", () => writeFileSync(join(fresh, "bad.yaml"), "spec: [")],
		[
			"a document with an error in it",
			() => writeFileSync(join(fresh, "bad.yaml"), blocking("x").replace("TCP", "TPC")),
		],
		["a name twice", () => writeFileSync(join(fresh, "bad.yaml"), blocking("new"))],
		["a link that leads out", () => Bun.spawnSync(["ln", "-s", "/etc/hosts", join(fresh, "bad.yaml")])],
		["a file that others can write", () => Bun.spawnSync(["chmod", "o+w", join(fresh, "new.yaml")])],
		["nothing there", () => rmSync(fresh, { recursive: true })],
	])("with %s is refused whole", async (_what, spoil) => {
		const { log, changes, apply, inForce } = await start();
		spoil();
		expect(await apply()).toMatchObject({ ok: false, message: expect.stringContaining(fresh) });
		expect([changes.state, inForce(), log.length]).toEqual([null, "old.yaml", 1]);
		expect(names(join(stateDir, "pending"))).toEqual([]);
	});

	test("that cannot be enforced is rolled back at once, with the reason", async () => {
		const { changes, apply, inForce } = await start({ broken: { "new.yaml": "the kernel says no" } });
		expect(await apply()).toMatchObject({
			ok: false,
			message: expect.stringContaining("the kernel says no"),
		});
		expect([changes.state, inForce(), existsSync(recordPath(stateDir))]).toEqual([null, "old.yaml", false]);
	});

	test("that cannot be written down is not enforced", async () => {
		const full = async () => Promise.reject(new Error("ENOSPC: no space left on device"));
		const { changes, apply, inForce } = await start({ operations: { writeState: full } });
		expect(await apply()).toMatchObject({ ok: false, message: expect.stringContaining("ENOSPC") });
		expect([changes.state, inForce(), names(join(stateDir, "pending"))]).toEqual([null, "old.yaml", []]);
	});

	test("that changes nothing needs no confirmation", async () => {
		const { changes, apply } = await start();
		expect(await apply(policyDir)).toMatchObject({
			ok: true,
			message: expect.stringContaining("nothing changes"),
		});
		expect(changes.state).toBeNull();
	});

	test("that changes comments and formatting alone is taken over without a confirmation", async () => {
		const { changes, log, apply, inForce } = await start();
		rmSync(join(fresh, "new.yaml"));
		const text = `# why\n${JSON.stringify(JSON.parse(blocking("old")), null, 3)}`;
		writeFileSync(join(fresh, "old.yaml"), text);
		expect(await apply()).toMatchObject({
			ok: true,
			message: expect.stringContaining("comments and formatting alone"),
		});
		expect([changes.state, inForce(), existsSync(recordPath(stateDir))]).toEqual([null, "old.yaml", false]);
		expect(readFileSync(join(policyDir, "old.yaml"), "utf8")).toBe(text);
		expect(log.join()).toContain("confirmed");
	});

	test.each([
		["message", (text: string) => text.replace('"spec":{', '"spec":{"message":"other",')],
		["severity", (text: string) => text.replace('"spec":{', '"spec":{"severity":9,')],
		["host that is meant", (text: string) => text.replace('"*"', '"elsewhere"')],
		["policy that no file can be read without", (text: string) => `${text}---\nkind: [`],
	])("with another %s is to be confirmed, or refused", async (_, change) => {
		const { changes, apply } = await start();
		rmSync(join(fresh, "new.yaml"));
		writeFileSync(join(fresh, "old.yaml"), change(blocking("old")));
		const reply = await apply();
		expect(reply.message).not.toContain("formatting");
		expect(changes.state !== null || !reply.ok).toBe(true);
	});

	test("with comments alone, that cannot be put in place, pends like any other", async () => {
		let times = 0;
		// The first is the trial before a change begins.
		const exchange: FileOperations["exchange"] = async (...paths) => {
			if (times++ > 0) throw new Error("EIO");
			await real.exchange(...paths);
		};
		const { changes, apply } = await start({ operations: { exchange } });
		rmSync(join(fresh, "new.yaml"));
		writeFileSync(join(fresh, "old.yaml"), `# why\n${blocking("old")}`);
		expect(await apply()).toMatchObject({
			ok: true,
			message: expect.stringContaining("unless it is confirmed"),
		});
		expect(changes.state).not.toBeNull();
	});

	test("waits while something forbids it", async () => {
		const { world, apply, confirm, rollback } = await start({ obstacle: "panic-open stands" });
		expect(await apply()).toEqual({ ok: false, message: "panic-open stands" });
		world.obstacle = null;
		await apply();
		world.obstacle = "panic-open stands";
		expect(await confirm()).toEqual({ ok: false, message: "panic-open stands" });
		expect(await rollback()).toMatchObject({ ok: true });
	});

	test("that could never be confirmed is refused before anything changes", async () => {
		const unknown = async () => Promise.reject(new Error("EINVAL: no such rename here"));
		const { changes, apply, inForce } = await start({ operations: { exchange: unknown } });
		expect(await apply()).toMatchObject({ ok: false, message: expect.stringContaining("EINVAL") });
		expect([changes.state, inForce(), names(root)]).toEqual([null, "old.yaml", ["new", "policies", "state"]]);
	});

	test("that the system does not let be put in place still pends", async () => {
		const busy = async (one: string, other: string) => {
			if (other === policyDir) throw new Error("EBUSY: it is a mount point");
			await real.exchange(one, other);
		};
		const { changes, apply, confirm, inForce } = await start({ operations: { exchange: busy } });
		await apply();
		expect(await confirm()).toMatchObject({ ok: false, message: expect.stringContaining("EBUSY") });
		expect([changes.state === null, inForce(), names(policyDir)]).toEqual([false, "new.yaml", ["old.yaml"]]);
		expect(names(root)).toEqual(["new", "policies", "state"]);
	});
});

test("where signatures are required, an unsigned change is refused, and a signed one brings its signature along", async () => {
	const key = newKey();
	signDirectory(policyDir, key, 1);
	const { apply, confirm, changes, inForce } = await start({
		config: { policySignature: "required", trustedKeys: [publicText(key)] },
	});
	expect(await apply()).toMatchObject({ ok: false });
	signDirectory(fresh, newKey(), 2);
	expect(await apply()).toMatchObject({ ok: false });
	expect([changes.state, inForce()]).toEqual([null, "old.yaml"]);
	signDirectory(fresh, key, 2);
	expect(await apply()).toMatchObject({ ok: true });
	expect(await confirm()).toMatchObject({ ok: true });
	const read = new PolicyDirectoryReader(policyDir, { checkPermissions: true }).read([publicText(key)]);
	expect([read.problem, read.set?.serial, read.files.map(({ path }) => path)]).toEqual([
		null,
		2,
		["new.yaml"],
	]);
	// A signature alone is a change as well.
	signDirectory(fresh, key, 3);
	expect(await apply()).toMatchObject({ ok: true, message: expect.stringContaining("is in force") });
});

describe("the policy directory, changed meanwhile,", () => {
	test("waits, and is what is enforced after a roll back", async () => {
		const { changes, apply, rollback, inForce } = await start();
		await apply();
		writeFileSync(join(policyDir, "more.yaml"), blocking("more"));
		await changes.changed(false);
		expect([inForce(), changes.state?.waiting]).toEqual(["new.yaml", true]);
		await rollback();
		expect(inForce()).toBe("more.yaml,old.yaml");
	});

	test("is kept beside when the change is confirmed", async () => {
		const { apply, confirm, changes, inForce } = await start();
		await apply();
		const { id = "" } = changes.state ?? {};
		writeFileSync(join(policyDir, "more.yaml"), blocking("more"));
		const kept = `${policyDir}.before-${id}`;
		expect(await confirm()).toMatchObject({ ok: true, message: expect.stringContaining(kept) });
		expect([names(policyDir), names(kept), inForce()]).toEqual([
			["new.yaml"],
			["more.yaml", "old.yaml"],
			"new.yaml",
		]);
	});
});

describe("after a crash", () => {
	test("a change that has time left goes on with what is left", async () => {
		const before = await start();
		await before.apply();
		before.kill();
		const { changes, log, world, inForce } = await start({ now: 1040.2 });
		expect([inForce(), changes.state?.secondsLeft, log]).toEqual(["new.yaml", 20, ["resumed apply"]]);
		world.now = 1061;
		await eventually("the way back", () => inForce() === "old.yaml");
	});

	test("before it was in force, it has all of its time from then on", async () => {
		const before = await start();
		await before.apply();
		const record = new PendingStore(stateDir, real).read();
		if (record.state !== "known") throw new Error(record.state);
		await new PendingStore(stateDir, real).write({ ...record.change, enforced: null, deadline: 1060 });
		before.kill();
		const { changes } = await start({ now: 1020 });
		expect(changes.state?.secondsLeft).toBe(60);
	});

	test.each([
		["whose time is up", { now: 1061 }],
		["of another boot", { boot: "another", now: 3 }],
		["of a boot that nobody knows", { boot: "" }],
	])("a change %s is rolled back before anything is enforced", async (_what, over) => {
		const before = await start();
		await before.apply();
		before.kill();
		const { changes, log, inForce } = await start(over);
		expect([inForce(), changes.state, log.length]).toEqual(["old.yaml", null, 1]);
		expect([log[0]?.startsWith("rolled_back"), names(join(stateDir, "pending"))]).toEqual([true, []]);
	});

	test.each([
		["record is cut", () => writeFileSync(recordPath(stateDir), "portward-state-1 0\n{")],
		[
			"copy is changed",
			() => {
				const [id = ""] = readdirSync(join(stateDir, "pending"));
				writeFileSync(join(stateDir, "pending", id, "policies/new.yaml"), blocking("other"));
			},
		],
	])("a change whose %s is rolled back", async (_what, damage) => {
		const before = await start();
		await before.apply();
		before.kill();
		damage();
		const { changes, log, inForce } = await start();
		expect([inForce(), changes.state, log.length, names(join(stateDir, "pending"))]).toEqual([
			"old.yaml",
			null,
			1,
			[],
		]);
	});

	test("a confirmation that was decided is finished, in whichever boot", async () => {
		const before = await start();
		await before.apply();
		const record = new PendingStore(stateDir, real).read();
		if (record.state !== "known") throw new Error(record.state);
		let written = 0;
		// The second time it would take the decision back, and dead processes write nothing.
		const dying = new PendingStore(stateDir, {
			...real,
			exchange: async () => Promise.reject(new Error("killed")),
			writeState: async (path, value) => {
				written += 1;
				if (written > 1) throw new Error("killed");
				await real.writeState(path, value);
			},
		});
		await dying.confirm(record.change, [{ target: policyDir, keep: false }]).catch(() => null);
		before.kill();
		expect(names(policyDir)).toEqual(["old.yaml"]);
		const { changes, log, inForce } = await start({ boot: "another" });
		expect([names(policyDir), inForce(), changes.state]).toEqual([["new.yaml"], "new.yaml", null]);
		expect([log[0]?.startsWith("confirmed"), names(root)]).toEqual([true, ["new", "policies", "state"]]);
	});
});

describe("confirming from an SSH session", () => {
	const session = (opened: number) => ({ connection: "192.0.2.9 50000 192.0.2.1 22", opened });

	test("that is from before the change is refused, unless it is insisted on", async () => {
		const { changes, apply, confirm, log } = await start({ session: session(999) });
		await apply();
		expect(await confirm()).toMatchObject({ ok: false, message: expect.stringContaining("open one") });
		expect(changes.state).not.toBeNull();
		expect(await confirm(null, true)).toMatchObject({ ok: true });
		expect(log.at(-1)).toContain("insisted");
	});

	test("that the client alone can see counts as well, and the older of two decides", async () => {
		const { world, apply, confirm } = await start();
		await apply();
		expect(await confirm(null, false, session(999))).toMatchObject({ ok: false });
		world.session = session(1001);
		expect(await confirm(null, false, session(999))).toMatchObject({ ok: false });
		expect(await confirm(null, false, session(1002))).toMatchObject({ ok: true });
	});
});

describe("confirm: required", () => {
	const required = { config: { confirm: "required", confirmWithin: 60 } } as const;

	test("the first set pends against nothing; confirmed, it is what a restart enforces", async () => {
		const first = await start(required);
		expect([first.inForce(), first.changes.state?.source]).toEqual(["old.yaml", "directory"]);
		expect(await first.confirm()).toMatchObject({ ok: true });
		expect(first.changes.source.directory).toBe(join(stateDir, "confirmed/policies"));
		first.kill();
		const second = await start(required);
		expect([second.inForce(), second.changes.state, second.log]).toEqual(["old.yaml", null, []]);
	});

	test("what rolled back is not tried again until it changes or somebody asks, not even by a restart", async () => {
		const first = await start(required);
		await first.confirm();
		writeFileSync(join(policyDir, "more.yaml"), blocking("more"));
		await first.changes.changed(false);
		expect(first.inForce()).toBe("more.yaml,old.yaml");
		await first.rollback();
		expect([first.inForce(), first.changes.complaint === ""]).toEqual(["old.yaml", false]);
		await first.changes.changed(false);
		expect(first.changes.state).toBeNull();
		first.kill();
		const store = new PendingStore(stateDir, real);
		expect(store.rejected()).not.toBeNull();
		await first.changes.changed(true);
		expect(first.inForce()).toBe("more.yaml,old.yaml");
		await first.rollback();
		writeFileSync(join(policyDir, "more.yaml"), blocking("again"));
		await first.changes.changed(false);
		expect([first.inForce(), first.changes.complaint]).toEqual(["more.yaml,old.yaml", ""]);
	});

	test("a broken set is not taken over, and that is said", async () => {
		const { changes, confirm, inForce, log } = await start(required);
		await confirm();
		writeFileSync(join(policyDir, "bad.yaml"), "spec: [");
		await changes.changed(false);
		expect([inForce(), changes.state, log.at(-1)?.includes("not taken over")]).toEqual([
			"old.yaml",
			null,
			true,
		]);
		expect(changes.complaint).toContain("bad.yaml");
		rmSync(join(policyDir, "bad.yaml"));
		await changes.changed(false);
		expect(changes.complaint).toBe("");
	});

	test("a change that comes while one pends is looked at once that is settled", async () => {
		const { changes, confirm, inForce } = await start(required);
		writeFileSync(join(policyDir, "more.yaml"), blocking("more"));
		await changes.changed(false);
		expect([inForce(), changes.state?.waiting]).toEqual(["old.yaml", true]);
		await confirm();
		await eventually("the next change", () => inForce() === "more.yaml,old.yaml");
		expect(changes.state?.source).toBe("directory");
		await confirm();
		expect(names(join(stateDir, "confirmed/policies"))).toEqual(["more.yaml", "old.yaml"]);
	});

	test("apply changes both the policy directory and what is confirmed", async () => {
		const { apply, confirm, changes, inForce } = await start(required);
		await confirm();
		await apply();
		await confirm();
		await changes.changed(false);
		expect([names(policyDir), names(changes.source.directory), inForce()]).toEqual([
			["new.yaml"],
			["new.yaml"],
			"new.yaml",
		]);
		expect(changes.state).toBeNull();
	});

	test("what was in force before the setting was made stands in for the first snapshot", async () => {
		await real.writeState(join(stateDir, "last-good.json"), { documents: [] });
		const { rollback, confirm, changes } = await start(required);
		await rollback();
		const snapshot = join(stateDir, "confirmed/policies");
		expect(changes.source).toEqual({ directory: snapshot, stateDirectory: stateDir });
		expect(existsSync(snapshot)).toBe(false);
		await changes.changed(true);
		await confirm();
		expect(changes.source).toEqual({ directory: snapshot, stateDirectory: join(stateDir, "confirmed") });
	});

	test("what changed while no daemon ran is looked at once the pending change is settled", async () => {
		const first = await start(required);
		first.kill();
		writeFileSync(join(policyDir, "more.yaml"), blocking("more"));
		const second = await start(required);
		expect([second.inForce(), second.changes.state?.waiting]).toEqual(["old.yaml", true]);
		await second.confirm();
		await eventually("the next change", () => second.inForce() === "more.yaml,old.yaml");
	});
});
