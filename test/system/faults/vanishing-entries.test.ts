/** What cannot be followed or believed any more opens nothing: entries of the policy directory, parents, panic.json. */

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { writePanic } from "../../../src/state/panic.ts";
import { executable } from "../support/built.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";
import { blockedAmong, blocks } from "../support/rig.ts";

const stranger = 65_534;
const standIn = "ready: the last good version of what is broken on disk is enforced\n";

let lab: Lab;
let prober: Prober;
let home: Home;
let daemon: Daemon;

beforeAll(async () => {
	lab = await Lab.create();
	prober = new Prober(lab);
	home = new Home();
	home.put("top.yaml", blocks("top", 81));
	home.put("sub/inner.yaml", blocks("inner", 82));
	daemon = await Daemon.start(lab.guarded, {}, home);
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
	home[Symbol.dispose]();
});

const sub = () => join(home.policies, "sub");
const aside = () => join(home.path, "aside");

const blockedPorts = (...ports: readonly number[]) => blockedAmong(prober, ports);

beforeEach(async () => {
	expect(await blockedPorts(81, 82, 83)).toEqual([81, 82]);
});

const vanishings: readonly [string, string, () => void, () => void][] = [
	[
		"leads nowhere",
		"unreadable-file",
		() => {
			renameSync(sub(), aside());
			symlinkSync("nowhere", sub());
		},
		() => {
			rmSync(sub());
			renameSync(aside(), sub());
		},
	],
	[
		"leads out",
		"link-outside",
		() => {
			renameSync(sub(), aside());
			symlinkSync(aside(), sub());
		},
		() => {
			rmSync(sub());
			renameSync(aside(), sub());
		},
	],
	[
		"is somebody else's",
		"insecure-permissions",
		() => chownSync(sub(), stranger, stranger),
		() => chownSync(sub(), 0, 0),
	],
	[
		"can be written by others",
		"insecure-permissions",
		() => chmodSync(sub(), 0o777),
		() => chmodSync(sub(), 0o755),
	],
];

test.each(vanishings)(
	"a subdirectory that %s is an error at its place and keeps its Blocks, over a restart as well",
	async (_, code, vanish, mend) => {
		await daemon.after(vanish);
		const check = async () => {
			expect(await blockedPorts(81, 82)).toEqual([81, 82]);
			expect(await (await daemon.get("/readyz")).text()).toBe(standIn);
			const found = (await daemon.status()).policies.find((one) => one.file === sub());
			expect(found?.diagnostics).toMatchObject([{ severity: "error", code }]);
		};
		await check();
		expect(daemon.log).toContain(`${sub()}:1:1`);
		if (code !== "insecure-permissions") {
			const validated = lab.guarded.try([executable(), "validate", home.policies]);
			expect([validated.code, validated.error]).toEqual([1, expect.stringContaining(`[${code}]`)]);
		}
		await daemon.stop();
		daemon = await Daemon.start(lab.guarded, {}, home);
		await check();
		await daemon.after(mend);
		expect(await (await daemon.get("/readyz")).text()).toBe("ready: what is on disk is enforced\n");
	},
);

test("who owns a parent exchanges the policy directory in vain", async () => {
	const old = join(home.path, "old");
	await daemon.after(() => {
		chownSync(home.path, stranger, stranger);
		renameSync(home.policies, old);
		mkdirSync(home.policies);
	});
	expect(await blockedPorts(81, 82)).toEqual([81, 82]);
	expect(daemon.log).toContain(
		`${home.path}, on the way to the policy directory, is owned by user ${stranger}`,
	);
	await using refused = Daemon.spawn(lab.guarded, { config: { table: "other" } }, home);
	expect(await refused.exited()).toBe(1);
	await daemon.after(() => {
		rmSync(home.policies, { recursive: true });
		renameSync(old, home.policies);
		chownSync(home.path, 0, 0);
	});
});

test("a panic.json that root did not make opens nothing, nor one in a state directory that was exchanged", async () => {
	const record = join(home.state, "panic.json");
	const complaints = () => daemon.log.split("nobody can tell whether panic-open stands").length - 1;
	// Made elsewhere, as root's own would count from the first instant.
	const staged = join(home.path, "staged-state");
	expect(writePanic(staged, "theirs", Date.now())).toBeNull();
	chownSync(join(staged, "panic.json"), stranger, stranger);
	renameSync(join(staged, "panic.json"), record);
	await eventually("the first complaint", () => complaints() === 1);
	expect(await blockedPorts(81)).toEqual([81]);
	rmSync(record);
	const before = complaints();
	chownSync(home.path, stranger, stranger);
	expect(writePanic(staged, "theirs", Date.now())).toContain("on the way to the state directory");
	renameSync(join(staged, "panic.json"), record);
	await eventually("the second complaint", () => complaints() > before);
	expect(await blockedPorts(81)).toEqual([81]);
	expect((await daemon.get("/readyz")).status).toBe(200);
	rmSync(record);
	chownSync(home.path, 0, 0);
	expect(existsSync(record)).toBe(false);
});
