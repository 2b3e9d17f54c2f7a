/** Lock-out drills: policies that cut the operator off, the daemon killed meanwhile, and confirmations. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	copyFileSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { changeDirectory, readRecord, recordPath } from "../../../src/state/pending-record.ts";
import { writeState } from "../../../src/state/state-file.ts";
import { executable } from "../support/built.ts";
import { policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab, type Link, spawnBound } from "../support/netns.ts";
import { lines } from "../support/probe.ts";
import { Conversation, connects } from "../support/traffic.ts";

let lab: Lab;
let link: Link;
let home: Home;
let fresh: string;

beforeEach(async () => {
	lab = await Lab.create();
	const [first] = lab.links;
	if (first === undefined) throw new Error("a lab without links");
	link = first;
	home = new Home();
	fresh = join(home.path, "fresh");
	mkdirSync(fresh);
	writeFileSync(join(fresh, "lock-out.yaml"), lockOut);
});
afterEach(() => {
	lab[Symbol.dispose]();
	home[Symbol.dispose]();
});

/** Where the operator comes in, as to sshd. */
const operatorPort = 2222;
const shut = (name: string, number: number) =>
	policy(name, { action: "Block", ingress: [{ ports: [port("TCP", number)] }] });
const lockOut = shut("lock-out", operatorPort);
const before = { "before.yaml": shut("before", 7001) };

const start = () => Daemon.start(lab.guarded, { policies: before }, home);

/** A command of the executable in the guarded host; its output and exit code. */
async function portward(...args: string[]) {
	const argv = [executable(), ...args, "--config", home.config];
	const child = spawnBound(lab.guarded.inside(argv));
	const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	return { code, out, error };
}

const apply = (within = "10s") => portward("apply", "--policy-dir", fresh, "--confirm-within", within);

const told = /"rollbackOf":".*"ports":\[2222,2222\].*"rolled_back".*before.yaml/su;
const operatorComesIn = () => connects(lab.peer, lab.guarded, link.local4, operatorPort);
const oldRuleHolds = async () => !(await connects(lab.peer, lab.guarded, link.local4, 7001));

async function pending(daemon: Daemon): Promise<{ id: string; secondsLeft: number } | null> {
	const document: unknown = await (await daemon.get("/v1/status")).json();
	if (typeof document !== "object" || document === null || !("pending" in document))
		throw new Error("no status");
	return document.pending as { id: string; secondsLeft: number } | null;
}

/** Nothing is pending at once; what was before is in force again a moment later, when it is counted. */
const rolledBack = (daemon: Daemon) =>
	eventually("the way back", async () => {
		const counted = (await daemon.metrics()).get('portward_changes_total{result="rolled_back"}') ?? 0;
		return counted > 0 && (await pending(daemon)) === null;
	});

/** What the next boot starts with; null while there is none. */
function bootRuleset(): string | null {
	const file = join(home.state, "boot.json");
	return existsSync(file) ? readFileSync(file, "utf8") : null;
}

/** What must be so after every roll back. */
async function expectAsBefore(): Promise<void> {
	expect([await operatorComesIn(), await oldRuleHolds()]).toEqual([true, true]);
	expect(readdirSync(home.policies)).toEqual(["before.yaml"]);
	expect(readdirSync(join(home.state, "pending"))).toEqual([]);
	expect(readRecord(home.state)).toEqual({ state: "none" });
}

