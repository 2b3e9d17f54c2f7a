import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/model.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { inEpoch } from "../../src/enforcers/network/compile/render/objects.ts";
import { BootStore, bootEpoch } from "../../src/enforcers/network/run/boot-state.ts";
import { type BootEnd, type BootSources, blockPlan, bootRulesets } from "../../src/engine/boot-rulesets.ts";
import { PolicyEngine } from "../../src/engine/policy-engine.ts";
import { policy, port } from "../system/support/case.ts";
import { devicePolicy } from "../vm/lab/portward.ts";
import { told } from "./support/told.ts";

let directory: string;
let config: Config;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-rulesets."));
	for (const name of ["policies", "state"]) mkdirSync(join(directory, name));
	config = { ...defaultConfig(), policyDir: join(directory, "policies"), stateDir: join(directory, "state") };
});
afterEach(() => rmSync(directory, { recursive: true }));

const put = (path: string, text: string) => writeFileSync(join(directory, path), text);
const blocks = (name: string) => policy(name, { action: "Block", ingress: [{ ports: [port("TCP", 80)] }] });

/** Compiles what is on disk, and keeps it as the daemon does when it is in force. */
function enforce({ saved = true } = {}) {
	const engine = new PolicyEngine({
		directory: config.policyDir,
		stateDirectory: config.stateDir,
		checkPermissions: false,
		hostname: "h",
		config,
	});
	const { plan, usbLock } = told(engine.reload(config));
	if (saved)
		new BootStore(config.stateDir).save(
			plan,
			{ table: "t", form: "concatenated", nflogGroup: 1 },
			{ usbLock },
		);
	engine.keep();
	return plan;
}

/** Everything that is offered to a caller that can load none of it. */
function offered(change: Partial<BootSources> = {}) {
	const problems: string[] = [];
	const rulesets = bootRulesets({
		config,
		stateDirectory: config.stateDir,
		trusted: true,
		checkPermissions: false,
		hostname: "h",
		form: () => "concatenated",
		problem: (message) => problems.push(message),
		...change,
	});
	const origins: string[] = [];
	const offers = [];
	let end: BootEnd | null = null;
	while (end === null) {
		const next = rulesets.next();
		if (next.done) end = next.value;
		else {
			offers.push(next.value);
			origins.push(next.value.origin);
		}
	}
	return { origins, offers, end, problems };
}

const policiesOf = (plan: { rules: readonly { policy: string }[] } | null | undefined) =>
	[...new Set(plan?.rules.map((rule) => rule.policy))].sort();

test("the saved ruleset comes first, then the one before it, the last good policies, and those on disk", () => {
	put("policies/a.yaml", blocks("a"));
	const plan = enforce();
	put("policies/b.yaml", blocks("b"));
	enforce();
	put("policies/c.yaml", blocks("c"));
	const { offers, end, problems } = offered();
	expect(offers.map((offer) => policiesOf(offer.plan))).toEqual([
		["a", "b"],
		["a"],
		["a", "b"],
		["a", "b", "c"],
	]);
	// What guards a table while a daemon repairs it is not saved.
	if (!plan) throw new Error("no plan");
	const { guard: _, ...kept } = inEpoch(plan, bootEpoch);
	expect(offers[1]?.plan).toEqual(kept);
	expect([end, problems]).toEqual(["unusable", []]);
});

test("device policies that need the lock say so, from every source", () => {
	put("policies/u.yaml", devicePolicy("u", "Block", "class: MASS-STORAGE"));
	enforce();
	expect(offered().offers.map(({ kept }) => kept.usbLock)).toEqual([true, true, true]);
	config = { ...config, enableUSBDeviceHandler: false };
	expect(offered().offers.at(-1)?.kept.usbLock).toBe(false);
});

describe("nothing is known", () => {
	test("at the first start: policies that were never in force are not loaded", () => {
		put("policies/a.yaml", blocks("a"));
		expect(offered()).toEqual({ origins: [], offers: [], end: "first-start", problems: [] });
		config = { ...config, bootPolicy: "open" };
		expect(offered().end).toBe("first-start");
	});

	test("but that there was something: what is on disk is loaded", () => {
		put("policies/a.yaml", blocks("a"));
		put("state/boot.json", "torn");
		expect(offered()).toMatchObject({ end: "unusable", problems: [expect.stringContaining("boot.json")] });
		expect(policiesOf(offered().offers[0]?.plan)).toEqual(["a"]);
		rmSync(join(directory, "state/boot.json"));
		put("state/last-good.json", "torn");
		expect(policiesOf(offered().offers[0]?.plan)).toEqual(["a"]);
		config = { ...config, bootPolicy: "open" };
		put("state/boot.json", "torn");
		expect(offered()).toMatchObject({ offers: [], end: "open" });
	});

	test("for sure, as others can write the state: what lies in it is not even read", () => {
		put("policies/a.yaml", blocks("a"));
		enforce();
		put("policies/a.yaml", blocks("b"));
		const { offers } = offered({ trusted: false });
		expect(offers.map((offer) => policiesOf(offer.plan))).toEqual([["b"]]);
		put("policies/a.yaml", "{");
		expect(offered({ trusted: false }).offers).toEqual([]);
		put("policies/a.yaml", blocks("b"));
		config = { ...config, confirm: "required" };
		expect(offered({ trusted: false }).offers).toEqual([]);
	});
});

test("with confirm: required what is on disk waits; what was confirmed last is loaded", () => {
	put("policies/a.yaml", blocks("a"));
	enforce({ saved: false });
	config = { ...config, confirm: "required" };
	put("policies/b.yaml", blocks("b"));
	mkdirSync(join(directory, "state/confirmed/policies"), { recursive: true });
	put("state/confirmed/policies/c.yaml", blocks("c"));
	expect(offered().offers.map((offer) => policiesOf(offer.plan))).toEqual([["a"], ["c"]]);
});

test("policies that nothing can be made of are no ruleset that lets everything pass", () => {
	put("policies/a.yaml", "{");
	put("state/boot.json", "torn");
	const { offers, problems } = offered();
	expect(offers).toEqual([]);
	expect(problems.some((problem) => problem.includes("a.yaml"))).toBe(true);
});

test("bootPolicy block closes both directions, keeps failsafe flows, and locks USB", () => {
	config = { ...config, bootPolicy: "block" };
	const [block] = offered().offers;
	expect(block?.kept.usbLock).toBe(true);
	for (const form of ["concatenated", "nested"] as const) {
		const plan = blockPlan({ ...config, essentials: false }, form);
		expect(plan.rules.map(({ direction, action }) => `${direction} ${action}`)).toContain("egress Block");
		expect(plan.rules.map(({ direction, action }) => `${direction} ${action}`)).toContain("ingress Block");
	}
	expect(offered().end).toBe("unusable");
});
