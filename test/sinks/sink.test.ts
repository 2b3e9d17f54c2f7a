/** One sink and its queue, with transports that fail as none should. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AlertQueue } from "../../src/sinks/queue/alert-queue.ts";
import { SegmentStore } from "../../src/sinks/queue/segments.ts";
import { noCounts, Sink } from "../../src/sinks/sink.ts";
import { allSent, type Outgoing, type Transport } from "../../src/sinks/transport.ts";
import { until } from "./support/receivers.ts";
import { lineOf, numbered, sinkSettings } from "./support/settings.ts";

let directory: string;
const sinks: Sink[] = [];
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-sink."));
});
afterEach(async () => {
	for (const sink of sinks.splice(0)) await sink.close();
	rmSync(directory, { recursive: true, force: true });
});

/** Takes what it is given, once it has failed as often as it should. */
class Receiver implements Transport {
	readonly most = { alerts: 100, bytes: 1 << 20 };
	readonly gather = 0;
	readonly texts: string[] = [];
	failures = 0;

	async send(batch: readonly Outgoing[]) {
		if (this.failures-- > 0) throw new Error("a bug");
		this.texts.push(...batch.map(({ text }) => text));
		return allSent(batch.length);
	}

	close(): void {}
}

function open(transport: Transport, queue: AlertQueue, more: Readonly<Record<string, unknown>> = {}): Sink {
	const settings = sinkSettings({ name: "s", type: "webhook", url: "http://127.0.0.1:1/", ...more });
	const counts = noCounts();
	const backoff = { least: 1, most: 20 };
	const sink = new Sink({ settings, transport, queue, version: "1", counts, changed: () => {}, backoff });
	sinks.push(sink);
	return sink;
}

const read = (...alerts: readonly ReturnType<typeof numbered>[]) =>
	alerts.map((alert) => ({ alert, json: lineOf(alert) }));

test("a transport that throws is one that failed: the alert waits, and is sent again", async () => {
	const receiver = new Receiver();
	receiver.failures = 1;
	const sink = open(receiver, new AlertQueue(1 << 20, null));
	sink.offer(read(numbered(0)));
	await until(() => sink.state.sent === 1);
	expect(sink.state).toMatchObject({ queued: 0, errors: 1 });
	expect(receiver.texts).toHaveLength(1);
});

test("a queue that cannot be opened is tried again after a while, and then all of it is sent", async () => {
	const place = join(directory, "queue");
	const queue = new AlertQueue(1 << 20, new SegmentStore(place, 1 << 20));
	queue.push([lineOf(numbered(0)), lineOf(numbered(1))]);
	const segment = join(place, readdirSync(place).find((name) => name.endsWith(".jsonl")) ?? "");
	const aside = join(directory, "aside");
	renameSync(segment, aside);
	symlinkSync(aside, segment);
	const receiver = new Receiver();
	const sink = open(receiver, queue);
	await until(() => sink.state.errors > 2);
	expect(sink.state).toMatchObject({ state: "failing", queued: 2, dropped: { lost: 0 } });
	expect(sink.state.error).toContain("ELOOP");
	rmSync(segment);
	renameSync(aside, segment);
	await until(() => sink.state.sent === 2);
	expect(sink.state).toMatchObject({ queued: 0, error: "" });
	await sink.close();
	queue.close();
});

test("an alert that no event can be made of is lost, and those behind it are sent", async () => {
	const receiver = new Receiver();
	const queue = new AlertQueue(1 << 20, null);
	const device = lineOf(numbered(0, { Operation: "Device" }));
	const strange = JSON.stringify({ ...numbered(1, { Operation: "Device" }), Result: "Postponed" });
	queue.push([device, strange, strange, device]);
	const sink = open(receiver, queue, { format: "ocsf" });
	await until(() => sink.state.queued === 0);
	expect(sink.state).toMatchObject({ sent: 2, errors: 0, dropped: { lost: 2, refused: 0 } });
	expect(receiver.texts).toHaveLength(2);
});
