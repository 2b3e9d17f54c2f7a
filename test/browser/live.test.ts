/** What comes in live moves nothing that is being read. */

import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { sampleAlert, sampleState } from "../report/sample.ts";
import { eventually } from "./chromium.ts";
import { closeAll, hostile, type Opened, openState } from "./support.ts";

setDefaultTimeout(180_000);
afterEach(closeAll);

const alert = (message: string) => sampleAlert({ Message: message });
const first = "body.rows[0]?.cells[3].textContent";

/** A page with more alerts than fit, scrolled to where they are read. */
async function reading(): Promise<Opened> {
	const opened = await openState(() => sampleState());
	const { page, sink } = opened;
	sink.publish(Array.from({ length: 50 }, (_, index) => alert(`old ${index}`)));
	await eventually(async () => (await page.evaluate(first)) === "old 49");
	await page.evaluate("window.scrollTo(0, document.body.scrollHeight)");
	await eventually(async () => Number(await page.evaluate("window.scrollY")) > 0);
	return opened;
}

test("new alerts wait where somebody reads, are announced, and are shown when asked for", async () => {
	const { page, sink } = await reading();
	const scrolled = await page.evaluate("window.scrollY");
	sink.publish([alert("new 1")]);
	await eventually(async () => (await page.evaluate("fresh.textContent")) === "1 new alert");
	sink.publish(Array.from({ length: 11 }, (_, index) => alert(`new ${index + 2}`)));
	await eventually(async () => (await page.evaluate("fresh.textContent")) === "12 new alerts");
	expect(await page.evaluate("fresh.closest('[role=status]') !== null && !fresh.hidden")).toBe(true);
	expect(await page.evaluate(first)).toBe("old 49");
	expect(await page.evaluate("window.scrollY")).toBe(scrolled);
	await page.evaluate("fresh.focus(); fresh.click()");
	expect(await page.evaluate(first)).toBe("new 12");
	expect(await page.evaluate("[fresh.hidden, body.rows.length]")).toEqual([true, 50]);
	// The keyboard goes on where the new ones are.
	expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toBe("Newest alerts");
	expect(page.messages).toEqual([]);
});

test("they come in by themselves when the reader is back at the top, and what is marked stays", async () => {
	const { page, sink } = await reading();
	sink.publish([alert(hostile)]);
	await eventually(async () => (await page.evaluate("fresh.textContent")) === "1 new alert");
	await page.evaluate("window.scrollTo(0, 0)");
	await eventually(async () => (await page.evaluate(first)) === hostile);
	await page.evaluate("document.getSelection().selectAllChildren(body.rows[3])");
	const marked = await page.evaluate("document.getSelection().toString()");
	sink.publish([alert("after")]);
	await eventually(async () => (await page.evaluate("fresh.hidden")) === false);
	expect(await page.evaluate("document.getSelection().toString()")).toBe(marked);
	expect(await page.evaluate(first)).toBe(hostile);
	await page.evaluate("document.getSelection().removeAllRanges()");
	await eventually(async () => (await page.evaluate(first)) === "after");
	expect(await page.evaluate("typeof window.owned")).toBe("undefined");
});
