/** The history of the policies and the tree of USB devices, by keyboard, without scripts and on a phone. */

import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import {
	largeGeneration,
	rolledBackGeneration,
	sampleGeneration,
} from "../report/generations/sample-generations.ts";
import { sampleDevice, sampleState } from "../report/sample.ts";
import { closeAll, hostile, openState, stateWithFlows } from "./support.ts";

setDefaultTimeout(180_000);
afterEach(closeAll);

const generations = [rolledBackGeneration, sampleGeneration, largeGeneration];

test("each change opens by the keyboard, and says what changed", async () => {
	const { page } = await openState(() => sampleState({ generations }));
	const entries = "[...document.querySelectorAll('#history details')]";
	expect(await page.evaluate(`${entries}.map((entry) => entry.open)`)).toEqual([false, false, false]);
	const summaries = `${entries}.map((entry) => entry.querySelector("summary").textContent)`;
	expect(await page.evaluate(summaries)).toEqual([
		"2026-02-23 04:31:35 rollback 8 rules, 2 verdicts of new connections",
		"2026-02-23 04:31:35 confirmed 8 rules, 2 verdicts of new connections",
		"2026-02-23 04:31:35 pending too large",
	]);
	await page.evaluate(`${entries}[1].querySelector("summary").focus()`);
	expect(await page.evaluate("document.activeElement.tagName")).toBe("SUMMARY");
	await page.press("Enter");
	expect(await page.evaluate(`${entries}.map((entry) => entry.open)`)).toEqual([false, true, false]);
	const shown = String(await page.evaluate(`${entries}[1].innerText`));
	expect(shown).toContain("Allow → Block: ingress tcp 443 on eth0 from 192.0.2.0/24 and 2 more");
	expect(shown).toContain("by process 9 of user 0");
	expect(page.messages).toEqual([]);
});

test.each([false, true])("nothing that others chose becomes markup, dark: %p", async (dark) => {
	const [box] = sampleGeneration.verdicts?.told ?? [];
	const [rule] = sampleGeneration.rules?.told ?? [];
	const [policy] = sampleState().policies;
	if (box === undefined || rule === undefined || policy === undefined) throw new Error("the sample has all");
	const confirmation = { asker: null, result: "confirmed" } as const;
	const generation = {
		...sampleGeneration,
		time: hostile,
		files: { told: [{ change: "added", file: hostile } as const], more: 0 },
		rules: { told: [{ ...rule, policy: hostile, list: hostile }], more: 0 },
		verdicts: { told: [{ ...box, protocol: hostile, interface: hostile, addresses: [hostile] }], more: 0 },
		confirmation: { ...confirmation, id: hostile, from: hostile, settled: hostile, how: hostile },
	};
	const device = {
		...sampleDevice,
		manufacturer: hostile,
		product: hostile,
		serial: hostile,
		reason: hostile,
		odd: [hostile],
		error: hostile,
		functions: sampleDevice.functions.map((item) => ({ ...item, policy: hostile, driver: hostile })),
	};
	const text = { file: hostile, path: hostile, message: hostile, hint: hostile, code: hostile };
	const diagnostic = { ...text, line: 1, column: 1, severity: "error" } as const;
	const over = {
		hostname: hostile,
		version: hostile,
		warnings: [hostile],
		readiness: { ready: false, body: hostile },
		panic: { since: hostile, reason: hostile },
		policies: [{ ...policy, name: hostile, file: hostile, diagnostics: [diagnostic] }],
		generations: [generation, { ...largeGeneration, problem: hostile, rollbackOf: hostile }],
	};
	const flows = stateWithFlows(() => ({ since: "", flows: [], merged: 0, lost: 0 }));
	const state = { ...sampleState(over, { usb: { devices: [device] } }) };
	const enforcers = [...flows.enforcers.slice(0, 1), ...state.enforcers.slice(1)];
	const { page } = await openState(() => ({ ...state, enforcers }), { dark, width: 500 });
	await page.evaluate("for (const entry of document.querySelectorAll('#history details')) entry.open = true");
	expect(await page.evaluate("document.scripts.length")).toBe(1);
	expect(await page.evaluate("document.querySelectorAll('svg, [onload], [onerror]').length")).toBe(0);
	expect(await page.evaluate("[...document.images].map((image) => image.getAttribute('src'))")).toEqual([
		"/v1/graph",
	]);
	expect(await page.evaluate("document.querySelector('#usb .device').textContent")).toContain(hostile);
	expect(await page.evaluate("document.querySelector('#history li li').textContent")).toContain(hostile);
	expect(await page.evaluate("typeof window.owned")).toBe("undefined");
	expect(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")).toBe(true);
	expect(page.messages).toEqual([]);
});

test("devices are a tree of lists, which says to whom nothing is drawn what hangs on what", async () => {
	const hub = { ...sampleDevice, port: "1-4", level: 1, product: "Hub" };
	const devices = [{ ...hub, port: "usb1", level: 0 }, hub, sampleDevice, { ...hub, port: "1-10" }];
	const { page } = await openState(() => sampleState({}, { usb: { devices } }));
	const parent =
		"[...document.querySelectorAll('.device')].map((each) => [each.querySelector('strong').textContent, each.parentElement.parentElement.parentElement.querySelector('strong, .hub').textContent.split(' ')[0]])";
	expect(await page.evaluate(parent)).toEqual([
		["1-4", "usb1"],
		["1-4.1", "1-4"],
		["1-10", "usb1"],
	]);
	const left = "[...document.querySelectorAll('.device')].map((each) => each.getBoundingClientRect().left)";
	const [hubLeft = 0, below = 0, beside = 0] = (await page.evaluate(left)) as number[];
	expect([below > hubLeft, beside]).toEqual([true, hubLeft]);
});