describe("a policy that cuts off the operator", () => {
	test("rolls back by itself, and a new connection comes about", async () => {
		await using daemon = await start();
		const session = await Conversation.open(lab.peer, lab.guarded, "tcp", link.local4, operatorPort);
		expect(await session.say(2000)).toBe("echo");
		const applied = await apply();
		const started = performance.now();
		expect([applied.code, applied.out.includes("lock-out ingress[0]")]).toEqual([0, true]);
		expect(await session.say()).not.toBe("echo");
		session[Symbol.dispose]();
		expect(await operatorComesIn()).toBe(false);
		expect((await daemon.metrics()).get("portward_change_pending")).toBe(1);
		await rolledBack(daemon);
		const seconds = (performance.now() - started) / 1000;
		expect(seconds).toBeGreaterThan(8);
		expect(seconds).toBeLessThan(15);
		await expectAsBefore();
		const metrics = await daemon.metrics();
		expect(metrics.get('portward_changes_total{result="rolled_back"}')).toBe(1);
		expect(metrics.get("portward_change_seconds_left")).toBe(0);
		await daemon.alert("of the roll back", ({ EventData }) => EventData.Step === "rolled_back");
		await eventually("its history", async () => told.test(await (await daemon.get("/v1/history")).text()));
	});

	test("rolls back in time though the daemon is killed and comes back meanwhile", async () => {
		{
			await using daemon = await start();
			expect((await apply("12s")).code).toBe(0);
			await daemon.stop("SIGKILL");
		}
		await Bun.sleep(3000);
		await using daemon = await start();
		const left = (await pending(daemon))?.secondsLeft ?? 0;
		expect(left).toBeGreaterThan(0);
		expect(left).toBeLessThanOrEqual(9);
		const seen = performance.now();
		expect(await operatorComesIn()).toBe(false);
		await rolledBack(daemon);
		expect((performance.now() - seen) / 1000).toBeLessThan(left + 5);
		await expectAsBefore();
	});

	test("is rolled back by a daemon that comes back only when its time is up", async () => {
		{
			await using daemon = await start();
			expect((await apply()).code).toBe(0);
			await daemon.stop("SIGKILL");
		}
		await Bun.sleep(10_500);
		await using daemon = await start();
		expect(await pending(daemon)).toBeNull();
		await expectAsBefore();
		await daemon.alert("of the roll back", ({ EventData }) => EventData.Step === "rolled_back");
	});

	test("is rolled back where the machine was started anew meanwhile", async () => {
		{
			await using daemon = await start();
			expect((await apply("10m")).code).toBe(0);
			await daemon.stop("SIGKILL");
		}
		const record = readRecord(home.state);
		if (record.state !== "known") throw new Error(record.state);
		expect(writeState(recordPath(home.state), { ...record.change, boot: "an earlier one" })).toBeNull();
		await using daemon = await start();
		expect(await pending(daemon)).toBeNull();
		await expectAsBefore();
	});

	test("rolls back at once when that is asked for", async () => {
		await using daemon = await start();
		const saved = await eventually("the ruleset for the next boot", bootRuleset);
		await apply("10m");
		expect(await operatorComesIn()).toBe(false);
		// A reboot now would go back as well.
		await Bun.sleep(500);
		expect(bootRuleset()).toBe(saved);
		expect(await portward("rollback")).toMatchObject({ code: 0, error: "" });
		await expectAsBefore();
		expect(await pending(daemon)).toBeNull();
	});
});

describe("a change that is confirmed", () => {
	test("is the content of the policy directory, and holds over a restart", async () => {
		{
			await using daemon = await start();
			const saved = await eventually("the ruleset for the next boot", bootRuleset);
			await apply("10m");
			const id = (await pending(daemon))?.id ?? "";
			const generation = (await daemon.status()).enforcers.network.elements;
			expect(await portward("confirm", "--id", id)).toMatchObject({ code: 0, error: "" });
			expect((await daemon.status()).enforcers.network.elements).toBe(generation);
			expect(readdirSync(home.policies)).toEqual(["lock-out.yaml"]);
			expect((await daemon.metrics()).get('portward_changes_total{result="confirmed"}')).toBe(1);
			await eventually("the ruleset of the change for the next boot", () => bootRuleset() !== saved);
			await daemon.stop("SIGKILL");
		}
		await using daemon = await Daemon.start(lab.guarded, {}, home);
		expect(await pending(daemon)).toBeNull();
		expect(await operatorComesIn()).toBe(false);
		expect(await oldRuleHolds()).toBe(false);
		expect(readdirSync(home.path).filter((name) => name.startsWith(".policies"))).toEqual([]);
	});

	test("is what a restart finishes where the daemon was killed while it was put in place", async () => {
		{
			await using daemon = await start();
			await apply("10m");
			await daemon.stop("SIGKILL");
		}
		const record = readRecord(home.state);
		if (record.state !== "known") throw new Error(record.state);
		const { change } = record;
		// As it is after the decision and the copy, before the exchange.
		const beside = join(home.path, `.policies.portward-${change.id}`);
		Bun.spawnSync(["cp", "-r", join(changeDirectory(home.state, change.id), "policies"), beside]);
		writeFileSync(join(beside, `.portward-${change.id}`), "");
		const confirming = [{ target: home.policies, keep: false }];
		expect(writeState(recordPath(home.state), { ...change, confirming })).toBeNull();
		await using daemon = await Daemon.start(lab.guarded, {}, home);
		expect(await pending(daemon)).toBeNull();
		expect(readdirSync(home.policies)).toEqual(["lock-out.yaml"]);
		expect(await operatorComesIn()).toBe(false);
		expect(readdirSync(home.path).filter((name) => name.startsWith(".policies"))).toEqual([]);
	});
});

/**
 * A shell over a connection from the other host, as sshd starts it: a program of that name holds the connection's
 * socket, and the connection is in the shell's environment, not in that of what it runs.
 */
async function sshShell() {
	const sshd = join(home.path, "sshd");
	if (!existsSync(sshd)) copyFileSync(process.execPath, sshd);
	const loop = 'while read -r line; do env -u SSH_CONNECTION sh -c "$line" 2>&1; echo "code $?"; done';
	const script = `
		const server = Bun.listen({ hostname: ${JSON.stringify(link.local4)}, port: 0, socket: {
			open({ remoteAddress, remotePort, localAddress, localPort }) {
				const connection = [remoteAddress, remotePort, localAddress, localPort].join(" ");
				console.log(connection);
				Bun.spawn(["bash", "-c", ${JSON.stringify(loop)}], {
					env: { ...process.env, SSH_CONNECTION: connection },
					stdio: ["inherit", "inherit", "inherit"],
				});
			},
			data() {},
		} });
		console.log(server.port);
	`;
	const child = spawnBound(lab.guarded.inside([sshd, "-e", script]));
	const output = lines(child.stdout);
	const { value: port } = await output.next();
	const client = `exec 3<>/dev/tcp/${link.local4}/${port}; exec sleep 60`;
	spawnBound(lab.peer.inside(["bash", "-c", client]));
	const { value: connection = "" } = await output.next();
	const run = async (...words: string[]) => {
		child.stdin.write(`${words.join(" ")}\n`);
		child.stdin.flush();
		const printed: string[] = [];
		for (;;) {
			const { value, done } = await output.next();
			if (done || value.startsWith("code "))
				return { code: Number(value?.slice(5)), text: printed.join("\n") };
			printed.push(value);
		}
	};
	return { connection, run };
}

