import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AlertThrottle, throttleAlert } from "../../../src/report/sinks/throttle.ts";
import { sampleAlert } from "../sample.ts";

const on = { alertThrottling: true, maxAlertPerSec: 3, throttleSec: 30 };
const of = (policy: string, count: number) =>
	Array.from({ length: count }, () => sampleAlert({ PolicyName: policy }));

test("nothing is held back where throttling is off", () => {
	const throttle = new AlertThrottle();
	expect(throttle.admit(of("a", 1000), { ...on, alertThrottling: false }, 0)).toHaveLength(1000);
	expect([throttle.held, throttle.throttles]).toEqual([0, false]);
});

test("a policy that is too fast is silent for a while, another one is not, and the daemon itself never", () => {
	const throttle = new AlertThrottle();
	expect(throttle.admit(of("a", 3), on, 0)).toHaveLength(3);
	expect(throttle.admit([...of("a", 5), ...of("b", 2), ...of("", 9)], on, 900)).toHaveLength(11);
	expect(throttle.admit(of("a", 1), on, 30_000)).toEqual([]);
	expect(throttle.ended(on, 30_899)).toEqual([]);
	expect(throttle.throttles).toBe(true);
	expect(throttle.ended(on, 30_900)).toEqual([{ policy: "a", count: 6, seconds: 30 }]);
	expect(throttle.throttles).toBe(false);
	expect(throttle.admit(of("a", 4), on, 30_901)).toHaveLength(3);
	expect(throttle.held).toBe(7);
});

test("so many a second pass for ever", () => {
	const throttle = new AlertThrottle();
	for (let second = 0; second < 100; second++)
		expect(throttle.admit(of("a", 3), on, second * 1000)).toHaveLength(3);
	expect(throttle.held).toBe(0);
});

test("what is held back is told at once where throttling is switched off", () => {
	const throttle = new AlertThrottle();
	throttle.admit(of("a", 5), on, 0);
	expect(throttle.ended({ ...on, alertThrottling: false }, 1)).toMatchObject([{ policy: "a", count: 2 }]);
});

test("whatever comes: each alert passes or is told of as held back, and few pass within any second", () => {
	fc.assert(
		fc.property(
			fc.array(fc.record({ wait: fc.nat(2000), policy: fc.constantFrom("a", "b"), count: fc.nat(8) }), {
				maxLength: 60,
			}),
			(steps) => {
				const throttle = new AlertThrottle();
				const settings = { ...on, throttleSec: 2 };
				let [now, passed, told, raised] = [0, 0, 0, 0];
				const sum = () => throttle.ended(settings, now).reduce((total, { count }) => total + count, 0);
				for (const { wait, policy, count } of steps) {
					now += wait;
					told += sum();
					const some = throttle.admit(of(policy, count), settings, now).length;
					expect(some).toBeLessThanOrEqual(settings.maxAlertPerSec);
					passed += some;
					raised += count;
				}
				now += 2000;
				expect(passed + told + sum()).toBe(raised);
				expect(throttle.held).toBe(raised - passed);
			},
		),
	);
});

describe("more policies than are known at a time", () => {
	test("those that are throttled stay throttled", () => {
		const throttle = new AlertThrottle();
		throttle.admit(of("fast", 5), on, 0);
		for (let index = 0; index < 12_000; index++) throttle.admit(of(`p${index}`, 1), on, 1);
		expect(throttle.admit(of("fast", 1), on, 2)).toEqual([]);
	});
});

test("the alert says whose, how many and for how long", () => {
	const host = { clusterName: "c", hostName: "h", nodeId: "n" };
	const alert = throttleAlert({ policy: "a", count: 7, seconds: 30 }, 0, host);
	expect(alert).toMatchObject({
		PolicyName: "",
		Tags: "THROTTLED",
		Message: "7 alerts of policy a were held back for 30 s, as they came too fast",
		EventData: { Policy: "a", Suppressed: "7", Seconds: "30" },
	});
});
