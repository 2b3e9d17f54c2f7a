import { expect, test } from "bun:test";
import {
	observingFields,
	observingMetrics,
	watchingNothing,
} from "../../../../../src/enforcers/network/report/history/observing.ts";
import { familiesOf } from "../../../../../src/report/metrics/group.ts";

const observing = {
	enabled: true,
	reason: "",
	flows: 5,
	maxFlows: 100,
	merged: 2,
	lost: 1,
	newFlows: 3,
	since: 1000,
	pollMs: 250,
	elements: 9,
};

test("status says how watching goes", () => {
	expect(observingFields(observing)).toEqual({
		enabled: true,
		reason: "",
		since: "1970-01-01T00:00:01.000Z",
		flows: 5,
		maxFlows: 100,
		merged: 2,
		lost: 1,
		new: 3,
	});
	expect(observingFields({ ...watchingNothing, reason: "off" })).toMatchObject({
		enabled: false,
		since: null,
	});
});

test("metrics count the same", () => {
	const values = familiesOf([observingMetrics], { observing }).map((family) =>
		family.type === "histogram" ? null : family.samples[0]?.value,
	);
	expect(values).toEqual([5, 100, 2, 1, 3, 0.25]);
});
