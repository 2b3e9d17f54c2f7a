/** policySignature: required with a real daemon and real packets. */

import { beforeEach, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manifestFile, signatureFile } from "../../../src/source/manifest.ts";
import { readSerial } from "../../../src/state/policy-serial.ts";
import { executable } from "../support/built.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();

let key: string;
let config: Readonly<Record<string, unknown>>;

beforeEach(() => {
	key = join(rig.home.path, "key.pem");
	const { out } = portward("policy", "keygen", "--out", key);
	config = { policySignature: "required", trustedKeys: [out.trim()] };
});

/** Milliseconds for steps that are put on the disk, which others may keep busy. */
const slow = 40_000;

const portward = (...argv: readonly string[]) => rig.lab.guarded.try([executable(), ...argv]);

/** Signs a directory as an operator does. */
function sign(directory = rig.home.policies, ...more: readonly string[]): void {
	const { code, error } = portward("policy", "sign", directory, "--key", key, ...more);
	if (code !== 0) throw new Error(error);
}

const blocked = () => rig.blockedPorts(80, 81, 82);

const signature = async (daemon: Daemon): Promise<unknown> => {
	const document: { signature: unknown } = JSON.parse(await (await daemon.get("/v1/status")).text());
	return document.signature;
};

test("what is signed is enforced; what was changed after that is refused as a whole, told once, also over a restart", async () => {
	rig.home.put("a.yaml", blocks("a", 80));
	sign();
	await using daemon = await Daemon.start(rig.lab.guarded, { config }, rig.home);
	expect(await blocked()).toEqual([80]);
	expect(await signature(daemon)).toEqual({ ok: true, serial: 1, problem: null, remedy: "", standing: null });
	await daemon.after(() => rig.home.put("b.yaml", blocks("b", 81)));
	expect(await blocked()).toEqual([80]);
	expect(await signature(daemon)).toMatchObject({
		ok: false,
		serial: 1,
		problem: expect.stringContaining("b.yaml"),
	});
	const metrics = await daemon.metrics();
	expect([metrics.get("portward_policy_signature_ok"), metrics.get("portward_policy_serial")]).toEqual([
		0, 1,
	]);
	expect(daemon.log).toContain("unlisted-policies");
	expect(portward("status", "--config", rig.home.config).out).toContain(
		"warning: the policy directory is refused",
	);
	await daemon.alert(
		"the refusal",
		({ Tags, Message }) => Tags === "SIGNATURE" && Message.includes("b.yaml"),
	);
	await daemon.after(() => rig.home.put("a.yaml", blocks("a", 82)));
	await daemon.after(() => rig.home.put("a.yaml", blocks("a", 80)));
	expect(daemon.alerts.filter(({ Tags }) => Tags === "SIGNATURE")).toHaveLength(1);
	await daemon.stop("SIGKILL");
	await using second = Daemon.spawn(rig.lab.guarded, { config }, rig.home);
	await second.active();
	expect(await blocked()).toEqual([80]);
	sign();
	await eventually("the new set", async () => (await blocked()).length === 2);
	expect(await signature(second)).toEqual({ ok: true, serial: 2, problem: null, remedy: "", standing: null });
	expect((await second.metrics()).get("portward_policy_signature_ok")).toBe(1);
});

test("an older signed set that is put back is refused, also after a restart; a newer one with its policies is not", async () => {
	rig.home.put("a.yaml", blocks("a", 80));
	sign();
	const old = join(rig.home.path, "old");
	cpSync(rig.home.policies, old, { recursive: true });
	const first = await Daemon.start(rig.lab.guarded, { config }, rig.home);
	rig.home.put("a.yaml", blocks("a", 81));
	sign();
	await eventually("the new set", async () => (await blocked()).join() === "81");
	await eventually("its serial", () => {
		const read = readSerial(rig.home.state);
		return read.ok && read.set?.serial === 2;
	});
	await first.after(() => cpSync(old, rig.home.policies, { recursive: true }));
	await eventually("the refusal", () => first.log.includes("old-serial"));
	expect(await blocked()).toEqual([81]);
	await first.stop();
	await using second = Daemon.spawn(rig.lab.guarded, { config }, rig.home);
	await second.active();
	expect(await blocked()).toEqual([81]);
	expect(second.log).toContain("old-serial");
	sign(rig.home.policies, "--serial", "3");
	await eventually("the old policies with a new serial", async () => (await blocked()).join() === "80");
});

