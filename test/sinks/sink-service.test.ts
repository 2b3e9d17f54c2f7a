/** The main thread's end, with the real thread at the other one. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Alert } from "../../src/report/alert.ts";
import type { AlertLine } from "../../src/report/sinks/alert-ring.ts";
import { SegmentStore } from "../../src/sinks/queue/segments.ts";
import { SinkService } from "../../src/sinks/sink-service.ts";
import { until } from "./support/receivers.ts";
import { lineOf, numbered, numbersOf, sinkSettings } from "./support/settings.ts";

let directory: string;
let service: SinkService;
let workers: Worker[];
const logged: string[] = [];
const published: Alert[] = [];
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-service."));
	workers = [];
	logged.length = 0;
	published.length = 0;
	const note = (message: string) => void logged.push(message);
	service = new SinkService({
		createWorker: () => {
			const worker = new Worker(new URL("../../src/sinks/sinks.worker.ts", import.meta.url));
			workers.push(worker);
			return worker;
		},
		stateDirectory: directory,
		version: "1",
		restartAfter: 200,
		log: { info: note, warn: note, error: note },
	});
	service.begin({
		sink: { publish: (alerts) => void published.push(...alerts) },
		identity: { clusterName: "c", hostName: "h", nodeId: "n" },
	});
});
afterEach(async () => {
	await service.stop();
	rmSync(directory, { recursive: true, force: true });
});

const alerts = (from: number, count: number): AlertLine[] =>
	Array.from({ length: count }, (_, index) => ({
		policy: "np1",
		action: "Audit",
		json: lineOf(numbered(from + index)),
	}));

function receiver(numbers: number[], status = () => 200) {
	return Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		fetch: async (request) => {
			const body = await request.text();
			if (status() === 200) numbers.push(...numbersOf(body));
			return new Response("", { status: status() });
		},
	});
}

test("no thread without sinks; with them alerts arrive, and those of the last moment too", async () => {
	expect(service.write(alerts(0, 1))).toBe(0);
	expect(workers).toHaveLength(0);
	const numbers: number[] = [];
	using server = receiver(numbers);
	const hook = sinkSettings({ name: "hook", type: "webhook", url: `http://127.0.0.1:${server.port}/` });
	service.configure([hook]);
	service.configure([hook]);
	expect(workers).toHaveLength(1);
	expect(service.states).toMatchObject([{ name: "hook", state: "idle", sent: 0, lastSuccess: null }]);
	expect(service.write(alerts(0, 100))).toBe(0);
	await until(() => service.states[0]?.sent === 100);
	service.write(alerts(100, 1));
	await service.stop();
	expect(numbers.length === 101 || numbers.length === 100).toBe(true);
});

test("what fails is logged once, what is dropped is alerted, and what works again is logged", async () => {
	const numbers: number[] = [];
	let status = 503;
	using server = receiver(numbers, () => status);
	const url = `http://127.0.0.1:${server.port}/`;
	service.configure([
		sinkSettings({ name: "hook", type: "webhook", url, queue: { memory: 64 * 1024, disk: 0 } }),
	]);
	service.write(alerts(0, 1000));
	await until(() => published.length === 1);
	expect(published[0]).toMatchObject({
		PolicyName: "",
		Tags: "SINK",
		Resource: "sink hook",
		EventData: { Sink: "hook" },
	});
	expect(Number(published[0]?.EventData.Full)).toBe(service.states[0]?.dropped.full ?? 0);
	await until(() => logged.length === 1);
	expect(logged).toEqual(["alerts do not reach a sink"]);
	status = 200;
	await until(() => logged.length === 2);
	expect(logged[1]).toBe("alerts reach a sink again");
	expect(numbers[0]).toBe(0);
});

test("a thread that ends is told and started again, and its alerts on disk are still there", async () => {
	const numbers: number[] = [];
	let status = 503;
	using server = receiver(numbers, () => status);
	service.configure([
		sinkSettings({ name: "hook", type: "webhook", url: `http://127.0.0.1:${server.port}/` }),
	]);
	service.write(alerts(0, 50));
	await until(() => service.states[0]?.queued === 50);
	workers[0]?.terminate();
	await until(() => service.states[0]?.error === "their thread ended");
	expect(service.write(alerts(50, 1))).toBe(1);
	status = 200;
	await until(() => numbers.length === 50);
	expect(logged).toContain("the thread of the sinks ended, and is started again");
});

test("a thread that does not come to its alerts gets no more than it should", async () => {
	service.configure([sinkSettings({ name: "j", type: "journald", address: `unix:${directory}/none` })]);
	expect(service.write(alerts(0, 15_000))).toBeGreaterThanOrEqual(5000);
});

test("sinks that are no longer wanted end with their thread, and what waited for them is told", async () => {
	using server = receiver([], () => 503);
	service.configure([
		sinkSettings({ name: "hook", type: "webhook", url: `http://127.0.0.1:${server.port}/` }),
	]);
	service.write(alerts(0, 7));
	await until(() => service.states[0]?.queued === 7);
	service.configure([]);
	expect(service.states).toEqual([]);
	await until(() => published.length === 1);
	expect(published[0]?.EventData).toMatchObject({ Sink: "hook", Lost: "7" });
	expect(service.write(alerts(7, 1))).toBe(0);
});

test("queues that an earlier process left go where no sink is wanted any more, which is told", async () => {
	const sinks = join(directory, "sinks");
	const queue = new SegmentStore(join(sinks, "former"), 1 << 20);
	queue.append([lineOf(numbered(0)), lineOf(numbered(1))]);
	queue.close();
	service.configure([]);
	await until(() => published.length === 1);
	expect(published[0]?.EventData).toMatchObject({ Sink: "former", Lost: "2" });
	expect(readdirSync(sinks)).toEqual([]);
	service.configure([]);
	expect(workers).toHaveLength(1);
});

test("no thread where no sink is wanted and none was", () => {
	service.configure([]);
	expect(workers).toHaveLength(0);
});
