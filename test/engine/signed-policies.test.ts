import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/model.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { PolicyEngine } from "../../src/engine/policy-engine.ts";
import { manifestFile } from "../../src/source/manifest.ts";
import { publicText } from "../../src/source/signing-key.ts";
import { readSerial, serialPath } from "../../src/state/policy-serial.ts";
import { previousPath } from "../../src/state/state-file.ts";
import { newKey, signDirectory } from "../state/support/signing.ts";
import { policy, port } from "../system/support/case.ts";
import { type Told, told } from "./support/told.ts";

const key = newKey();
let home: string;
let directory: string;
let state: string;

beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-signed-engine-"));
	directory = join(home, "policies");
	state = join(home, "state");
	mkdirSync(directory);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(directory, name), text);
const blocking = (name: string, number = 80) =>
	policy(name, { action: "Block", ingress: [{ ports: [port("TCP", number)] }] });
const sign = (serial: number) => signDirectory(directory, key, serial);

const required = (): Config => ({
	...defaultConfig(),
	stateDir: state,
	policySignature: "required",
	trustedKeys: [publicText(key)],
});

function engine(stateDirectory = state): PolicyEngine {
	const settings = { directory, stateDirectory, checkPermissions: false, hostname: "h1", config: required() };
	return new PolicyEngine(settings);
}

/** A reload that the kernel takes, unless there is nothing to take. */
function enforce(running: PolicyEngine, config: Partial<Config> = {}): Told {
	const reloaded = told(running.reload({ ...required(), ...config }));
	if (reloaded.plan) expect(running.keep()).toBeNull();
	return reloaded;
}

const inForce = ({ plan }: Told) => plan && [...new Set(plan.rules.map((rule) => rule.policy))].sort();
const codes = ({ diagnostics }: Told) => diagnostics.map(({ code }) => code);
const serial = () => {
	const read = readSerial(state);
	return read.ok ? (read.set?.serial ?? null) : read.message;
};

describe("where signatures are required", () => {
	test("a signed set is enforced, and its serial is recorded once it is in force", () => {
		put("a.yaml", blocking("a"));
		sign(7);
		const running = engine();
		const reloaded = told(running.reload(required()));
		expect(reloaded).toMatchObject({ complete: true, lastGood: false });
		expect(reloaded.signature).toEqual({
			ok: true,
			offered: 7,
			accepted: null,
			problem: null,
			remedy: "",
			standing: null,
		});
		expect(serial()).toBeNull();
		expect(running.keep()).toBeNull();
		expect(serial()).toBe(7);
		expect(enforce(running).signature).toEqual({
			ok: true,
			offered: 7,
			accepted: 7,
			problem: null,
			remedy: "",
			standing: null,
		});
	});

	test("a directory that was changed is refused as a whole; the last good set stays, also over a restart", () => {
		put("a.yaml", blocking("a"));
		put("b.yaml", blocking("b", 81));
		sign(1);
		const running = engine();
		expect(inForce(enforce(running))).toEqual(["a", "b"]);
		put("a.yaml", blocking("evil"));
		put("z.yaml", blocking("more"));
		for (const one of [running, engine(), engine()]) {
			const refused = enforce(one);
			expect(inForce(refused)).toEqual(["a", "b"]);
			expect(refused).toMatchObject({ complete: false, lastGood: true });
			expect(refused.signature).toMatchObject({ ok: false, offered: null, accepted: 1 });
			expect(codes(refused)).toContain("unlisted-policies");
		}
		expect(serial()).toBe(1);
		sign(2);
		expect(inForce(enforce(running))).toEqual(["b", "evil", "more"]);
		expect(serial()).toBe(2);
	});

	test("an older set, and another one with the same serial, are refused though their signature is good", () => {
		put("a.yaml", blocking("old"));
		sign(1);
		const running = engine();
		enforce(running);
		put("a.yaml", blocking("new"));
		sign(2);
		enforce(running);
		put("a.yaml", blocking("old"));
		sign(1);
		const old = enforce(running);
		expect(inForce(old)).toEqual(["new"]);
		expect(codes(old)).toContain("old-serial");
		expect(old.signature).toMatchObject({ ok: false, offered: 1, accepted: 2 });
		sign(2);
		expect(codes(enforce(running))).toContain("reused-serial");
		expect(inForce(enforce(engine()))).toEqual(["new"]);
		sign(3);
		expect(inForce(enforce(running))).toEqual(["old"]);
	});

	test("unsigned policies open nothing that an earlier daemon left in force", () => {
		put("a.yaml", blocking("a"));
		const refused = enforce(engine());
		expect(refused).toMatchObject({ plan: null, complete: false, signature: { ok: false } });
		expect(refused.devices).toEqual([]);
	});

	test("a set that the compiler refuses does not raise the serial", () => {
		put("a.yaml", blocking("a"));
		sign(1);
		const running = engine();
		enforce(running);
		put("b.yaml", blocking("b", 81));
		sign(2);
		const refused = enforce(running, { maxElements: 1 });
		expect(refused.signature?.ok).toBe(true);
		expect(serial()).toBe(1);
		enforce(running);
		expect(serial()).toBe(2);
	});

	test("what is pending in a state directory of its own is held against the serial, and does not raise it", () => {
		put("a.yaml", blocking("a"));
		sign(5);
		enforce(engine());
		sign(6);
		const pending = join(state, "pending", "1");
		expect(enforce(engine(pending)).signature).toMatchObject({ ok: true, offered: 6 });
		expect(serial()).toBe(5);
		sign(4);
		expect(codes(enforce(engine(pending)))).toContain("old-serial");
	});

	test("a damaged record of the serial is told; without any that is whole, nothing new is taken", () => {
		put("a.yaml", blocking("a"));
		const running = engine();
		for (const number of [1, 2]) {
			sign(number);
			enforce(running);
		}
		writeFileSync(serialPath(state), "garbage");
		sign(3);
		const warned = told(running.reload(required()));
		expect(warned.signature?.ok).toBe(true);
		expect(warned.diagnostics).toContainEqual(
			expect.objectContaining({ code: "damaged-state", severity: "warning" }),
		);
		writeFileSync(previousPath(serialPath(state)), "garbage");
		put("a.yaml", blocking("b"));
		sign(4);
		const refused = enforce(running);
		expect(codes(refused)).toContain("unknown-serial");
		expect(inForce(refused)).toEqual(["a"]);
	});

	test("trusting another key, and no longer requiring a signature, count from the next reload", () => {
		put("a.yaml", blocking("a"));
		sign(1);
		const running = engine();
		enforce(running);
		expect(codes(enforce(running, { trustedKeys: [] }))).toContain("unknown-key");
		rmSync(join(directory, manifestFile));
		expect(codes(enforce(running))).toContain("unsigned-policies");
		const off = enforce(running, { policySignature: "off" });
		expect(off).toMatchObject({ complete: true, signature: null });
		expect(serial()).toBe(1);
	});
});