test("a first start with unsigned policies enforces none of them, and opens nothing that an earlier daemon blocks", async () => {
	const first = await Daemon.start(rig.lab.guarded, { policies: { "a.yaml": blocks("a", 80) } }, rig.home);
	await first.stop();
	rmSync(rig.home.state, { recursive: true });
	mkdirSync(rig.home.state);
	rig.home.put("b.yaml", blocks("b", 81));
	await using second = Daemon.spawn(rig.lab.guarded, { config }, rig.home);
	await second.alert("the refusal", ({ Tags }) => Tags === "SIGNATURE");
	await eventually("an answer", async () => (await second.get("/readyz").catch(() => null))?.status === 503);
	expect(await blocked()).toEqual([80]);
	sign();
	await second.ready();
	expect(await blocked()).toEqual([80, 81]);
});

test("all state overwritten: the way out is named, works with and without a daemon, and is alerted", async () => {
	rig.home.put("a.yaml", blocks("a", 80));
	sign();
	const spoil = () => {
		for (const name of readdirSync(rig.home.state)) {
			if (name.endsWith(".json")) writeFileSync(join(rig.home.state, name), "overwritten");
		}
	};
	{
		await using first = await Daemon.start(rig.lab.guarded, { config }, rig.home);
		await eventually("the serial", () => existsSync(join(rig.home.state, "serial.json")));
		await first.stop();
	}
	spoil();
	{
		await using second = Daemon.spawn(rig.lab.guarded, { config }, rig.home);
		await second.alert("the refusal", ({ Tags }) => Tags === "SIGNATURE");
		await eventually(
			"an answer",
			async () => (await second.get("/readyz").catch(() => null))?.status === 503,
		);
		const { out } = portward("status", "--config", rig.home.config);
		expect(out).toContain("policies: refused; nothing of before is known that could stand in");
		expect(out).not.toContain("signed before");
		expect(out).toContain("portward policy reset-serial");
		// What an earlier daemon left in the kernel stays.
		expect(await blocked()).toEqual([80]);
		const reset = portward("policy", "reset-serial", "--config", rig.home.config);
		expect(reset.error).toContain("also an old one");
		expect([reset.code, reset.out]).toEqual([0, expect.stringContaining("the serial is reset")]);
		await second.ready();
		expect(await signature(second)).toMatchObject({ ok: true, serial: 1 });
		await second.alert("the reset", ({ Message }) => Message.includes("was reset"));
		await second.stop();
	}
	spoil();
	const reset = portward("policy", "reset-serial", "--config", rig.home.config);
	expect([reset.code, reset.out]).toEqual([0, expect.stringContaining("alerts it at its next start")]);
	await using third = await Daemon.start(rig.lab.guarded, { config }, rig.home);
	await third.alert("the reset", ({ Message }) => Message.includes("was reset"));
	expect(await blocked()).toEqual([80]);
});

test("a directory that is swapped for another signed one is never mixed with it", async () => {
	const directories = [81, 82].map((number, index) => {
		const directory = join(rig.home.path, `set${number}`);
		mkdirSync(directory);
		// Two files that only make sense together.
		writeFileSync(join(directory, "a.yaml"), blocks(`a${number}`, 80));
		writeFileSync(join(directory, "b.yaml"), blocks(`b${number}`, number));
		sign(directory, "--serial", String(index + 1));
		return directory;
	});
	rmSync(rig.home.policies, { recursive: true });
	cpSync(directories[0] ?? "", rig.home.policies, { recursive: true });
	await using daemon = await Daemon.start(rig.lab.guarded, { config }, rig.home);
	expect(await blocked()).toEqual([80, 81]);
	// File by file, the manifest in the middle: whatever instant the daemon reads at, it is all or nothing.
	for (const name of ["b.yaml", manifestFile, "a.yaml", signatureFile]) {
		cpSync(join(directories[1] ?? "", name), join(rig.home.policies, name));
		expect([
			[80, 81],
			[80, 82],
		]).toContainEqual(await blocked());
		await Bun.sleep(150);
	}
	await eventually("the second set", async () => (await blocked()).join() === "80,82");
	expect((await daemon.status()).policies.map(({ name }) => name).sort()).toEqual(["a82", "b82"]);
});

