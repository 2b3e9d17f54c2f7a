/** docs/tutorial.md: each block is run as it stands there, between real packets. */

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { executable } from "../support/built.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const page = readFileSync(resolve(import.meta.dir, "../../../docs/tutorial.md"), "utf8");

/** The blocks that are to be run, in their order. */
const blocks = [...page.matchAll(/<!-- run: ([a-z]+) -->\n```sh\n([\s\S]*?)```/gu)].map(
	([, name = "", script = ""]) => ({ name, script }),
);

const tcp = (remote: string, port: number) =>
	({ direction: "ingress", protocol: "tcp", remote, port }) as const;
const applications = ["10.0.1.5", "10.0.1.6", "10.0.1.7"];
const administrator = "10.0.2.7";
const scanner = "192.0.2.66";
const once = "198.51.100.9";

test("watch, recommend, simulate, stage, promote, confirm, notice", async () => {
	expect(blocks.map(({ name }) => name)).toEqual([
		"observe",
		"recommend",
		"simulate",
		"stage",
		"staged",
		"promote",
		"confirm",
		"new",
	]);
	const work = join(rig.home.path, "work");
	const bin = join(rig.home.path, "bin");
	for (const directory of [work, bin]) mkdirSync(directory);
	const portward = join(bin, "portward");
	writeFileSync(
		portward,
		`#!/bin/sh\nverb=$1\nshift\nexec ${executable()} "$verb" "$@" --config ${rig.home.config}\n`,
	);
	chmodSync(portward, 0o755);
	const run = (name: string) => {
		const script = (blocks.find((block) => block.name === name)?.script ?? "exit 99").replaceAll(
			"/etc/portward/policies",
			rig.home.policies,
		);
		const environment = ["env", "-C", work, `PATH=${bin}:${process.env.PATH}`, `HOME=${work}`];
		const ended = rig.lab.guarded.try([...environment, "sh", "-e"], script);
		expect([name, ended.code, ended.error]).toEqual([name, 0, expect.not.stringContaining("error:")]);
		return ended.out;
	};
	const passed = async (...probes: ReturnType<typeof tcp>[]) => await rig.prober.send(probes);

	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	for (let again = 0; again < 4; again++) {
		await passed(...applications.map((remote) => tcp(remote, 5432)), tcp(administrator, 22));
	}
	await passed(...Array.from({ length: 12 }, (_, index) => tcp(scanner, 5425 + index)), tcp(once, 22));
	await eventually("the flows", async () => {
		const answer = await (await daemon.get("/v1/flows")).text();
		return [...applications, administrator, scanner, once].every((remote) => answer.includes(`"${remote}"`));
	});

	const observed = run("observe");
	expect(observed).toContain("10.0.1.5 → tcp 5432 on eth0");
	expect(observed).toContain("ingress tcp 5432");

	const recommended = run("recommend");
	expect(readdirSync(join(work, "seen"))).toContain("seen-ingress-tcp-5432.yaml");
	for (const stranger of [scanner, once]) expect(recommended).toContain(stranger);
	for (const name of ["22", "5432"]) {
		const policy = readFileSync(join(work, `seen/seen-ingress-tcp-${name}.yaml`), "utf8");
		expect(policy).not.toMatch(/cidr: (?:192\.0\.2|198\.51\.100)\./u);
	}
	expect(run("simulate")).toContain("WOULD BLOCK");

	// What is staged touches nobody, and tells of those whom it would block.
	run("stage");
	const needed = [...applications.map((remote) => tcp(remote, 5432)), tcp(administrator, 22)];
	const strangers = [
		tcp(scanner, 5432),
		tcp(once, 22),
		tcp("10.0.9.9", 5432),
		tcp("203.0.113.5", 22),
		tcp("10.0.1.5", 80),
	];
	expect(await passed(...needed, ...strangers)).toEqual([...needed, ...strangers].map(() => true));
	await daemon.alert("of what would be blocked", ({ Action }) => Action === "Audit (Block)");
	const staged = run("staged");
	expect(staged).toMatch(
		/seen-ingress-tcp-5432: staged, evaluated \d+ times since generation \d+, would block \d+/u,
	);
	expect(staged).toContain("passed, would be blocked by DefaultPosture");

	// All that was seen as needed passes; who was never seen, the scan and the one-off do not.
	run("promote");
	expect(await passed(...needed, ...strangers)).toEqual([
		...needed.map(() => true),
		...strangers.map(() => false),
	]);
	await daemon.alert(
		"of the stranger",
		({ Action, EventData }) => Action === "Block" && EventData.SourceIP === "10.0.9.9",
	);
	const confirmed = run("confirm");
	expect(confirmed).toMatch(/ → tcp \d+ on eth0: blocked by DefaultPosture/u);
	expect(readdirSync(rig.home.policies)).toContain("seen-ingress-tcp-5432.yaml");

	expect(run("new")).toContain("10.0.9.9 → tcp 5432 on eth0 (DefaultPosture) NEW");
	expect(await passed(tcp("10.0.9.9", 5432), tcp("10.0.1.5", 5432))).toEqual([false, true]);
}, 240_000);
