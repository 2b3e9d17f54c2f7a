import { expect, test } from "bun:test";
import { Observer } from "../../../src/threads/observer.ts";
import type { ReadyMessage } from "../../../src/threads/observer-protocol.ts";
import { until } from "../support/isolated.ts";

type Report = ReadyMessage | { readonly kind: "echo"; readonly handled: number };

interface Outcome {
	readonly reports: Report[];
	readonly errors: string[];
	readonly observer: Observer;
}

function start(behaviour: string): Outcome {
	const reports: Report[] = [];
	const errors: string[] = [];
	const worker = new Worker(new URL("../support/stub.worker.ts", import.meta.url));
	const started = Observer.start<string, Report>(worker, behaviour, {
		report: (report) => reports.push(report),
		ended: (error) => errors.push(error),
	});
	if (!started.ok) throw new Error(started.error);
	return { reports, errors, observer: started.observer };
}

test("a Worker that waits is told to stop and ends without an error", async () => {
	const { reports, errors, observer } = start("wait");
	await until(() => reports.length === 1, "ready");
	await observer.stop();
	expect(errors).toEqual([]);
});

test("a Worker that does not heed the stop is terminated", async () => {
	const { reports, errors, observer } = start("deaf");
	await until(() => reports.length === 1, "ready");
	await observer.stop();
	expect(errors).toEqual([]);
});

test("a failure is told with its reason", async () => {
	const { errors } = start("fail");
	await until(() => errors.length > 0, "the end");
	expect(errors).toEqual(["out of luck"]);
});

test("an exception is told with its message, and the main thread lives on", async () => {
	const { errors } = start("throw");
	await until(() => errors.length > 0, "the end");
	expect(errors).toEqual([expect.stringContaining("a bug")]);
});

test("a Worker that just exits is told too", async () => {
	const { errors } = start("exit");
	await until(() => errors.length > 0, "the end");
	expect(errors).toEqual(["the Worker ended without a word"]);
});

test("stopping what has ended already returns", async () => {
	const { errors, observer } = start("exit");
	await until(() => errors.length > 0, "the end");
	await observer.stop();
	await observer.stop();
});

test("the Worker sees how many messages the main thread has dealt with", async () => {
	const { reports, observer } = start("count");
	await until(() => reports.length === 2, "the count");
	expect(reports[1]).toEqual({ kind: "echo", handled: 1 });
	await observer.stop();
});
