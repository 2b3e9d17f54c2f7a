import { expect, test } from "bun:test";
import { certificateMetrics } from "../../../src/report/metrics/certificate-metrics.ts";
import { formatFamilies } from "../../../src/report/metrics/exposition.ts";
import { familiesOf } from "../../../src/report/metrics/group.ts";
import { sampleSink } from "../sample-sink.ts";

test("when each certificate ends that is in use, and nothing for those that nobody knows", () => {
	const certificates = [
		{ name: "status", expires: 1_800_000_000_000 },
		{ name: "status-client-ca", expires: Number.NaN },
	];
	const sinks = [sampleSink, { ...sampleSink, name: "plain", certificateExpires: null }];
	const state = { certificates, sinks };
	expect(
		formatFamilies(familiesOf([certificateMetrics], { state }))
			.split("\n")
			.slice(2),
	).toEqual([
		'portward_certificate_expiry_timestamp_seconds{certificate="sink:siem"} 1900000000',
		'portward_certificate_expiry_timestamp_seconds{certificate="status"} 1800000000',
		"",
	]);
});
