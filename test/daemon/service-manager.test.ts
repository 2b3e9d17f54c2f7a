import { afterEach, beforeEach, expect, test } from "bun:test";
import { type ServiceEnvironment, ServiceManager, type Vitals } from "../../src/daemon/service-manager.ts";
import { Datagrams } from "../ffi/support/datagrams.ts";
import { until } from "../system/support/isolated.ts";

const address = `@portward-manager/${process.pid}`;
let socket: Datagrams;
let manager: ServiceManager | null;
let warnings: string[];
beforeEach(() => {
	socket = new Datagrams(address);
	manager = null;
	warnings = [];
});
afterEach(() => {
	manager?.close();
	socket[Symbol.dispose]();
});

function start(
	more: ServiceEnvironment = {},
	environment: ServiceEnvironment = { NOTIFY_SOCKET: address, ...more },
) {
	manager = new ServiceManager({ environment, warn: (message) => warnings.push(message), now: () => 12n });
	return { manager, environment };
}

const well: Vitals = { stuck: () => "", status: () => "fine" };
const signs = () => socket.take().filter((lines) => lines.includes("WATCHDOG=1")).length;

test("the life of a service, in the manager's words", () => {
	const { manager } = start();
	manager.ready("enforcing 3 policies");
	manager.reloading();
	manager.ready("enforcing 3 policies");
	manager.ready("enforcing\n4 policies");
	manager.stopping();
	expect(socket.take()).toEqual([
		["READY=1", "STATUS=enforcing 3 policies"],
		["RELOADING=1", "MONOTONIC_USEC=12"],
		["READY=1"],
		["READY=1", "STATUS=enforcing 4 policies"],
		["STOPPING=1", expect.stringContaining("STATUS=")],
	]);
});

test("the variables are taken out of the environment; without them nothing is sent", () => {
	const { environment } = start({ WATCHDOG_USEC: "1000000", WATCHDOG_PID: String(process.pid), HOME: "/" });
	expect(environment).toEqual({ HOME: "/" });
	const { manager: alone } = start({}, { WATCHDOG_USEC: "1000000" });
	expect(alone.beatMs).toBeNull();
	alone.watch(well);
	alone.ready("x");
	alone.stopping();
	expect(socket.take()).toEqual([]);
	expect(warnings).toEqual([]);
});

test("an address that is none is told, once, and harms nothing", () => {
	const { manager } = start({}, { NOTIFY_SOCKET: "notify" });
	manager.ready("x");
	expect(warnings).toHaveLength(1);
	expect(warnings[0]).toContain("NOTIFY_SOCKET");
});

test.each([
	["1000000", undefined, 500],
	["1000000", String(process.pid), 500],
	["1000000", "1", null],
	[undefined, undefined, null],
	["0", undefined, null],
	["-5", undefined, null],
	["1e6", undefined, null],
	["100", undefined, 50],
])("WATCHDOG_USEC=%p and WATCHDOG_PID=%p: a sign of life every %p ms", (period, pid, expected) => {
	const { manager } = start({ WATCHDOG_USEC: period, WATCHDOG_PID: pid });
	expect(manager.beatMs).toBe(expected);
});

test("signs of life come from the event loop: while it hangs there are none", async () => {
	const { manager } = start({ WATCHDOG_USEC: "100000" });
	manager.watch(well);
	expect(signs()).toBe(1);
	let seen = 0;
	await until(() => {
		seen += signs();
		return seen >= 3;
	}, "three signs of life");
	Bun.sleepSync(300);
	expect(signs()).toBe(0);
	await until(() => signs() > 0, "life to go on");
});

test("a thread that is stuck ends the signs of life, with a warning, until it works again", async () => {
	const { manager } = start({ WATCHDOG_USEC: "100000" });
	let reason = "the nft worker has been at one job for 301 s";
	manager.watch({ stuck: () => reason, status: () => "fine" });
	await Bun.sleep(200);
	expect(socket.take()).toEqual([["STATUS=fine"]]);
	expect(warnings).toEqual([expect.stringContaining(reason)]);
	reason = "";
	await until(() => signs() > 0, "a sign of life");
});

test("where nobody watches, the status line is kept up to date and no sign of life is sent", () => {
	const { manager } = start({ WATCHDOG_USEC: "100000", WATCHDOG_PID: "1" });
	manager.watch(well);
	expect(socket.take()).toEqual([["STATUS=fine"]]);
});

test("what finds the manager's queue full is sent with the next message", () => {
	const { manager } = start();
	for (let count = 0; count < 5000; count++) manager.ready(`status ${count}`);
	const arrived = socket.take();
	expect(arrived.length).toBeLessThan(5000);
	manager.stopping();
	const [last] = socket.take();
	expect(last).toEqual(["READY=1", expect.stringContaining("STATUS=stopping"), "STOPPING=1"]);
});

test("a status line is one line of bounded length", () => {
	const { manager } = start();
	manager.ready(`a\u202e\u2028${"x".repeat(10_000)}`);
	const [lines = []] = socket.take();
	expect(lines[1]).toStartWith("STATUS=a x");
	expect(lines[1]?.length).toBeLessThan(600);
});
