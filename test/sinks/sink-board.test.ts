/** Sinks with their real transports, against receivers that hang, refuse, go and come back. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SinkSettings } from "../../src/config/sinks.ts";
import { SinkBoard } from "../../src/sinks/sink-board.ts";
import { SyslogServer, until } from "./support/receivers.ts";
import { lineOf, numbered, numbersOf, sinkSettings } from "./support/settings.ts";

let directory: string;
let board: SinkBoard;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-sinks."));
	board = new SinkBoard(() => {});
});
afterEach(async () => {
	await board.stop(0);
	rmSync(directory, { recursive: true, force: true });
});

const configure = (...sinks: readonly SinkSettings[]) =>
	board.configure({ sinks, stateDirectory: directory, version: "1.2.3" });
const offer = (from: number, count: number) =>
	board.offer(Array.from({ length: count }, (_, index) => lineOf(numbered(from + index))));
const state = (name: string) => {
	const found = board.states.find((each) => each.name === name);
	if (found === undefined) throw new Error(`no sink ${name}`);
	return found;
};
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

/** A webhook that takes alerts, or does not, as the test says. */
class Hook implements Disposable {
	readonly numbers: number[] = [];
	answers: "yes" | "no" | "never" = "yes";
	readonly #never = Promise.withResolvers<Response>();
	readonly #server;

	constructor(port = 0) {
		this.#server = Bun.serve({
			port,
			hostname: "127.0.0.1",
			fetch: async (request) => {
				if (this.answers === "never") return this.#never.promise;
				if (this.answers === "no") return new Response("", { status: 503 });
				this.numbers.push(...numbersOf(await request.text()));
				return new Response("");
			},
		});
	}

	get port(): number {
		return this.#server.port ?? 0;
	}

	get url(): string {
		return `http://127.0.0.1:${this.port}/`;
	}

	[Symbol.dispose](): void {
		this.#never.resolve(new Response(""));
		void this.#server.stop(true);
	}
}

const webhook = (url: string, more: Readonly<Record<string, unknown>> = {}) =>
	sinkSettings({ name: "hook", type: "webhook", url, ...more });

