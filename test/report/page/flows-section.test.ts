import { expect, test } from "bun:test";
import type { EnforcerReport, ReportRoute } from "../../../src/report/contribution.ts";
import { flowsPath, flowsSection } from "../../../src/report/page/flows-section.ts";
import { renderPage } from "../../../src/report/page/page.ts";
import { script } from "../../../src/report/page/page-assets.ts";
import { jsonReply } from "../../../src/report/reply.ts";
import { sampleState } from "../sample.ts";

test("every control has a name, and is one that the script looks for", () => {
	const { text } = flowsSection();
	const ids = [...text.matchAll(/ id="flows-([a-z]+)"/gu)].map(([, id]) => id);
	expect(ids).toEqual(
		["search", "verdict", "group", "order", "new", "said", "renewed", "rows", "more"].toSpliced(7, 0, "head"),
	);
	for (const id of ids) expect(script).toContain(`"${id}"`);
	for (const [label] of text.matchAll(/<(?:input|select)[^>]*>/gu))
		expect(text.split(label)[0]?.split("</label>").at(-1)).toContain("<label>");
	expect(text).toContain("portward flows prints it");
	expect(script).toContain("seen last are here, portward flows has all");
});

test("the page has the place where an enforcer answers with flows, and no link to them elsewhere", () => {
	const state = sampleState();
	const route = { path: flowsPath, reply: () => jsonReply(200, {}) };
	const page = (routes: readonly ReportRoute[]) => {
		const enforcers = state.enforcers.map((one): EnforcerReport => ({ ...one, routes }));
		return renderPage({ ...state, enforcers }, []);
	};
	expect(page([])).not.toContain(`${flowsPath}"`);
	expect(page([route])).toContain(flowsSection().text);
});
