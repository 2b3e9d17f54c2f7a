/** docs/policy-as-code.md, "From a repository to a host": each block is run as it stands there, with real packets at its end. */

import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { executable } from "../support/built.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const page = readFileSync(resolve(import.meta.dir, "../../../docs/policy-as-code.md"), "utf8");

/** The blocks that are to be run, in their order, each with the words before it. */
const blocks = [...page.matchAll(/<!-- run on ([^>]+) -->\n```sh\n([\s\S]*?)```/gu)].map(
	([, where = "", script = ""]) => ({ where, script }),
);

/** `portward` as it is found by its name; more arguments for the one of the host, whose settings lie elsewhere here. */
function command(directory: string, ...more: readonly string[]): string {
	mkdirSync(directory);
	const path = join(directory, "portward");
	writeFileSync(path, `#!/bin/sh\nexec ${executable()} "$@" ${more.join(" ")}\n`);
	chmodSync(path, 0o755);
	return directory;
}

test("tests, a reviewed difference, a signature, a plan, a change and its confirmation", async () => {
	expect(blocks.map(({ where }) => where)).toEqual([
		"the workstation",
		"the workstation",
		"the workstation",
		"the host: settings",
		"the host",
	]);
	const root = rig.home.path;
	const [work, etc, stick] = ["work", "etc", "stick"].map((name) => join(root, name));
	if (work === undefined || etc === undefined || stick === undefined)
		throw new Error("three names are three paths");
	for (const directory of [work, etc, stick]) mkdirSync(directory);
	const here = command(join(root, "bin"));
	const onHost = command(join(root, "host-bin"), "--config", rig.home.config);
	const run = (script: string, path: string) => {
		const placed = script.replaceAll("/etc/portward", etc).replaceAll("/media/stick", stick);
		const names = [
			"GIT_AUTHOR_NAME=a",
			"GIT_AUTHOR_EMAIL=a@example.org",
			"GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@example.org",
		];
		const environment = ["env", "-C", work, `PATH=${path}:${process.env.PATH}`, `HOME=${root}`, ...names];
		const ended = rig.lab.guarded.try([...environment, "sh", "-e"], placed);
		expect([ended.code, ended.error]).toEqual([0, expect.not.stringContaining("error")]);
		return ended.out;
	};
	const [first, second, third, settings, host] = blocks.map(({ script }) => script);
	if (!first || !second || !third || !settings || !host) throw new Error("a block is empty");

	const tested = run(first, here);
	expect(tested).toContain("4 passed, 0 failed");
	expect(tested).toContain("Some case decides each of 1 rule.");
	expect(run(second, here)).toContain("6 passed, 0 failed");
	expect(readFileSync(join(work, "comment.md"), "utf8")).toContain(
		"| ingress | tcp | 22 | 10.0.2.7/32 | any | Block | Allow |",
	);
	run(third, here);
	expect(existsSync(join(stick, "policies/database.yaml"))).toBe(true);
	run(settings, here);
	const config: Record<string, unknown> = parse(readFileSync(join(etc, "config.yaml"), "utf8"));
	expect(config).toMatchObject({ policySignature: "required", policyTests: "enforce" });

	// A new host: it has no policies yet, and takes none that are not signed.
	await using daemon = Daemon.spawn(rig.lab.guarded, { config }, rig.home);
	await eventually("an answer", async () => (await daemon.get("/readyz").catch(() => null))?.status === 503);
	const said = run(host, onHost);
	expect(said).toContain("tests of the policies: 6 passed, 0 failed");
	expect(said).toContain("policies: signed");
	const report = readFileSync(join(work, "report.html"), "utf8");
	expect(report).toContain("what no rule allows is dropped");
	expect(report).toContain("what is on disk is signed with a trusted key");
	const passed = await rig.prober.send(
		[
			["10.0.1.5", 5432],
			["10.0.2.7", 22],
			["10.0.2.7", 5432],
			["192.0.2.1", 22],
		].map(([remote, port]) => ({
			direction: "ingress",
			protocol: "tcp",
			remote: String(remote),
			port: Number(port),
		})),
	);
	expect(passed).toEqual([true, true, false, false]);
	expect(daemon.alerts.filter(({ Tags }) => Tags === "POLICY-TESTS")).toEqual([]);
});
