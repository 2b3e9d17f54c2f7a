import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/model.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { confine, writableDirectories } from "../../src/daemon/confinement.ts";

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-confined-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function config(settings: object): Config {
	const parsed = parseConfig("config.yaml", JSON.stringify(settings));
	if (!parsed.ok) throw new Error(parsed.diagnostics.map(({ message }) => message).join("; "));
	return parsed.config;
}

/** What a process that confines itself can still do. */
function attempts(mode: string) {
	const place = mkdtempSync(join(directory, "try-"));
	const script = join(import.meta.dir, "support/confined.ts");
	const child = Bun.spawnSync([process.execPath, script, place, mode], { stderr: "inherit" });
	return { place, ...JSON.parse(child.stdout.toString()) };
}

test("a confined process runs nothing, opens no other sockets and writes only where its settings say", () => {
	const { place, confinement, results } = attempts("enforce");
	expect(confinement).toEqual({
		systemCalls: { active: true, detail: "" },
		files: { active: true, detail: "" },
		writable: [`${place}/etc`, `${place}/state`, `${place}/log`],
	});
	expect(results).toEqual({
		run: "EPERM",
		fork: "refused",
		mount: "refused",
		packet: "refused",
		raw: "refused",
		netlink: "done",
		elsewhere: "EACCES",
		elsewhereLater: "EACCES",
		truncated: "EACCES",
		state: "done",
		besidePolicies: "done",
		alerts: "done",
	});
});

test("confinement: off leaves everything as it is, and says so", () => {
	const { confinement, results } = attempts("off");
	expect(confinement.files).toEqual({ active: false, detail: "confinement is off in the settings" });
	expect(results).toMatchObject({ run: "done", elsewhere: "done", packet: "done", raw: "done" });
});

test("where files may change follows from the settings, through links too", () => {
	mkdirSync(join(directory, "real/policies"), { recursive: true });
	symlinkSync(join(directory, "real/policies"), join(directory, "link"));
	symlinkSync("later/policies", join(directory, "dangling"));
	const of = (settings: object) =>
		writableDirectories(config({ stateDir: "/s", policyDir: "/p/q", ...settings }));
	expect(of({})).toEqual(["/p", "/s"]);
	expect(of({ policyDir: join(directory, "link") })).toEqual([join(directory, "real"), "/s"]);
	expect(of({ policyDir: join(directory, "dangling") })).toEqual([join(directory, "later"), "/s"]);
	expect(of({ status: { address: "unix:/run/x/status.sock" }, alerts: { file: "/s/a" } })).toEqual([
		"/p",
		"/s",
		"/run/x",
	]);
});

describe("a kernel that cannot", () => {
	const fake = (version: number, error: string) => ({
		landlockVersion: () => version,
		filterSystemCalls: () => ({ ok: false as const, error }),
		restrictFiles: () => ({ ok: false as const, error }),
	});
	const own = () => config({ policyDir: join(directory, "a/p"), stateDir: join(directory, "s") });

	test.each([
		[0, "this kernel has no Landlock, or it is switched off"],
		[1, "this kernel's Landlock cannot let files be renamed; 5.19 and later can"],
		[7, "the kernel takes no rules: EINVAL"],
	])("with version %d of Landlock says so", (version, detail) => {
		const confinement = confine(own(), fake(version, "EINVAL"));
		expect(confinement.files).toEqual({ active: false, detail });
		expect(confinement.systemCalls).toEqual({
			active: false,
			detail: "the kernel takes no filter: EINVAL",
		});
		expect(readdirSync(directory)).toContain("s");
	});

	test("a directory that cannot be made is named", () => {
		const confinement = confine(own(), {
			...fake(2, ""),
			restrictFiles: () => ({ ok: true, absent: [join(directory, "s"), "/sys/bus"] }),
		});
		expect(confinement.files).toEqual({
			active: true,
			detail: `nothing can be written to ${join(directory, "s")}`,
		});
	});
});
