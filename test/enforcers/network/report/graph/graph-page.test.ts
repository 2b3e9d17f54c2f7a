import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
	graphPath,
	graphReply,
	graphSection,
} from "../../../../../src/enforcers/network/report/graph/graph-page.ts";
import { svg } from "../../../../../src/enforcers/network/report/graph/svg.ts";
import { flowsPath } from "../../../../../src/enforcers/network/report/history/observing.ts";
import { networkReport } from "../../../../../src/enforcers/network/report/network-report.ts";
import { sampleNetwork } from "../../../../report/sample.ts";

test("the drawing allows its own style and nothing else", () => {
	const { status, type, body, headers } = graphReply({ ok: true, svg: svg([], "t") });
	expect([status, type]).toEqual([200, "image/svg+xml; charset=utf-8"]);
	const [, style = ""] = String(body).match(/<style>([\s\S]*)<\/style>/u) ?? [];
	const sum = createHash("sha256").update(style).digest("base64");
	expect(headers?.["Content-Security-Policy"]).toBe(
		`default-src 'none'; style-src 'sha256-${sum}'; frame-ancestors 'none'`,
	);
});

test("why there is none is told as an error", () => {
	const { status, body } = graphReply({ ok: false, message: "too many" });
	expect([status, JSON.parse(String(body)).error]).toEqual([503, "too many"]);
});

test("the page and the server have it only while policies are in force, and the page alone draws nothing", async () => {
	let drawn = 0;
	const graph = async () => ({ ok: true, svg: `<svg>${++drawn}</svg>` }) as const;
	const report = networkReport({ ...sampleNetwork, graph });
	expect(report.sections().map(({ text }) => text)[0]).toContain(`<img src="${graphPath}" loading="lazy"`);
	expect(report.routes.map(({ path }) => path)).toEqual([flowsPath, graphPath]);
	expect(drawn).toBe(0);
	expect((await report.routes[1]?.reply(""))?.body).toBe("<svg>1</svg>");
	for (const state of ["disabled", "unavailable", "open"] as const) {
		const other = networkReport({
			...sampleNetwork,
			graph,
			state: { ...sampleNetwork.state, state },
		});
		expect(other.routes.map(({ path }) => path)).toEqual([flowsPath]);
		expect([other.sections(), graphSection({ state, reason: "" })]).toEqual([[], []]);
	}
});
