/** What the shipped file tells a service manager, over a real datagram socket. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { Datagrams } from "../../ffi/support/datagrams.ts";
import { block, policy } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Namespace } from "../support/netns.ts";

let namespace: Namespace;
let home: Home;
let manager: Datagrams;
/** Every line that came, with the time since the one before it came. */
let said: { line: string; gap: number }[];

beforeEach(async () => {
	namespace = await Namespace.create();
	home = new Home();
	manager = new Datagrams(join(home.path, "notify"));
	said = [];
});
afterEach(() => {
	manager[Symbol.dispose]();
	home[Symbol.dispose]();
	namespace[Symbol.dispose]();
});

/** Starts a daemon that is watched, and listens until `until` holds. */
const environment = (more: Record<string, string> = {}) => ({
	NOTIFY_SOCKET: join(home.path, "notify"),
	WATCHDOG_USEC: "400000",
	...more,
});

async function listen(what: string, until: (lines: readonly string[]) => boolean): Promise<string[]> {
	let last = performance.now();
	const seen: string[] = [];
	await eventually(
		what,
		() => {
			for (const line of manager.take().flat()) {
				said.push({ line, gap: performance.now() - last });
				last = performance.now();
				seen.push(line);
			}
			return until(seen);
		},
		30_000,
	);
	return seen;
}

test("ready comes after the first attempt, then reloads and the end; signs of life go on under load", async () => {
	const blocks = Array.from({ length: 30_000 }, (_, index) =>
		block(`10.${index >> 14}.${(index >> 6) & 255}.${(index & 63) * 4}/32`),
	);
	const large = policy("large", { action: "Block", ingress: [{ from: blocks }] });
	const env = environment({ WATCHDOG_USEC: "2000000" });
	await using daemon = Daemon.spawn(namespace, { policies: { "a.yaml": large }, env }, home);
	const starting = await listen("ready", (lines) => lines.includes("READY=1"));
	expect(starting).toContain("WATCHDOG=1");
	expect(starting.find((line) => line.startsWith("STATUS="))).toBeDefined();
	const status = said.findLast(({ line }) => line.startsWith("STATUS="))?.line;
	expect(status).toContain("network active");
	expect((await daemon.status()).enforcers.network.state).toBe("active");
	// From its first word on it would not have been taken for dead, however long the ruleset took.
	expect(Math.max(...said.slice(1).map(({ gap }) => gap))).toBeLessThan(2000);
	daemon.signal("SIGHUP");
	const reload = await listen("the reload", (lines) => lines.includes("READY=1"));
	expect(reload.indexOf("RELOADING=1")).toBeLessThan(reload.indexOf("READY=1"));
	expect(reload).toContain("RELOADING=1");
	expect(reload.some((line) => /^MONOTONIC_USEC=\d+$/.test(line))).toBe(true);
	expect(await daemon.stop()).toBe(0);
	expect(await listen("the end", (lines) => lines.includes("STOPPING=1"))).not.toContain("READY=1");
});

test("a process that is stopped gives no sign of life", async () => {
	await using daemon = Daemon.spawn(namespace, { env: environment() }, home);
	await listen("ready", (lines) => lines.includes("READY=1"));
	daemon.signal("SIGSTOP");
	await Bun.sleep(300);
	manager.take();
	await Bun.sleep(600);
	expect(manager.take()).toEqual([]);
	daemon.signal("SIGCONT");
	await listen("a sign of life", (lines) => lines.includes("WATCHDOG=1"));
});

test("a watchdog that is for another process is not answered", async () => {
	await using _daemon = Daemon.spawn(namespace, { env: environment({ WATCHDOG_PID: "1" }) }, home);
	await listen("ready", (lines) => lines.includes("READY=1"));
	await Bun.sleep(500);
	expect(manager.take().flat()).not.toContain("WATCHDOG=1");
	expect(said.map(({ line }) => line)).not.toContain("WATCHDOG=1");
});
