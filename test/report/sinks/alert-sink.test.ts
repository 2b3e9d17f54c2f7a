import { expect, test } from "bun:test";
import { AlertRing } from "../../../src/report/sinks/alert-ring.ts";
import { AlertSink, type AlertSinkOptions } from "../../../src/report/sinks/alert-sink.ts";
import { sampleAlert } from "../sample.ts";

function sink(overrides: Partial<AlertSinkOptions> = {}): { sink: AlertSink; ring: AlertRing } {
	const ring = new AlertRing(10);
	return {
		ring,
		sink: new AlertSink({ ring, stdout: null, file: null, onFileState: () => {}, ...overrides }),
	};
}

test("every outlet gets every alert as one line that no terminal obeys", () => {
	const out: string[] = [];
	const file: string[] = [];
	const { sink: target, ring } = sink({
		stdout: {
			write(lines) {
				out.push(...lines);
				return 0;
			},
		},
		file: {
			write(lines) {
				file.push(...lines);
				return { dropped: 0, error: "" };
			},
		},
	});
	const stream: string[] = [];
	target.subscribe((lines) => {
		stream.push(...lines.map((line) => line.json));
		return 0;
	});
	const alert = sampleAlert({ Message: "line\nbreak \x1b[31m \u009b \u202e" });
	target.publish([alert]);
	expect(out).toEqual(file);
	expect(out).toHaveLength(1);
	expect(out[0]?.slice(0, -1)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
	expect(JSON.parse(out[0] ?? "")).toEqual(alert);
	expect(stream).toEqual([out[0]?.trimEnd() ?? ""]);
	expect(ring.query({ limit: 10, policy: null, action: null }).map((line) => line.json)).toEqual(stream);
});

test("counts by policy and action, and drops by reason", () => {
	const { sink: target } = sink({
		stdout: { write: () => 1 },
		sinks: { write: (lines) => lines.length - 1 },
		file: { write: (lines) => ({ dropped: lines.length, error: "ENOSPC" }) },
	});
	const leave = target.subscribe(() => 2);
	target.publish([sampleAlert(), sampleAlert(), sampleAlert({ PolicyName: "x y", Action: "Block" })]);
	leave();
	// A Block that is only told counts as what it is: nothing was refused.
	target.publish([sampleAlert({ Action: "Audit (Block)" })]);
	expect(target.counts()).toEqual([
		{ policy: "np1", action: "Audit", count: 3 },
		{ policy: "x y", action: "Block", count: 1 },
	]);
	expect(target.dropped()).toEqual({ stdout: 2, file: 4, stream: 2, sinks: 2 });
});

test("a file that fails is told once, and once when it works again", () => {
	let error = "ENOSPC";
	const told: string[] = [];
	const { sink: target } = sink({
		file: { write: (lines) => ({ dropped: error === "" ? 0 : lines.length, error }) },
		onFileState: (text) => told.push(text),
	});
	target.publish([sampleAlert()]);
	target.publish([sampleAlert()]);
	error = "";
	target.publish([sampleAlert()]);
	target.publish([sampleAlert()]);
	expect(told).toEqual(["ENOSPC", ""]);
});

test("the counts of a policy that is gone are kept for an hour, and go on where it comes back in time", () => {
	const { sink: target } = sink();
	const minute = 60_000;
	target.publish([sampleAlert(), sampleAlert({ PolicyName: "old" }), sampleAlert({ PolicyName: "back" })]);
	target.publish([sampleAlert({ PolicyName: "DefaultPosture" }), sampleAlert({ PolicyName: "" })]);
	const names = () => target.counts().map(({ policy }) => policy);
	target.retire(new Set(["np1"]), 0);
	target.retire(new Set(["np1", "back"]), 30 * minute);
	target.retire(new Set(["np1"]), 59 * minute);
	expect(names()).toEqual(["np1", "old", "back", "DefaultPosture", ""]);
	target.retire(new Set(["np1"]), 60 * minute);
	expect(names()).toEqual(["np1", "back", "DefaultPosture", ""]);
	expect(target.retired).toBe(1);
});

test("renaming for ever keeps ten thousand counts at most, the newest", () => {
	const { sink: target } = sink();
	for (let index = 0; index < 10_500; index++) target.publish([sampleAlert({ PolicyName: `p${index}` })]);
	expect(target.counts()).toHaveLength(9500);
	expect(target.counts().at(-1)?.policy).toBe("p10499");
	expect(target.counts()[0]?.policy).toBe("p1000");
	expect(target.retired).toBe(1000);
});

test("alerts are counted by what kind they are", () => {
	const { sink: target } = sink();
	target.publish([sampleAlert(), sampleAlert({ PolicyName: "np2" }), sampleAlert({ Severity: "7" })]);
	expect(target.kinds()).toEqual([
		{ type: "MatchedNetworkPolicy", operation: "NetworkFirewall", severity: "5", count: 2 },
		{ type: "MatchedNetworkPolicy", operation: "NetworkFirewall", severity: "7", count: 1 },
	]);
	// What no alert of ours can be shall not fill the memory either.
	target.publish(Array.from({ length: 2000 }, (_, index) => sampleAlert({ Severity: `${index}` })));
	expect(target.kinds()).toHaveLength(1000);
});