describe("what is refused", () => {
	test("a second change while one is pending, and a broken one", async () => {
		await using daemon = await start();
		await apply("10m");
		const { id = "" } = (await pending(daemon)) ?? {};
		const second = await apply("10m");
		expect([second.code, second.error.includes(id)]).toEqual([1, true]);
		await portward("rollback");
		writeFileSync(join(fresh, "broken.yaml"), "spec: [");
		const broken = await apply("10m");
		expect([broken.code, broken.error.includes(`${join(fresh, "broken.yaml")}:1:`)]).toEqual([1, true]);
		expect(await pending(daemon)).toBeNull();
		expect(await operatorComesIn()).toBe(true);
		expect((await daemon.metrics()).get('portward_changes_total{result="refused"}')).toBe(2);
		expect(readdirSync(join(home.state, "incoming"))).toEqual([]);
	});

	test.each([
		["with all capabilities", []],
		// It may not read the environment of processes that have more.
		["with the capability that the unit leaves it", ["setpriv", "--bounding-set", "-all,+net_admin"]],
	])(
		"a confirmation from an SSH session that is older than the change, but not from a newer one, by a daemon %s",
		async (_what, under) => {
			const old = await sshShell();
			await using daemon = await Daemon.start(lab.guarded, { policies: before, under }, home);
			const confirm = [executable(), "confirm", "--config", home.config];
			// The shell runs before the change is asked for.
			expect((await old.run("true")).code).toBe(0);
			await apply("10m");
			const refused = await old.run(...confirm);
			expect([refused.code, refused.text.includes(old.connection)]).toEqual([1, true]);
			expect(await pending(daemon)).not.toBeNull();
			// What sshd holds no connection of is no session, whatever its environment says.
			const forged = [
				`SSH_CONNECTION=${link.local4} 50002 ${link.local4} 22`,
				"SSH_CONNECTION=192.0.2.9 1 192.0.2.1 22",
			];
			const other = await sshShell();
			for (const variable of [...forged, `SSH_CONNECTION=${other.connection}`]) {
				const child = lab.guarded.try(["env", variable, ...confirm]);
				expect(child.error).toContain("no sshd that this command descends from");
				expect(child.code).toBe(1);
			}
			expect(await pending(daemon)).not.toBeNull();
			const accepted = await other.run(...confirm);
			expect([accepted.code, accepted.text.includes(other.connection)]).toEqual([0, true]);
			rmSync(join(fresh, "lock-out.yaml"));
			await apply("10m");
			const insisted = await old.run(...confirm, "--same-session");
			expect([insisted.code, insisted.text.includes("insisted")]).toEqual([0, true]);
			expect(readdirSync(home.policies)).toEqual([]);
			await daemon.alert(
				"of what was insisted on",
				({ EventData }) => EventData.Reason?.includes("insisted") ?? false,
			);
		},
		60_000,
	);
});

test("confirm: required makes every change of the policy directory pend", async () => {
	const config = { confirm: "required", confirmWithin: 10 };
	{
		await using daemon = await Daemon.start(lab.guarded, { policies: before, config }, home);
		await eventually("the first change", async () => (await pending(daemon)) !== null);
		expect(await portward("confirm")).toMatchObject({ code: 0 });
		home.put("lock-out.yaml", lockOut);
		const starts = () => daemon.alerts.filter(({ EventData }) => EventData.Step === "started").length;
		await eventually("the change in force", () => starts() === 2);
		expect(await operatorComesIn()).toBe(false);
		expect(await pending(daemon)).toMatchObject({ source: "directory" });
		await rolledBack(daemon);
		expect(await operatorComesIn()).toBe(true);
		expect((await daemon.get("/readyz")).status).toBe(503);
	}
	// Not even a restart tries again what rolled back.
	await using daemon = Daemon.spawn(lab.guarded, { config }, home);
	await daemon.active();
	await Bun.sleep(500);
	expect(await pending(daemon)).toBeNull();
	expect([await operatorComesIn(), await oldRuleHolds()]).toEqual([true, true]);
	await portward("apply", "--policy-dir", home.policies, "--confirm-within", "10m");
	expect(await operatorComesIn()).toBe(false);
	expect(await portward("confirm")).toMatchObject({ code: 0 });
	await daemon.ready();
});
