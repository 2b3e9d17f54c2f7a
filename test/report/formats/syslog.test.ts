import { expect, test } from "bun:test";
import fc from "fast-check";
import { localSyslog, rfc5424, syslogSeverity } from "../../../src/report/formats/syslog.ts";
import { sampleAlert } from "../sample.ts";

test("a message of RFC 5424, with its severity, header and structured data", () => {
	expect(rfc5424(sampleAlert({ Severity: "8" }), "text", 12)).toBe(
		'<27>1 2026-02-23T04:31:35.104233Z vm1 portward 12 MatchedNetworkPolicy [portward@32473 policy="np1" action="Audit" severity="8" operation="NetworkFirewall" resource="INGRESS" result="Passed"] text',
	);
	expect(
		[1, 2, 3, 4, 5, 7, 8, 9, 10].map((severity) => syslogSeverity({ Severity: String(severity) })),
	).toEqual([6, 6, 5, 5, 4, 4, 3, 3, 2]);
});

test("the form of syslog(3), in the host's own time", () => {
	const time = new Date(2026, 1, 3, 4, 5, 6);
	const alert = sampleAlert({ Timestamp: time.getTime() / 1000 });
	expect(localSyslog(alert, "text", 12)).toBe("<28>Feb  3 04:05:06 portward[12]: text");
});

/** RFC 5424, 6: header, then one element of structured data whose values have `"`, `\` and `]` escaped. */
const grammar =
	/^<(\d{1,3})>1 (\S+) ([\x21-\x7e]{1,255}) portward \d+ ([\x21-\x7e]{1,32}) \[portward@32473((?: [a-z]+="(?:[^"\\\]\p{Cc}]|\\["\\\]])*")*)\] text$/u;

test("whatever words stand in an alert, the message is one of the grammar, and its values are the words", () => {
	const text = fc.oneof(
		fc.string({ unit: "binary", maxLength: 40 }),
		fc.constantFrom('"]', "\\", "\n<1>1 ", "a b"),
	);
	fc.assert(
		fc.property(text, text, (PolicyName, HostName) => {
			const found = grammar.exec(rfc5424(sampleAlert({ PolicyName, HostName }), "text", 1));
			expect(found).not.toBeNull();
			const value = / policy="((?:[^"\\]|\\.)*)"/su.exec(found?.[5] ?? "")?.[1] ?? "";
			expect(value.replace(/\\(.)/gsu, "$1")).toBe(PolicyName.replace(/[\p{Cc}\u2028\u2029]/gu, " "));
		}),
		{ numRuns: 300 },
	);
});
