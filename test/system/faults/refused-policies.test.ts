/** Policies that are refused: what is said about them, and what is in force in their place. */

import { expect, test } from "bun:test";
import { chmodSync, chownSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { block, documents, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const { blockedPorts } = rig;

/** /readyz, with the file names that it tells. */
async function readiness(daemon: Daemon): Promise<[number, string]> {
	const response = await daemon.get("/readyz");
	return [response.status, (await response.text()).replaceAll(`${rig.home.policies}/`, "")];
}

async function found(daemon: Daemon, name: string) {
	const { policies } = await daemon.status();
	return policies
		.filter((one) => one.name === name)
		.map((one) => ({
			file: one.file.split("/").at(-1),
			enforced: one.enforced,
			codes: one.diagnostics.map((d) => d.code),
		}));
}

test("a typo keeps the last good version over a restart; status, readiness, metrics and log say so", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	const first = await Daemon.start(rig.lab.guarded, {}, rig.home);
	expect(await readiness(first)).toEqual([200, "ready: what is on disk is enforced\n"]);
	await first.after(() => rig.home.put("a.yaml", blocks("a", 82).replace('"Block"', '"Blok"')));
	const check = async (daemon: Daemon) => {
		expect(await blockedPorts(81, 82)).toEqual([81]);
		expect(await readiness(daemon)).toEqual([
			200,
			"ready: the last good version of what is broken on disk is enforced\n",
		]);
		const [one] = (await daemon.status()).policies;
		expect(one).toMatchObject({ name: "a", enforced: true, line: 1 });
		expect(one?.diagnostics).toMatchObject([{ severity: "error", message: expect.stringContaining("Blok") }]);
		expect((await daemon.metrics()).get('portward_policies{state="last_good"}')).toBe(1);
		expect(daemon.log).toContain("a.yaml:1:");
	};
	await check(first);
	await first.stop("SIGKILL");
	await using second = await Daemon.start(rig.lab.guarded, {}, rig.home);
	await check(second);
	await second.after(() => rig.home.put("a.yaml", blocks("a", 82)));
	expect(await blockedPorts(81, 82)).toEqual([82]);
	expect(await readiness(second)).toEqual([200, "ready: what is on disk is enforced\n"]);
	expect((await second.metrics()).get('portward_policies{state="last_good"}')).toBe(0);
});

test("a broken policy without a last good version is named, and the others are enforced", async () => {
	rig.home.put("a.yaml", documents(blocks("a", 81), blocks("b", 70_000), blocks("c", 83)));
	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	expect(await blockedPorts(81, 83)).toEqual([81, 83]);
	expect(await readiness(daemon)).toEqual([503, "not ready: not enforced: a.yaml:3\n"]);
	expect(await found(daemon, "b")).toMatchObject([{ enforced: false }]);
	expect(await found(daemon, "c")).toEqual([{ file: "a.yaml", enforced: true, codes: [] }]);
});

test("two policies with one name: neither is newly enforced, whatever their files", async () => {
	rig.home.put("a.yaml", blocks("twin", 81));
	rig.home.put("b.yaml", blocks("twin", 82));
	rig.home.put("c.yaml", blocks("single", 83));
	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	expect(await blockedPorts(81, 82, 83)).toEqual([83]);
	expect((await readiness(daemon))[0]).toBe(503);
	expect(await found(daemon, "twin")).toEqual([
		{ file: "a.yaml", enforced: false, codes: ["duplicate-name"] },
		{ file: "b.yaml", enforced: false, codes: ["duplicate-name"] },
	]);
	await daemon.after(() => rig.home.put("b.yaml", blocks("other", 82)));
	expect(await blockedPorts(81, 82, 83)).toEqual([81, 82, 83]);
	expect((await readiness(daemon))[0]).toBe(200);
});

test("what others than root can write is refused; the last good version stays", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	rig.home.put("b.yaml", blocks("b", 82));
	chmodSync(join(rig.home.policies, "b.yaml"), 0o664);
	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	expect(await blockedPorts(81, 82)).toEqual([81]);
	expect(daemon.log).toContain("can be written by others than root");
	expect((await readiness(daemon))[0]).toBe(503);
	await daemon.after(() => chmodSync(join(rig.home.policies, "b.yaml"), 0o644));
	expect(await blockedPorts(81, 82)).toEqual([81, 82]);
	expect((await readiness(daemon))[0]).toBe(200);
	await daemon.after(() => chownSync(join(rig.home.policies, "a.yaml"), 65_534, 65_534));
	expect(await blockedPorts(81, 82)).toEqual([81, 82]);
	await daemon.after(() => {
		writeFileSync(join(rig.home.policies, "a.yaml"), blocks("a", 84));
	});
	expect(await blockedPorts(81, 82, 84)).toEqual([81, 82]);
	// The directory itself, too.
	await daemon.after(() => {
		chmodSync(rig.home.policies, 0o777);
		rig.home.put("c.yaml", blocks("c", 83));
	});
	expect(await blockedPorts(81, 82, 83)).toEqual([81, 82]);
	expect(await daemon.stop()).toBe(0);
	await using refused = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	expect(await refused.exited()).toBe(1);
	expect(refused.log).toContain("chmod go-w");
	await using lifted = await Daemon.start(rig.lab.guarded, { flags: ["--insecure-permissions"] }, rig.home);
	expect(await blockedPorts(81, 82, 83, 84)).toEqual([82, 83, 84]);
	expect((await readiness(lifted))[0]).toBe(200);
});

