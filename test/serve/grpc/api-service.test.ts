/** The main thread's end of KubeArmor's log service, with the real thread at the other one. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import type { KubearmorApiSettings } from "../../../src/config/kubearmor-api.ts";
import type { Logger } from "../../../src/report/log.ts";
import type { AlertLine } from "../../../src/report/sinks/alert-ring.ts";
import { ApiService } from "../../../src/serve/grpc/api-service.ts";
import { lineOf, numbered } from "../../sinks/support/settings.ts";
import { eventually } from "../../system/support/netns.ts";
import { ask, Client, clientCommand } from "./support/client.ts";

let service: ApiService;
let workers: Worker[];
const logged: string[] = [];
const note = (message: string) => void logged.push(message);
const log: Logger = { info: note, warn: note, error: note };
beforeEach(() => {
	workers = [];
	logged.length = 0;
	service = new ApiService({
		createWorker: () => {
			const worker = new Worker(new URL("../../../src/serve/grpc/grpc.worker.ts", import.meta.url));
			workers.push(worker);
			return worker;
		},
		checkPermissions: false,
		restartAfter: 100,
		now: () => 1_771_821_095_104,
		log,
	});
	service.begin({ identity: { clusterName: "c", hostName: "h" } });
});
afterEach(() => service.stop());

const off: KubearmorApiSettings = { address: null, healthAddress: null, tls: null };
const alerts = (...raised: readonly ReturnType<typeof numbered>[]): AlertLine[] =>
	raised.map((alert) => ({ policy: alert.PolicyName, action: "Audit", json: lineOf(alert) }));

function freeAddress(): string {
	const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	const { port } = listener;
	listener.stop(true);
	return `127.0.0.1:${port}`;
}

const serving = () => eventually("it is served", () => service.state?.state === "serving");
const watches = (address: string, method: string, count = 1) =>
	new Client(clientCommand(address, ["watch", method, '{"Filter":"all"}', String(count)]));
const watched = (feed: "alerts" | "logs" | "messages") =>
	eventually(feed, () => (service.state?.subscribers[feed] ?? 0) > 0);

test("no thread where it is off, and none after it was switched off", async () => {
	service.configure(off);
	service.write(alerts(numbered(1)));
	expect([service.state, workers.length]).toEqual([null, 0]);
	const address = freeAddress();
	service.configure({ ...off, address });
	expect(service.state).toMatchObject({ address, state: "starting" });
	await serving();
	expect(logged).toEqual(["KubeArmor's clients are served"]);
	service.configure(off);
	expect(service.state).toBeNull();
	expect(await ask(address, ["call", "HealthCheck", "{}"])).toMatchObject({ code: "UNAVAILABLE" });
	const next = freeAddress();
	service.configure({ ...off, address: next });
	await serving();
	expect(await ask(next, ["call", "HealthCheck", '{"nonce":1}'])).toEqual({ Retval: 1 });
	expect(workers).toHaveLength(2);
});

test("alerts, logs and messages each reach who watches them", async () => {
	const address = freeAddress();
	service.configure({ ...off, address });
	await serving();
	const telling = service.telling(log);
	telling.info("nobody hears this");
	using all = watches(address, "WatchAlerts", 2);
	using logs = watches(address, "WatchLogs");
	using messages = watches(address, "WatchMessages", 2);
	await watched("alerts");
	await watched("logs");
	await watched("messages");
	service.write(alerts(numbered(1), numbered(2, { Type: "HostLog" }), numbered(3, { Type: "SystemEvent" })));
	telling.warn("it is odd", { table: "kube armor" });
	telling.error("it is wrong");
	expect(await all.take(2)).toMatchObject([
		{ Message: "alert 1" },
		{ Message: "alert 3", Type: "SystemEvent" },
	]);
	expect(await logs.next()).toMatchObject({ Type: "HostLog", HostName: "vm1" });
	expect(await messages.take(2)).toMatchObject([
		{ Level: "WARN", Message: 'it is odd table="kube armor"', HostName: "h", Timestamp: "1771821095" },
		{ Level: "ERROR", Message: "it is wrong" },
	]);
	expect(logged).toEqual(["KubeArmor's clients are served", "nobody hears this", "it is odd", "it is wrong"]);
	await eventually("counts", () => service.state?.sent.messages === 2);
	expect(service.state?.sent).toEqual({ alerts: 2, logs: 1, messages: 2 });
});

test("5000 alerts at once reach two clients, none twice", async () => {
	const address = freeAddress();
	service.configure({ ...off, address });
	await serving();
	using first = watches(address, "WatchAlerts", 5000);
	using second = watches(address, "WatchAlerts", 5000);
	await eventually("both", () => service.state?.subscribers.alerts === 2);
	for (let from = 0; from < 5000; from += 500) {
		service.write(alerts(...Array.from({ length: 500 }, (_, index) => numbered(from + index))));
		const expected = Array.from({ length: 500 }, (_, index) => ({ Message: `alert ${from + index}` }));
		expect(await first.take(500)).toMatchObject(expected);
		expect(await second.take(500)).toMatchObject(expected);
	}
	expect(service.state?.dropped).toEqual({ slow: 0, busy: 0 });
});

test("what the thread does not come to is dropped and counted, and the caller waits for nothing", async () => {
	const address = freeAddress();
	service.configure({ ...off, address });
	await serving();
	using _client = watches(address, "WatchAlerts", 0);
	await watched("alerts");
	const many = alerts(...Array.from({ length: 10_000 }, (_, index) => numbered(index)));
	service.write(many);
	service.write(many);
	service.write(many);
	// The thread may have come to some of them meanwhile.
	expect(service.state?.dropped.busy).toBeGreaterThan(0);
	expect(service.state?.dropped.busy).toBeLessThanOrEqual(20_000);
});

test("a thread that ends is started again", async () => {
	const address = freeAddress();
	service.configure({ ...off, address });
	await serving();
	workers[0]?.terminate();
	await eventually("it is told", () => service.state?.error === "its thread ended");
	await eventually("another", () => workers.length === 2);
	await serving();
	expect(await ask(address, ["call", "HealthCheck", '{"nonce":8}'])).toEqual({ Retval: 8 });
	expect(logged).toContain("the thread of KubeArmor's log service ended, and is started again");
});

test("settings that would let everybody read are refused, and an address that is taken is told", async () => {
	service.configure({ ...off, address: "0.0.0.0:32767" });
	expect(service.state).toMatchObject({
		state: "refused",
		error: expect.stringContaining("everybody who can reach"),
	});
	expect(workers).toHaveLength(0);
	using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	service.configure({ ...off, address: `127.0.0.1:${taken.port}` });
	await eventually("a failure", () => service.state?.state === "failing");
	expect(logged.at(-1)).toBe("KubeArmor's clients are not served");
});
