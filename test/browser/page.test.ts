import { afterEach, describe, expect, test } from "bun:test";
import type { HttpServer } from "../../src/report/http/server.ts";
import { serve, url } from "../report/http/wire.ts";
import { sampleAlert, sampleSource, sampleState } from "../report/sample.ts";
import { eventually, openPage, type Page, type PageOptions } from "./chromium.ts";

const hostile = `"><script>window.owned=1</script><img src=x onerror="window.owned=1"><svg/onload=window.owned=1>'\${window.owned=1}`;

const pages: Page[] = [];
const servers: HttpServer[] = [];

afterEach(async () => {
	for (const page of pages.splice(0)) await page.close();
	for (const server of servers.splice(0)) server.stop();
});

async function open(options: PageOptions = {}) {
	const [policy] = sampleState().policies;
	if (policy === undefined) throw new Error("the sample has a policy");
	const state = sampleState({
		hostname: hostile,
		warnings: [hostile],
		readiness: { ready: false, body: hostile },
		policies: [{ ...policy, name: hostile, file: hostile }, policy],
	});
	const { source, sink } = sampleSource(() => state);
	sink.publish([sampleAlert({ PolicyName: hostile, Message: hostile })]);
	const { server } = await serve(source);
	servers.push(server);
	const page = await openPage(url(server, "/"), options);
	pages.push(page);
	return { page, sink, server };
}

describe("the status page in Chromium", () => {
	test("shows hostile names as text, live, and runs none of them", async () => {
		const { page, sink, server } = await open();
		expect(await page.evaluate("document.querySelector('header .host').textContent")).toContain(hostile);
		expect(await page.evaluate("document.querySelector('td.name strong').textContent")).toBe(hostile);
		expect(await page.evaluate("document.querySelector('.warnings li').textContent")).toBe(hostile);
		await eventually(async () => (await page.evaluate("live.textContent")) === "live");
		sink.publish([sampleAlert({ PolicyName: hostile, Message: `${hostile} \u202esecond`, Action: "Block" })]);
		await eventually(async () => (await page.evaluate("body.rows.length")) === 2);
		const newest = "[...body.rows[0].cells].map((cell) => cell.textContent)";
		expect(await page.evaluate(newest)).toEqual([
			"2026-02-23 04:31:35",
			"Block",
			hostile,
			"INGRESS",
			"SourceIP=192.0.2.7",
			`${hostile} \\u{202e}second`,
		]);
		expect(await page.evaluate("document.scripts.length + document.images.length")).toBe(1);
		expect(await page.evaluate("typeof window.owned")).toBe("undefined");
		expect(page.messages).toEqual([]);
		expect(
			page.requests.every((request) => request.startsWith(url(server, "/")) || request === "data:,"),
		).toBe(true);
	}, 60_000);

	test("keeps the newest 50 alerts", async () => {
		const { page, sink } = await open();
		await eventually(async () => (await page.evaluate("live.textContent")) === "live");
		sink.publish(Array.from({ length: 80 }, (_, index) => sampleAlert({ Message: `alert ${index}` })));
		await eventually(async () => (await page.evaluate("body.rows[0].cells[5].textContent")) === "alert 79");
		expect(await page.evaluate("body.rows.length")).toBe(50);
	}, 60_000);

	test("says that the stream broke, and goes on when it is back", async () => {
		const { page, server } = await open();
		await eventually(async () => (await page.evaluate("live.textContent")) === "live");
		server.stop();
		await eventually(async () => (await page.evaluate("live.textContent")) === "reconnecting");
		const { source, sink } = sampleSource();
		servers.push((await serve(source, {}, server.address)).server);
		await eventually(async () => (await page.evaluate("live.textContent")) === "live");
		sink.publish([sampleAlert({ Message: "after the break" })]);
		await eventually(
			async () => (await page.evaluate("body.rows[0].cells[5].textContent")) === "after the break",
		);
	}, 60_000);

	test("is complete without scripts", async () => {
		const { page } = await open({ scripts: false });
		expect(await page.evaluate("document.querySelectorAll('#alerts tr').length")).toBe(1);
		expect(await page.evaluate("document.getElementById('live').textContent")).toBe("reload to update");
		expect(await page.evaluate("document.querySelectorAll('section').length")).toBe(7);
	}, 60_000);

	test("fits a narrow screen, light and dark", async () => {
		const { page } = await open({ width: 500, dark: true });
		expect(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")).toBe(true);
		expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(18, 21, 27)");
	}, 60_000);
});
