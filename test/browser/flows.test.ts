/** Flows on the page: read when they are opened, searched, filtered and grouped in the browser. */

import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { FlowJson } from "../../src/enforcers/network/history/seen-flow.ts";
import { eventually, type Page, type PageOptions } from "./chromium.ts";
import { closeAll, hostile, openState, stateWithFlows } from "./support.ts";

setDefaultTimeout(180_000);
afterEach(closeAll);

const flow = (over: Partial<FlowJson> = {}): FlowJson => ({
	direction: "ingress",
	protocol: "tcp",
	remote: "10.0.1.7",
	port: 5432,
	interface: "eth0",
	hook: "input",
	guest: null,
	action: "Allow",
	policy: "database-only",
	count: 3,
	bytes: 1024,
	firstSeen: "2026-02-23T04:00:00.000Z",
	lastSeen: "2026-02-23T04:31:35.104Z",
	new: false,
	...over,
});
const answer = (...flows: FlowJson[]) => ({ since: "2026-02-01T00:00:00.000Z", flows, merged: 0, lost: 0 });

const some = [
	flow(),
	flow({ remote: "10.0.1.9", count: 40, lastSeen: "2026-02-23T05:00:00.000Z" }),
	flow({ remote: "192.0.2.9", port: 22, action: "Block", policy: "DefaultPosture", new: true, bytes: null }),
	flow({ direction: "egress", remote: "2001:db8::7", port: 53, protocol: "udp", guest: "172.17.0.2" }),
	flow({ remote: "2001:db8:0:0:1::9", port: null, protocol: "icmp", action: "Audit", policy: null }),
];

async function open(flows: () => object, options: PageOptions = {}): Promise<Page> {
	const { page } = await openState(() => stateWithFlows(flows), options);
	expect(page.requests.filter((request) => request.includes("/v1/flows"))).toEqual([]);
	await page.evaluate("document.getElementById('flows').open = true");
	await eventually(async () => String(await page.evaluate(said)).includes(" flows"));
	return page;
}

const said = "document.getElementById('flows-said').textContent";
const names = "[...document.querySelectorAll('#flows-rows td:first-child')].map((cell) => cell.textContent)";
const set = (control: string, value: string) =>
	`(() => { const control = document.getElementById("flows-${control}"); control.value = ${JSON.stringify(value)}; control.dispatchEvent(new Event("input")); return true; })()`;