test("each sink gets what it wants, in its format, and says what it did", async () => {
	using hook = new Hook();
	await using syslog = await SyslogServer.open();
	await configure(
		webhook(hook.url),
		sinkSettings({
			name: "log",
			type: "syslog",
			address: `tcp://127.0.0.1:${syslog.port}`,
			format: "cef",
			minSeverity: 8,
		}),
	);
	offer(0, 5);
	board.offer([lineOf(numbered(5, { Severity: "9" })), "no alert", "{}"]);
	await until(() => state("hook").sent === 6 && state("log").sent === 1);
	expect(hook.numbers).toEqual(upTo(6));
	await until(() => syslog.messages.length === 1);
	expect(syslog.messages[0]).toMatch(
		/^<27>1 \S+ vm1 portward \d+ MatchedNetworkPolicy \[portward@32473 .*CEF:0\|/,
	);
	expect(state("hook")).toMatchObject({
		type: "webhook",
		error: "",
		diskError: "",
		queued: 0,
		errors: 0,
		dropped: { full: 0, refused: 0, lost: 0 },
	});
	expect(state("hook").lastSuccess).not.toBeNull();
});

test("a receiver that is down, then refuses, then never answers: nothing is lost, and no other sink waits", async () => {
	let hook = new Hook();
	const { port, url } = hook;
	hook[Symbol.dispose]();
	await using syslog = await SyslogServer.open();
	await configure(
		webhook(url),
		sinkSettings({ name: "log", type: "syslog", address: `tcp://127.0.0.1:${syslog.port}` }),
	);
	offer(0, 1000);
	await until(() => state("hook").state === "failing");
	expect(state("hook").queued).toBe(1000);
	hook = new Hook(port);
	hook.answers = "no";
	offer(1000, 1000);
	await until(() => state("hook").error === "the receiver answers 503");
	offer(2000, 1000);
	await until(() => state("log").sent === 3000);
	expect(state("hook")).toMatchObject({ queued: 3000, sent: 0, dropped: { full: 0 } });
	hook.answers = "yes";
	await until(() => state("hook").queued === 0);
	expect(hook.numbers).toEqual(upTo(3000));
	expect(numbersOf(syslog.messages.join("\n"))).toEqual(upTo(3000));
	expect(state("hook")).toMatchObject({ error: "", sent: 3000 });
	hook[Symbol.dispose]();
});

describe("a queue on disk", () => {
	test("is there for the next process, and what was sent is not sent again", async () => {
		using hook = new Hook();
		hook.answers = "no";
		await configure(webhook(hook.url));
		offer(0, 500);
		await until(() => state("hook").state === "failing");
		const next = new SinkBoard(() => {});
		await board.stop(0);
		hook.answers = "yes";
		await next.configure({ sinks: [webhook(hook.url)], stateDirectory: directory, version: "1" });
		await until(() => hook.numbers.length >= 500);
		await next.stop(1000);
		expect(hook.numbers).toEqual(upTo(500));
	});

	test("has a bound: what came later is refused and counted, what came first is sent", async () => {
		using hook = new Hook();
		hook.answers = "no";
		const bytes = 1024 * 1024;
		await configure(webhook(hook.url, { queue: { memory: 64 * 1024, disk: bytes } }));
		for (let from = 0; from < 6000; from += 500) offer(from, 500);
		const { queued, dropped } = state("hook");
		expect(queued + dropped.full).toBe(6000);
		expect(dropped.full).toBeGreaterThan(0);
		const queue = join(directory, "sinks", "hook");
		const used = readdirSync(queue).reduce((sum, name) => sum + statSync(join(queue, name)).size, 0);
		expect(used).toBeLessThanOrEqual(bytes + 64);
		expect(used).toBeGreaterThan(bytes * 0.7);
		hook.answers = "yes";
		await until(() => state("hook").queued === 0);
		expect(hook.numbers.slice(0, 1000)).toEqual(upTo(1000));
		expect(hook.numbers).toHaveLength(queued);
	});

	test("that cannot be opened is told, and memory stands in", async () => {
		writeFileSync(join(directory, "sinks"), "");
		using hook = new Hook();
		await configure(webhook(hook.url));
		expect(state("hook").diskError).not.toBe("");
		offer(0, 10);
		await until(() => hook.numbers.length === 10);
	});
});

describe("other settings while alerts wait", () => {
	test("another address gets what waited, in memory and on disk", async () => {
		using down = new Hook();
		using up = new Hook();
		down.answers = "no";
		for (const disk of [0, 1024 * 1024]) {
			up.numbers.length = 0;
			await configure(webhook(down.url, { queue: { disk } }));
			offer(0, 100);
			await until(() => state("hook").state === "failing");
			await configure(webhook(up.url, { queue: { disk } }));
			await until(() => up.numbers.length === 100);
			expect(up.numbers).toEqual(upTo(100));
			await until(() => state("hook").queued === 0);
		}
	});

	test("the same settings change nothing; a sink that is gone takes its queue along, which is told", async () => {
		using hook = new Hook();
		hook.answers = "no";
		await configure(webhook(hook.url));
		offer(0, 10);
		await until(() => state("hook").errors > 0);
		const { errors } = state("hook");
		await configure(webhook(hook.url));
		expect(state("hook").errors).toBeGreaterThanOrEqual(errors);
		expect(board.takeRemoved()).toEqual([]);
		mkdirSync(join(directory, "sinks", "stranger"));
		await configure();
		expect(board.states).toEqual([]);
		expect(board.takeRemoved()).toEqual([{ name: "hook", alerts: 10 }]);
		expect(board.takeRemoved()).toEqual([]);
		expect(readdirSync(join(directory, "sinks"))).toEqual([]);
	});
});

test("a receiver that never answers holds up neither another sink nor the end", async () => {
	using hung = new Hook();
	hung.answers = "never";
	using hook = new Hook();
	await configure(webhook(hung.url), sinkSettings({ name: "other", type: "webhook", url: hook.url }));
	offer(0, 100);
	await until(() => hook.numbers.length === 100);
	expect(state("hook").queued).toBe(100);
	await board.stop(50);
	expect(existsSync(join(directory, "sinks", "hook"))).toBe(true);
});
