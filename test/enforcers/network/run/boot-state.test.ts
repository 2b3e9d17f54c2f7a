import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import { inEpoch } from "../../../../src/enforcers/network/compile/render/objects.ts";
import {
	BootStore,
	bootEpoch,
	bootPath,
	readBootState,
} from "../../../../src/enforcers/network/run/boot-state.ts";
import { previousPath, writeState } from "../../../../src/state/state-file.ts";
import { policy, rule } from "../compile/build.ts";
import { options } from "../compile/options.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-boot."));
});
afterEach(() => rmSync(directory, { recursive: true }));

const facts = { table: "kubearmor", form: "concatenated", nflogGroup: 9755 } as const;
const lock = { usbLock: true };

function plan(port: number, epoch = "e1"): NetworkPlan {
	const blocks = policy("a", rule("Block", { peers: ["10.0.0.0/8"], ports: [`tcp/${port}`] }));
	const compiled = compileNetwork([blocks], { ...options, epoch });
	if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
	return compiled.plan;
}

const newest = () => readBootState(directory, "newest");

test("what is saved is read back, under names of its own; the one before it as well", () => {
	const store = new BootStore(directory);
	expect(newest()).toMatchObject({ ok: false, reason: "absent" });
	expect(store.save(plan(80), facts, lock)).toBeNull();
	expect(store.save(plan(81), facts, { usbLock: false })).toBeNull();
	// A guard stands in while a daemon repairs; nobody does before one runs.
	const { guard: _, ...renamed } = inEpoch(plan(81), bootEpoch);
	expect(newest()).toEqual({
		ok: true,
		state: { ...facts, kept: { usbLock: false }, plan: renamed },
	} as never);
	expect(readBootState(directory, "previous")).toMatchObject({
		ok: true,
		state: { kept: lock, plan: { roots: inEpoch(plan(80), bootEpoch).roots } },
	});
});

test("what has not changed is not written, also by the next process, whose names are others", () => {
	new BootStore(directory).save(plan(80), facts, lock);
	const { ino } = statSync(bootPath(directory));
	const store = new BootStore(directory);
	for (const epoch of ["e1", "e2", "e2"]) expect(store.save(plan(80, epoch), facts, lock)).toBeNull();
	expect(statSync(bootPath(directory)).ino).toBe(ino);
	expect(readBootState(directory, "previous")).toMatchObject({ reason: "absent" });
	store.save(plan(80), facts, { usbLock: false });
	expect(newest()).toMatchObject({ state: { kept: { usbLock: false } } });
	for (const change of [{ table: "other" }, { nflogGroup: 5 }]) {
		store.save(plan(80), { ...facts, ...change }, { usbLock: false });
		expect(newest()).toMatchObject({ state: change });
	}
	rmSync(bootPath(directory));
	store.save(plan(80), { ...facts, nflogGroup: 5 }, { usbLock: false });
	expect(newest().ok).toBe(true);
});

test("where nothing is known about devices, what was saved about the lock stays", () => {
	const store = new BootStore(directory);
	store.save(plan(80), facts, { usbLock: null });
	expect(newest()).toMatchObject({ state: { kept: { usbLock: false } } });
	store.save(plan(80), facts, lock);
	new BootStore(directory).save(plan(81), facts, { usbLock: null });
	expect(newest()).toMatchObject({ state: { kept: lock } });
	store.save(null, facts, { usbLock: null });
	expect(newest()).toMatchObject({ state: { kept: lock, plan: null } });
});

test("an error leaves the state that was there, and the next attempt writes", () => {
	const store = new BootStore(join(directory, "state"));
	writeFileSync(join(directory, "state"), "");
	expect(store.save(plan(80), facts, lock)).toContain("EEXIST");
	rmSync(join(directory, "state"));
	expect(store.save(plan(80), facts, lock)).toBeNull();
});

describe("what cannot be used says so for each version apart", () => {
	test("damage", () => {
		const store = new BootStore(directory);
		store.save(plan(80), facts, lock);
		store.save(plan(81), facts, lock);
		writeFileSync(bootPath(directory), readFileSync(bootPath(directory)).subarray(0, 100));
		expect(newest()).toMatchObject({
			ok: false,
			reason: "unusable",
			message: expect.stringContaining("damaged"),
		});
		expect(readBootState(directory, "previous").ok).toBe(true);
		writeFileSync(previousPath(bootPath(directory)), "");
		expect(readBootState(directory, "previous")).toMatchObject({ ok: false, reason: "unusable" });
	});

	const whole = () => ({ format: 2, ...facts, ...lock, plan: plan(80) });
	test.each([
		["null", () => null],
		["another format", () => ({ ...whole(), format: 1 })],
		["a table's name that is none", () => ({ ...whole(), table: "a; flush ruleset" })],
		[
			"a root's name that is none",
			() => ({ ...whole(), plan: { ...plan(80), roots: { ingress: "x y", egress: "z" } } }),
		],
		["no objects", () => ({ ...whole(), plan: { ...plan(80), objects: undefined } })],
		["no word about the lock", () => ({ ...whole(), usbLock: undefined })],
	])("%s", (_, value) => {
		writeState(bootPath(directory), value());
		expect(newest()).toMatchObject({ ok: false, reason: "unusable" });
	});
});

test("what judges forwarded packets is saved with the rest, and other uplinks are another ruleset", () => {
	const blocks = policy("a", rule("Block", { peers: ["10.0.0.0/8"], ports: ["tcp/80"] }));
	const guests = (uplinks: readonly string[]) => {
		const compiled = compileNetwork([blocks], {
			...options,
			epoch: "e1",
			guests: { forwarded: "enforce", interfaces: [{ name: "ve-", prefix: true }], uplinks },
		});
		if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
		return compiled.plan;
	};
	const store = new BootStore(directory);
	expect(store.save(guests(["br0"]), facts, lock)).toBeNull();
	const read = newest();
	if (!read.ok || read.state.plan === null) throw new Error("nothing was saved");
	const { objects, forward } = read.state.plan;
	expect(forward).toMatchObject({ mode: "enforce", uplinks: ["br0"] });
	expect(objects.map(({ name }) => name)).toContain(forward?.root ?? "");
	expect(forward?.guard.length).toBeGreaterThan(0);
	expect(store.save(guests(["br0", "br1"]), facts, lock)).toBeNull();
	expect(newest()).toMatchObject({ ok: true, state: { plan: { forward: { uplinks: ["br0", "br1"] } } } });
});