test("a change that waits for its confirmation must be signed, and counts its serial only once it is confirmed", async () => {
	rig.home.put("a.yaml", blocks("a", 80));
	sign();
	await using daemon = await Daemon.start(rig.lab.guarded, { config }, rig.home);
	const fresh = join(rig.home.path, "new");
	mkdirSync(fresh);
	writeFileSync(join(fresh, "a.yaml"), blocks("a", 81));
	const apply = () =>
		portward("apply", "--policy-dir", fresh, "--confirm-within", "60s", "--config", rig.home.config);
	const unsigned = apply();
	expect(unsigned.code).toBe(1);
	expect(unsigned.error).toContain("not signed");
	expect(await blocked()).toEqual([80]);
	const serial = () => {
		const read = readSerial(rig.home.state);
		return read.ok ? read.set?.serial : read.message;
	};
	sign(fresh, "--serial", "9");
	expect(apply()).toMatchObject({ code: 0 });
	await eventually("the pending set", async () => (await blocked()).join() === "81", slow);
	expect(serial()).toBe(1);
	expect(portward("rollback", "--config", rig.home.config).code).toBe(0);
	await eventually("the rollback", async () => (await blocked()).join() === "80", slow);
	expect(await signature(daemon)).toEqual({ ok: true, serial: 1, problem: null, remedy: "", standing: null });
	expect(apply()).toMatchObject({ code: 0 });
	await eventually("the pending set", async () => (await blocked()).join() === "81", slow);
	expect(portward("confirm", "--config", rig.home.config)).toMatchObject({ code: 0 });
	await eventually("the serial", () => serial() === 9, slow);
	expect(existsSync(join(rig.home.policies, manifestFile))).toBe(true);
	expect(await blocked()).toEqual([81]);
	expect(await signature(daemon)).toEqual({ ok: true, serial: 9, problem: null, remedy: "", standing: null });
});

test("where every change must be confirmed, a serial counts from its confirmation on, and older sets do not even become pending", async () => {
	rig.home.put("a.yaml", blocks("a", 80));
	sign();
	const old = join(rig.home.path, "old");
	cpSync(rig.home.policies, old, { recursive: true });
	const first = await Daemon.start(rig.lab.guarded, { config }, rig.home);
	await eventually("the state", () => existsSync(join(rig.home.state, "last-good.json")));
	await first.stop();
	const every = { ...config, confirm: "required", confirmWithin: 60 };
	await using second = await Daemon.start(rig.lab.guarded, { config: every }, rig.home);
	expect(await blocked()).toEqual([80]);
	const serial = () => {
		const read = readSerial(rig.home.state);
		return read.ok ? read.set?.serial : read.message;
	};
	rig.home.put("a.yaml", blocks("a", 81));
	await eventually(
		"the refusal of what is not signed",
		() => second.log.includes("not as they were signed"),
		slow,
	);
	expect(await blocked()).toEqual([80]);
	sign();
	await eventually("the pending set", async () => (await blocked()).join() === "81", slow);
	expect(serial()).toBe(1);
	expect(portward("confirm", "--config", rig.home.config)).toMatchObject({ code: 0 });
	await eventually("the serial", () => serial() === 2, slow);
	cpSync(old, rig.home.policies, { recursive: true });
	await eventually("the refusal of what is old", () => second.log.includes("serial 1; 2 was in force"), slow);
	expect(await blocked()).toEqual([81]);
});
