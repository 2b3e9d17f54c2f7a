import { expect, test } from "bun:test";
import { AlertThrottling } from "../../src/daemon/alert-throttling.ts";
import { AlertRing } from "../../src/report/sinks/alert-ring.ts";
import { AlertSink } from "../../src/report/sinks/alert-sink.ts";
import { sampleAlert } from "../report/sample.ts";
import { eventually } from "../system/support/netns.ts";

const identity = { clusterName: "c", hostName: "h", nodeId: "n" };
const many = (count: number) => Array.from({ length: count }, () => sampleAlert());

function throttled(settings: { alertThrottling: boolean; maxAlertPerSec: number; throttleSec: number }) {
	const ring = new AlertRing(100);
	const throttle = new AlertThrottling();
	const sink = new AlertSink({ ring, stdout: null, file: null, onFileState: () => {}, throttle });
	throttle.begin({ sink, identity, settings: () => settings });
	const told = () =>
		ring
			.query({ limit: 100, policy: null, action: null })
			.map(({ json }) => JSON.parse(json))
			.filter(({ Tags }) => Tags === "THROTTLED");
	return { ring, throttle, sink, told };
}

test("what was held back is counted as raised, and told when it is over", async () => {
	const { ring, throttle, sink, told } = throttled({
		alertThrottling: true,
		maxAlertPerSec: 2,
		throttleSec: 1,
	});
	sink.publish(many(10));
	expect(ring.size).toBe(2);
	expect(sink.counts()).toEqual([{ policy: "np1", action: "Audit", count: 10 }]);
	expect([sink.throttled, throttle.held]).toEqual([8, 8]);
	await eventually("a summary", () => told().length === 1, 60_000);
	expect(told()[0]).toMatchObject({ EventData: { Policy: "np1", Suppressed: "8", Seconds: "1" } });
	throttle.stop();
	expect(told()).toHaveLength(1);
});

test("other settings hold at once, and the end of the daemon tells what is left", () => {
	const settings = { alertThrottling: false, maxAlertPerSec: 1, throttleSec: 3600 };
	const { ring, throttle, sink, told } = throttled(settings);
	sink.publish(many(5));
	expect(ring.size).toBe(5);
	settings.alertThrottling = true;
	sink.publish(many(5));
	expect(ring.size).toBe(6);
	throttle.stop();
	expect(told()).toMatchObject([{ EventData: { Suppressed: "4" } }]);
});

test("before somebody can be told nothing is held back", () => {
	const throttle = new AlertThrottling();
	expect(throttle.admit(many(50))).toHaveLength(50);
	throttle.stop();
});