test("a link that leads out of the directory is refused, and one inside is not", async () => {
	writeFileSync(join(rig.home.path, "outside.yaml"), blocks("outside", 81));
	symlinkSync("../outside.yaml", join(rig.home.policies, "out.yaml"));
	rig.home.put("inside.yaml.txt", blocks("inside", 82));
	symlinkSync("inside.yaml.txt", join(rig.home.policies, "in.yaml"));
	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	expect(await blockedPorts(81, 82)).toEqual([82]);
	expect(await readiness(daemon)).toEqual([503, "not ready: not enforced: out.yaml:1\n"]);
	await daemon.after(() => rmSync(join(rig.home.policies, "out.yaml")));
	expect((await readiness(daemon))[0]).toBe(200);
});

test.each(["concatenated", "nested"])(
	"a set that needs too many elements is refused with the policies' names; the last good stays: %s",
	async (rulesetForm) => {
		const config = { maxElements: 200, rulesetForm };
		const many = (name: string, count: number) =>
			policy(name, {
				action: "Block",
				ingress: [
					{
						from: Array.from({ length: count }, (_, index) =>
							block(`10.7.${index >> 7}.${(index << 1) & 255}`),
						),
					},
				],
			});
		const from = async (remote: string) =>
			(await rig.prober.send([{ direction: "ingress", protocol: "tcp", remote, port: 99 }]))[0];
		rig.home.put("a.yaml", blocks("a", 81));
		const first = await Daemon.start(rig.lab.guarded, { config }, rig.home);
		const check = async (daemon: Daemon) => {
			expect(await blockedPorts(81, 82)).toEqual([81]);
			expect(await from("10.7.0.2")).toBe(true);
			const log = daemon.log
				.split("\n")
				.filter((line) => line.includes("maxElements") || line.includes("elements"));
			expect(log.join("\n")).toContain("greedy");
			expect((await daemon.status()).enforcers.network.elements).toBeLessThanOrEqual(200);
			expect(await found(daemon, "greedy")).toMatchObject([{ enforced: false }]);
			expect((await daemon.status()).policies.find((one) => one.name === "a")?.enforced).toBe(true);
		};
		await first.after(() => rig.home.put("b.yaml", documents(many("greedy", 500), blocks("c", 82))));
		await check(first);
		await first.stop();
		const second = Daemon.spawn(rig.lab.guarded, { config }, rig.home);
		await using _ = second;
		await second.active();
		await check(second);
		await second.after(() => rig.home.put("b.yaml", documents(many("greedy", 50), blocks("c", 82))));
		expect(await blockedPorts(81, 82)).toEqual([81, 82]);
		expect(await from("10.7.0.2")).toBe(false);
		expect(await readiness(second)).toEqual([200, "ready: what is on disk is enforced\n"]);
	},
);
