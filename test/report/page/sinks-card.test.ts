import { expect, test } from "bun:test";
import { renderPage } from "../../../src/report/page/page.ts";
import { sinksCard } from "../../../src/report/page/sinks-card.ts";
import { unheardSink } from "../../../src/report/sink-status.ts";
import { sampleState } from "../sample.ts";
import { sampleSink } from "../sample-sink.ts";

const now = (sampleSink.lastSuccess ?? 0) + 3 * 3_600_000;
/** What a reader sees. */
const words = (sinks: Parameters<typeof sinksCard>[0]) =>
	sinksCard(sinks, now)
		.map(({ text }) =>
			text
				.replace(/<[^>]*>/g, " ")
				.replace(/\s+/g, " ")
				.trim(),
		)
		.join("");

test("each sink with its type, what waits, what is lost, why, and when it last sent", () => {
	const error = "<b>refused</b>\u202e";
	expect(words([{ ...sampleSink, error, diskError: "ENOSPC" }])).toBe(
		"Sinks siem webhook failing 3 waiting (900 B), 7 lost, last sent 3 hours ago &lt;b&gt;refused&lt;/b&gt;\\u{202e} disk: ENOSPC",
	);
	expect(words([unheardSink({ name: "journal", type: "journald" })])).toBe(
		"Sinks journal journald all sent nothing waits, none sent yet",
	);
});

test("the page has the card where there are sinks", () => {
	expect(renderPage(sampleState({ sinks: [sampleSink] }), [])).toContain('<section id="sinks">');
	expect(renderPage(sampleState(), [])).not.toContain('id="sinks"');
});
