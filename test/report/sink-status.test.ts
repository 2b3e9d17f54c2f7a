import { expect, test } from "bun:test";
import { droppedOf, sinkAlert, sinkStatus, sinkWarnings, unheardSink } from "../../src/report/sink-status.ts";
import { sampleSink } from "./sample-sink.ts";

test("a sink that fails, and a disk that takes no queue, are warnings; a sink that works is none", () => {
	expect(sinkWarnings([sampleSink])).toEqual([
		"alerts do not reach sink siem: the receiver answers 503; 3 wait in its queue",
	]);
	expect(sinkWarnings([{ ...sampleSink, state: "idle", diskError: "ENOSPC" }])).toEqual([
		"the queue of sink siem is in memory alone, as the disk does not take it: ENOSPC",
	]);
	expect(
		sinkWarnings([{ ...sampleSink, state: "sending" }, unheardSink({ name: "a", type: "syslog" })]),
	).toEqual([]);
});

test("the status has the time as one reads it", () => {
	expect(sinkStatus(sampleSink).lastSuccess).toBe("2026-02-23T04:31:35.104Z");
	expect(sinkStatus(unheardSink(sampleSink)).lastSuccess).toBeNull();
	expect(droppedOf(sampleSink)).toBe(7);
});

test("the alert tells of what grew", () => {
	const host = { clusterName: "c", hostName: "h", nodeId: "n" };
	const alert = sinkAlert(sampleSink, { full: 1, refused: 0, lost: 0 }, 0, host);
	expect(alert.Message).toBe("1 alert did not reach sink siem and never will");
	expect(alert.EventData).toEqual({
		Sink: "siem",
		Full: "1",
		Queued: "3",
		Error: "the receiver answers 503",
	});
});