describe("flows", () => {
	test("are sentences, newest first, with verdict, policy, count and bytes", async () => {
		const page = await open(() => ({ ...answer(...some), merged: 4, lost: 1 }));
		expect(await page.evaluate(names)).toEqual([
			"10.0.1.9 → tcp 5432 on eth0",
			"10.0.1.7 → tcp 5432 on eth0",
			"192.0.2.9 → tcp 22 on eth0 new",
			"guest 172.17.0.2 → udp 53 of 2001:db8::7 on eth0",
			"2001:db8:0:0:1::9 → icmp on eth0",
		]);
		const cells =
			"[...document.querySelectorAll('#flows-rows tr')[2].cells].map((cell) => cell.textContent.trim())";
		expect(await page.evaluate(cells)).toEqual([
			"192.0.2.9 → tcp 22 on eth0 new",
			"Block",
			"DefaultPosture",
			"3",
			"–",
			"2026-02-23 04:31:35",
		]);
		expect(await page.evaluate(said)).toBe(
			"5 of 5 flows since 2026-02-01 00:00:00; 4 merged into blocks of addresses; 1 lost",
		);
		expect(page.messages).toEqual([]);
	});

	test("are searched, filtered, ordered and grouped", async () => {
		const page = await open(() => answer(...some));
		const search = async (control: string, value: string) => {
			await page.evaluate(set(control, value));
			return page.evaluate(names);
		};
		expect(await search("search", "TCP 5432 10.0.1.7")).toEqual(["10.0.1.7 → tcp 5432 on eth0"]);
		expect(await search("search", "defaultposture")).toEqual(["192.0.2.9 → tcp 22 on eth0 new"]);
		await search("search", "");
		expect(await search("verdict", "Audit")).toHaveLength(1);
		await search("verdict", "");
		expect(await search("order", "count")).toEqual(expect.arrayContaining(["10.0.1.9 → tcp 5432 on eth0"]));
		expect(await search("group", "port")).toEqual([
			"ingress tcp 5432",
			"ingress tcp 22 new",
			"egress udp 53",
			"ingress icmp",
		]);
		expect(await search("group", "policy")).toEqual(["database-only", "DefaultPosture new", "unknown"]);
		expect(await search("group", "remote")).toHaveLength(5);
		await search("order", "name");
		expect(await search("group", "prefix")).toEqual(["10.0.1.0/24", "192.0.2.0/24 new", "2001:db8:0:0::/64"]);
		const first =
			"[...document.querySelector('#flows-rows tr').cells].map((cell) => cell.textContent.trim())";
		expect(await page.evaluate(first)).toEqual([
			"10.0.1.0/24",
			"Allow",
			"2",
			"43",
			"2,048",
			"2026-02-23 05:00:00",
		]);
		await page.evaluate("document.getElementById('flows-new').click()");
		expect(await page.evaluate(names)).toEqual(["192.0.2.0/24 new"]);
		expect(await page.evaluate(said)).toBe("1 of 5 flows in 1 groups since 2026-02-01 00:00:00");
	});

	test("that are new wait until they are asked for", async () => {
		let known = answer(...some);
		const page = await open(() => known);
		known = answer(flow({ remote: "10.0.9.9", lastSeen: "2026-02-24T00:00:00.000Z" }), ...some);
		await page.evaluate("document.getElementById('flows-search').focus()");
		const renewed = "document.getElementById('flows-renewed')";
		await eventually(async () => (await page.evaluate(`${renewed}.hidden`)) === false);
		expect(await page.evaluate(`${renewed}.textContent`)).toBe("Show 1 new");
		expect(await page.evaluate(names)).toHaveLength(5);
		await page.evaluate(`${renewed}.click()`);
		expect(await page.evaluate(names)).toHaveLength(6);
		expect(await page.evaluate("document.activeElement.id")).toBe("flows-search");
	});

	test("10 000 of them stay quick: so many rows are made as are asked for", async () => {
		const many = Array.from({ length: 10_000 }, (_, index) =>
			flow({ remote: `10.${index >> 8}.${index & 255}.1`, count: index + 1 }),
		);
		const page = await open(() => answer(...many));
		const rows = "document.querySelectorAll('#flows-rows tr').length";
		expect(await page.evaluate(rows)).toBe(200);
		await page.evaluate("document.getElementById('flows-more').click()");
		expect(await page.evaluate(rows)).toBe(400);
		await page.evaluate(set("search", "10.3.200.1"));
		expect(await page.evaluate(names)).toEqual(["10.3.200.1 → tcp 5432 on eth0"]);
		await page.evaluate(set("search", ""));
		await page.evaluate(set("group", "prefix"));
		expect(await page.evaluate(said)).toContain("10,000 of 10,000 flows in 10,000 groups");
	});

	test("are text, whatever stands in them, and fit a phone", async () => {
		const evil = {
			protocol: hostile,
			remote: hostile,
			interface: `${hostile}\u202e`,
			guest: hostile,
			action: hostile,
			policy: hostile,
			lastSeen: hostile,
		};
		const page = await open(() => ({ ...answer(), flows: [{ ...flow(), ...evil }], since: hostile }), {
			width: 500,
			dark: true,
		});
		for (const group of ["none", "remote", "port", "policy", "prefix"])
			await page.evaluate(set("group", group));
		await page.evaluate(set("group", "none"));
		expect(
			await page.evaluate("document.querySelectorAll('#flows script, #flows img, #flows svg').length"),
		).toBe(0);
		expect(String(await page.evaluate(names))).toContain("\\u{202e}");
		expect(await page.evaluate("typeof window.owned")).toBe("undefined");
		expect(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")).toBe(true);
		expect(page.messages).toEqual([]);
	});

	test("that cannot be read are said to be so", async () => {
		const { page } = await openState(() => stateWithFlows(() => ({ flows: null })));
		await page.evaluate("document.getElementById('flows').open = true");
		await eventually(async () => String(await page.evaluate(said)).includes("cannot be read"));
	});
});

test("where no enforcer has flows the page has no place for them", async () => {
	const { page } = await openState(() => stateWithFlows(null));
	expect(await page.evaluate("document.getElementById('flows')")).toBeNull();
});
