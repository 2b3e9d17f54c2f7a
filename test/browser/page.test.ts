import { afterEach, describe, expect, test } from "bun:test";
import type { Zone } from "../../src/enforcers/network/compile/verdict/zones.ts";
import { svg } from "../../src/enforcers/network/report/graph/svg.ts";
import { PageSessions } from "../../src/serve/http/page-sessions.ts";
import type { HttpServer } from "../../src/serve/http/server.ts";
import { sampleAlert, sampleDevice, sampleSource, sampleState } from "../report/sample.ts";
import { serve, url } from "../serve/http/wire.ts";
import { eventually, openPage, type Page, type PageOptions } from "./chromium.ts";

const hostile = `"><script>window.owned=1</script><img src=x onerror="window.owned=1"><svg/onload=window.owned=1>'\${window.owned=1}`;

const openPages: Page[] = [];
const servers: HttpServer[] = [];

afterEach(async () => {
	for (const page of openPages.splice(0)) await page.close();
	for (const server of servers.splice(0)) server.stop();
});

async function open(options: PageOptions = {}) {
	const [policy] = sampleState().policies;
	if (policy === undefined) throw new Error("the sample has a policy");
	const state = sampleState(
		{
			hostname: hostile,
			warnings: [hostile],
			readiness: { ready: false, body: hostile },
			policies: [{ ...policy, name: hostile, file: hostile }, policy],
		},
		{ usb: { devices: [sampleDevice] } },
	);
	const { source, sink } = sampleSource(() => state);
	sink.publish([sampleAlert({ PolicyName: hostile, Message: hostile })]);
	const { server } = await serve(source);
	servers.push(server);
	const page = await openPage(url(server, "/"), options);
	openPages.push(page);
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
			"2026-02-23 04:31:35.104",
			"Block",
			`192.0.2.7 → what cannot be read: blocked by ${hostile}`,
			`${hostile} \\u{202e}second`,
		]);
		expect(await page.evaluate("document.scripts.length")).toBe(1);
		expect(await page.evaluate("[...document.images].map((image) => image.getAttribute('src'))")).toEqual([
			"/v1/graph",
		]);
		expect(await page.evaluate("typeof window.owned")).toBe("undefined");
		expect(page.messages).toEqual([]);
		expect(
			page.requests.every((request) => request.startsWith(url(server, "/")) || request === "data:,"),
		).toBe(true);
	});

	test("keeps the newest 50 alerts", async () => {
		const { page, sink } = await open();
		await eventually(async () => (await page.evaluate("live.textContent")) === "live");
		sink.publish(Array.from({ length: 80 }, (_, index) => sampleAlert({ Message: `alert ${index}` })));
		await eventually(async () => (await page.evaluate("body.rows[0].cells[3].textContent")) === "alert 79");
		expect(await page.evaluate("body.rows.length")).toBe(50);
	});

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
			async () => (await page.evaluate("body.rows[0].cells[3].textContent")) === "after the break",
		);
	});

	test("is complete without scripts", async () => {
		const { page } = await open({ scripts: false });
		expect(await page.evaluate("document.querySelectorAll('#alerts tr').length")).toBe(1);
		expect(await page.evaluate("document.getElementById('live').textContent")).toBe("reload to update");
		const titles =
			"[...document.querySelectorAll('section h2')].map((title) => title.firstChild.textContent.trim())";
		expect(await page.evaluate(titles)).toEqual(
			expect.arrayContaining([
				"Network",
				"USB",
				"Policies",
				"USB devices",
				"Changes of the policies",
				"Newest alerts",
			]),
		);
	});

	test.each([false, true])(
		"draws the policies when the reader asks, without scripts, dark: %p",
		async (dark) => {
			const zone: Zone = {
				direction: "ingress",
				interface: hostile,
				addresses: ["10.0.0.0/8"],
				rest: false,
				otherwise: "Block",
				services: [{ protocol: "tcp", ports: [22, 22], action: "Allow" }],
			};
			const drawing = svg([zone], hostile);
			const state = sampleState({}, { network: { graph: async () => ({ ok: true, svg: drawing }) } });
			const { server } = await serve(sampleSource(() => state).source);
			servers.push(server);
			const page = await openPage(url(server, "/"), { dark, width: 800 });
			openPages.push(page);
			const graph = url(server, "/v1/graph");
			const image = "document.querySelector('details > img')";
			await eventually(async () => (await page.evaluate("live.textContent")) === "live");
			expect(page.requests).not.toContain(graph);
			await page.evaluate("document.querySelector('details').open = true");
			await eventually(
				async () => (await page.evaluate(`${image}.complete && ${image}.naturalWidth`)) === 920,
			);
			expect(page.requests).toContain(graph);
			// Its own style holds: the ground is the one of the reader's colours.
			const ground = `(() => { const canvas = document.createElement("canvas"); canvas.width = canvas.height = 1;
				const context = canvas.getContext("2d"); context.drawImage(${image}, 0, 0);
				return [...context.getImageData(0, 0, 1, 1).data]; })()`;
			expect(await page.evaluate(ground)).toEqual(dark ? [13, 17, 23, 255] : [255, 255, 255, 255]);
			expect(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")).toBe(true);
			expect(await page.evaluate("typeof window.owned")).toBe("undefined");
			expect(page.messages).toEqual([]);
			const alone = await openPage(graph, { dark });
			openPages.push(alone);
			expect(await alone.evaluate("document.querySelectorAll('text')[0].textContent")).toBe(hostile);
			expect(await alone.evaluate("document.querySelectorAll('script, img, [onload]').length")).toBe(0);
			expect(await alone.evaluate("getComputedStyle(document.querySelector('text')).fill")).toBe(
				dark ? "rgb(230, 237, 243)" : "rgb(31, 35, 40)",
			);
			expect(alone.messages).toEqual([]);
		},
		60_000,
	);

	test("a link of portward page opens it in the browser, live, and nobody else reads it", async () => {
		const { source, sink } = sampleSource();
		const pages = new PageSessions();
		const { server } = await serve(source, {}, undefined, { detail: "metrics-only", pages });
		servers.push(server);
		const page = await openPage(url(server, pages.issue()));
		openPages.push(page);
		await eventually(async () => (await page.evaluate("live.textContent")) === "live");
		sink.publish([sampleAlert({ Message: "over the link" })]);
		await eventually(
			async () => (await page.evaluate("body.rows[0]?.cells[3].textContent")) === "over the link",
		);
		expect(await page.evaluate("location.pathname")).toBe("/");
		expect(await page.evaluate("document.cookie")).toBe("");
		expect(page.messages).toEqual([]);
		expect((await fetch(url(server, "/"))).status).toBe(403);
	});

	test("says ready once, with milliseconds and without escapes, and sentence and message have the most room", async () => {
		const state = sampleState(
			{ readiness: { ready: true, body: "ready: what is on disk is enforced" } },
			{ usb: { devices: [sampleDevice] } },
		);
		const { source, sink } = sampleSource(() => state);
		const long = "a message of the policy's author that says what happened and what to do about it";
		const given = { Message: long };
		sink.publish([sampleAlert(given)]);
		const { server } = await serve(source);
		servers.push(server);
		const page = await openPage(url(server, "/"), { width: 1300 });
		openPages.push(page);
		await eventually(async () => (await page.evaluate("live.textContent")) === "live");
		sink.publish([sampleAlert(given)]);
		await eventually(async () => (await page.evaluate("body.rows.length")) === 2);
		expect(await page.evaluate("document.querySelector('header .ready').textContent")).toBe(
			"ready what is on disk is enforced",
		);
		for (const row of [0, 1]) {
			const cells = `[...body.rows[${row}].cells].map((cell) => cell.textContent)`;
			expect(await page.evaluate(cells)).toEqual([
				"2026-02-23 04:31:35.104",
				"Audit",
				"192.0.2.7 → what cannot be read: passed, audited by np1",
				long,
			]);
		}
		const widths = await page.evaluate(
			"[...body.rows[0].cells].map((cell) => cell.getBoundingClientRect().width)",
		);
		const [message = 0, sentence = 0, ...others] = (widths as number[]).toReversed();
		expect(Math.min(message, sentence)).toBeGreaterThan(Math.max(...others));
		const text = String(await page.evaluate("document.body.innerText"));
		for (const word of ["Generation", "Elements", "\\x20", "no-interface-left", "ready ready"])
			expect(text).not.toContain(word);
	});

	test.each([true, false])(
		"a phone shows every column of every table, dark: %p",
		async (dark) => {
			const { page } = await open({ width: 500, dark });
			const cut = `[...document.querySelectorAll("td")].filter((cell) => {
			const { left, right, width } = cell.getBoundingClientRect();
			return width > 0 && (left < 0 || right > window.innerWidth);
		}).length`;
			expect(await page.evaluate(cut)).toBe(0);
			expect(
				await page.evaluate("[...document.querySelectorAll('td')].every((cell) => cell.dataset.label)"),
			).toBe(true);
			expect(
				await page.evaluate(
					"[...document.querySelectorAll('.scroll')].every((each) => each.scrollWidth <= each.clientWidth)",
				),
			).toBe(true);
		},
		60_000,
	);

	test.each([1200, 800, 500])(
		"the facts of a card are readable %p pixels wide",
		async (width) => {
			const { page } = await open({ width });
			const narrow =
				"[...document.querySelectorAll('dd')].filter((fact) => fact.getBoundingClientRect().width < 100).length";
			expect(await page.evaluate(narrow)).toBe(0);
		},
		60_000,
	);

	test("what scrolls takes the keyboard's focus, has a name, and shows that it goes on", async () => {
		const { page } = await open({ width: 800 });
		const regions = "[...document.querySelectorAll('.scroll')]";
		expect(await page.evaluate(`${regions}.every((each) => each.tabIndex === 0 && each.ariaLabel)`)).toBe(
			true,
		);
		expect(await page.evaluate(`${regions}.some((each) => each.scrollWidth > each.clientWidth)`)).toBe(true);
		const focused =
			"document.querySelector('.scroll').focus(), document.activeElement.getAttribute('aria-label')";
		expect(await page.evaluate(focused)).toBe("Policies");
		expect(
			await page.evaluate("getComputedStyle(document.querySelector('.scroll')).backgroundImage"),
		).toContain("gradient");
	});

	test("fits a narrow screen, light and dark", async () => {
		const { page } = await open({ width: 500, dark: true });
		expect(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")).toBe(true);
		expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(18, 21, 27)");
	});
});
