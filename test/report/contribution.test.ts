/** An enforcer that nobody knows by name is told of wherever the others are. */

import { expect, test } from "bun:test";
import { readiness } from "../../src/daemon/readiness.ts";
import { statusLine } from "../../src/daemon/vitals.ts";
import type { EnforcerReport } from "../../src/report/contribution.ts";
import { familiesOf, type MetricGroup, one } from "../../src/report/metrics/group.ts";
import { renderMetrics } from "../../src/report/metrics/metrics.ts";
import { html } from "../../src/report/page/html.ts";
import { renderPage } from "../../src/report/page/page.ts";
import { enforcerCard } from "../../src/report/page/parts.ts";
import { jsonReply } from "../../src/report/reply.ts";
import { type PolicyState, policyStates, statusDocument } from "../../src/report/status.ts";
import { route } from "../../src/serve/http/routes.ts";
import { metricsInput } from "./metrics/input.ts";
import { sampleSource, sampleState } from "./sample.ts";

const doors: MetricGroup<number> = [
	{
		name: "portward_doors",
		type: "gauge",
		help: "Doors.",
		labels: [],
		since: "0.2.0",
		samples: (count) => one(count),
	},
];

const third: EnforcerReport = {
	name: "doors",
	label: "doors",
	state: { state: "active", reason: "" },
	sums: { doorsOpen: 3 },
	findings: { doorsJammed: ["front"] },
	obstacle: "",
	remark: "",
	recordsLost: 5,
	policy: ({ kind }) =>
		kind === "DoorPolicy"
			? { active: true, traffic: { packets: 2, bytes: 0, decisions: { Block: 2 } }, rules: [] }
			: null,
	families: () => familiesOf([doors], 3),
	cards: ({ policies }) => [enforcerCard("Doors", third.state, [html`<p>${policies} policies</p>`])],
	sections: () => [html`<section>jammed: front</section>`],
	routes: [{ path: "/v1/doors", reply: (query) => jsonReply(200, { doors: 3, query }) }],
};

const door: PolicyState = {
	name: "front",
	kind: "DoorPolicy",
	file: "/p/door.yaml",
	line: 1,
	selected: true,
	enforced: true,
	action: "Block",
	diagnostics: [],
};
const { enforcers: two, policies } = sampleState();
const enforcers = [...two, third];
const state = sampleState({ enforcers, policies: policyStates([...policies, door], enforcers) });

async function ask(path: string, query = "") {
	const request = { method: "GET", path, query, host: null, authorization: null };
	const answer = await route(
		{ ...request, keepAlive: true, hasBody: false },
		sampleSource(() => state).source,
		"full",
	);
	if (answer.kind !== "reply") throw new Error("a stream");
	return { status: answer.reply.status, body: JSON.parse(String(answer.reply.body)) };
}

test("in the status, with its own fields and what it counted", () => {
	const document = statusDocument(state);
	expect(document.enforcers).toMatchObject({ network: {}, usb: {}, doors: { state: "active" } });
	expect(document).toMatchObject({ doorsOpen: 3, doorsJammed: ["front"] });
	expect(document.policies.at(-1)).toMatchObject({ name: "front", enforced: true, packets: 2 });
	expect(statusLine(state)).toStartWith("network active, USB active, doors active, 2 policies enforced");
});

test("in the metrics", () => {
	const lines = renderMetrics({ ...metricsInput(), state }).split("\n");
	expect(lines).toContain("portward_doors 3");
	expect(lines).toContain('portward_enforcer_up{enforcer="doors"} 1');
	expect(lines).toContain('portward_alerts_dropped_total{reason="kernel"} 5');
});

test("on the page: its card, its section, its policy and the link to its own page", () => {
	const page = renderPage(state, []);
	expect(page).toContain("<h2>Doors ");
	expect(page).toContain("<p>2 policies</p>");
	expect(page).toContain("jammed: front");
	expect(page).toContain('<a href="/v1/doors">/v1/doors</a>');
	expect(page).toMatch(/front<[\s\S]*?data-label="Packets">2</);
});

test("at the server, which names its page among the others", async () => {
	expect(await ask("/v1/doors", "a=1")).toEqual({ status: 200, body: { doors: 3, query: "a=1" } });
	const { status, body } = await ask("/v1/windows");
	expect(status).toBe(404);
	expect(body.hint).toBe(
		"there are /, /healthz, /readyz, /metrics, /v1/status, /v1/flows, /v1/graph, /v1/usb/devices, /v1/usb/history, /v1/doors, /v1/history, /v1/alerts and /v1/alerts/stream",
	);
});

test("in what keeps the daemon from being ready", () => {
	const jammed = { ...third, obstacle: "the doors are jammed" };
	const fine = { failure: "", complaint: "", pends: false };
	expect(readiness(null, [...two, jammed], fine)).toEqual({
		ready: false,
		body: "not ready: the doors are jammed",
	});
});
