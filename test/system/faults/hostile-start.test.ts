/** What whoever starts the daemon leaves it: few descriptors, open ones, little memory, a directory that is gone. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";

let lab: Lab;
let home: Home;

beforeAll(async () => {
	lab = await Lab.create();
});
afterAll(() => lab[Symbol.dispose]());
beforeEach(() => {
	home = new Home();
	home.put("a.yaml", policy("a", { action: "Block", ingress: [{ ports: [port("TCP", 80)] }] }));
});
afterEach(() => home[Symbol.dispose]());

/** Starts the daemon from a shell that has run these commands. */
const after = (commands: string) => ["bash", "-c", `${commands}; exec "$0" "$@"`];
const enforced = (daemon: Daemon) => eventually("the rules", () => daemon.log.includes("result=applied"));

test("24 descriptors, and no right to more: it says what is wanting before it begins, and what was saved is in force", async () => {
	const first = await Daemon.start(lab.guarded, {}, home);
	expect(await first.stop()).toBe(0);
	lab.guarded.nft("flush ruleset");
	// Root may raise the limit where it has CAP_SYS_RESOURCE.
	const under = ["bash", "-c", 'ulimit -n 24; exec setpriv --bounding-set -sys_resource "$0" "$@"'];
	await using daemon = Daemon.spawn(lab.guarded, { under }, home);
	expect(await daemon.exited()).toBe(1);
	expect(daemon.log).toContain("this process may open 24 files, and portward needs 128: raise the limit");
	expect(daemon.log).not.toContain("ran out of file descriptors");
	expect(lab.guarded.run(["nft", "list", "chain", "inet", "kubearmor", "root_ingress"])).toContain("goto x_");
});

test("little address space is told as that, not as a missing library", async () => {
	await using daemon = Daemon.spawn(lab.guarded, { under: after("ulimit -v 1500000") }, home);
	await eventually("the reason", () => daemon.log.includes("the network enforcer is unavailable"));
	expect(daemon.log).toContain("raise the limit of its address space");
	expect(daemon.log).not.toContain("apt install");
});

test("a working directory that was deleted stops nothing", async () => {
	const under = after('gone=$(mktemp -d); cd "$gone"; rmdir "$gone"');
	await using daemon = Daemon.spawn(lab.guarded, { under }, home);
	await enforced(daemon);
});

test("descriptors that were inherited are closed", async () => {
	const marks = ["/etc/passwd", `${home.path}/held`];
	const under = after(`exec 7<${marks[0]} 19>${marks[1]}`);
	await using daemon = Daemon.spawn(lab.guarded, { under }, home);
	await enforced(daemon);
	const open = readdirSync(`/proc/${daemon.pid}/fd`).map((name) => {
		try {
			return readlinkSync(`/proc/${daemon.pid}/fd/${name}`);
		} catch {
			return "";
		}
	});
	expect(open.length).toBeGreaterThan(10);
	for (const mark of marks) expect(open).not.toContain(mark);
});
