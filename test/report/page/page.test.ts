import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { escapeHtml, html } from "../../../src/report/page/html.ts";
import { pageReply, renderPage } from "../../../src/report/page/page.ts";
import type { DaemonState } from "../../../src/report/status.ts";
import { sampleAlert, sampleDevice, sampleState } from "../sample.ts";

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&\u202e\x1b[31m`;

describe("escaping", () => {
	test("any text stays text", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				const escaped = escapeHtml(text);
				expect(escaped).not.toMatch(/[<>"']/);
				const back = escaped.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) =>
					name === "amp" ? "&" : name === "lt" ? "<" : name === "gt" ? ">" : name === "quot" ? '"' : "'",
				);
				expect(back).toBe(text.toWellFormed());
			}),
		);
	});

	test("templates escape values and keep markup", () => {
		expect(html`<p title="${hostile}">${[html`<b>${"<"}</b>`]}${1}</p>`.text).toStartWith(
			'<p title="&quot;&gt;&lt;script&gt;',
		);
		expect(html`${html`<b>`}${3}`.text).toBe("<b>3");
	});
});

function hostilePage(): string {
	const alert = JSON.stringify(sampleAlert({ PolicyName: hostile, Message: hostile, Data: hostile }));
	const device = {
		...sampleDevice,
		product: hostile,
		manufacturer: hostile,
		serial: hostile,
		malformed: hostile,
	};
	const over: Partial<DaemonState> = {
		hostname: hostile,
		panic: { since: hostile, reason: hostile },
		pending: {
			id: hostile,
			source: "apply",
			from: hostile,
			seconds: 60,
			secondsLeft: 12,
			asker: null,
			waiting: true,
		},
		warnings: [hostile],
		readiness: { ready: false, body: hostile },
		policies: [
			{
				name: hostile,
				kind: "KubeArmorNetworkPolicy",
				file: hostile,
				line: 3,
				selected: true,
				enforced: true,
				action: "Block",
				diagnostics: [
					{
						file: hostile,
						line: 1,
						column: 1,
						path: hostile,
						severity: "error",
						code: "c",
						message: hostile,
						hint: hostile,
					},
				],
			},
		],
	};
	return renderPage(sampleState(over, { usb: { devices: [device] } }), [alert]);
}

describe("the page", () => {
	test("says first that panic-open stands, and nothing of it while it does not", () => {
		const page = (panic: { since: string; reason: string } | null) => renderPage(sampleState({ panic }), []);
		const text = page({ since: "2026-01-02T03:04:05.000Z", reason: "drill" });
		expect(text.indexOf("2026-01-02T03:04:05.000Z: drill")).toBeLessThan(text.indexOf("<h2>Network"));
		expect(page(null)).not.toContain("panic-open");
	});

	test("says that policies are not confirmed and when they roll back, and nothing of it while none are", () => {
		const change = { id: "0123", source: "apply", from: "/new", seconds: 60, asker: null } as const;
		const page = (pending: DaemonState["pending"]) => renderPage(sampleState({ pending }), []);
		expect(page({ ...change, secondsLeft: 12, waiting: false })).toMatch(/0123 \(\/new\)[^<]* 12 s/);
		expect(page({ ...change, secondsLeft: 12, waiting: true })).toContain("waits");
		expect(page(null)).not.toContain("confirmed");
	});

	test("holds one script, its own, which the Content-Security-Policy names by hash, and nothing from elsewhere", () => {
		const text = hostilePage();
		const scripts = [...text.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? "");
		const styles = [...text.matchAll(/<style>([\s\S]*?)<\/style>/g)].map((match) => match[1] ?? "");
		expect([scripts.length, styles.length]).toEqual([1, 1]);
		const policy = pageReply(sampleState(), []).headers?.["Content-Security-Policy"] ?? "";
		for (const inline of [...scripts, ...styles]) {
			expect(policy).toContain(`'sha256-${createHash("sha256").update(inline).digest("base64")}'`);
		}
		expect(policy).toStartWith("default-src 'none'");
		expect(policy).not.toContain("unsafe");
		const images = text.match(/<img [^>]*>/gu);
		expect(images?.map((image) => image.split(" alt=")[0])).toEqual(['<img src="/v1/graph" loading="lazy"']);
		expect(text.replace('<img src="/v1/graph" ', "")).not.toMatch(/<img|onerror=alert\(1\)>|<script>alert/);
		expect(text).not.toMatch(/(?:src|href)="(?!\/|data:,")/);
		expect(text).not.toMatch(/[\x1b\u202e]/);
		expect(scripts[0]).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|eval/);
	});

	test("says of each policy when it last matched, and which of its rules match nothing", () => {
		const use = { policy: "np1", direction: "ingress", action: "Block", packets: 1 } as const;
		const ago = (hours: number) => Date.now() - hours * 3_600_000 - 1000;
		const ruleUses = [
			{ ...use, index: 0, since: ago(900), lastMatch: ago(5) },
			{ ...use, index: 1, since: ago(720), lastMatch: null },
		];
		const text = renderPage(sampleState({}, { network: { ruleUses } }), []);
		expect(text).toContain('<td data-label="Last match">5 hours ago<ul><li>unused for 30 days');
		const never = [{ ...use, index: 0, since: ago(1), lastMatch: null }];
		expect(renderPage(sampleState({}, { network: { ruleUses: never } }), [])).toContain(">never yet</td>");
		expect(renderPage(sampleState(), [])).toContain('data-label="Last match">–</td>');
	});

	test("says what /v1/status says", () => {
		const rule = { policy: "np1", index: 0, direction: "ingress", action: "Block" } as const;
		const network = { drift: 17, rules: [{ ...rule, packets: 1234567, bytes: 2048 }] };
		const warnings = ["forwarded traffic is not covered"];
		const text = renderPage(sampleState({ warnings }, { network, usb: { devices: [sampleDevice] } }), []);
		for (const fact of [
			"np1",
			"1,234,567",
			"2.0 KiB",
			"forwarded traffic is not covered",
			"allowlist: unmatched is blocked",
			"unmatched is accepted",
			">17<",
			"refused until judged",
			"1-4.1",
			"0781:5567",
			"MASS-STORAGE 8/6/80: Allow by sticks, usb-storage",
			"HID 3/1/1: Block by DefaultPosture",
			"Stick\\x1b[31m &lt;b&gt;\\u{202e}",
			"None yet.",
		]) {
			expect(text).toContain(fact);
		}
	});

	test("stays small with many policies and diagnostics", () => {
		const [policy] = sampleState().policies;
		if (policy === undefined) throw new Error("the sample has a policy");
		const diagnostic = {
			file: "f",
			line: 1,
			column: 1,
			path: "p",
			severity: "warning",
			code: "c",
			message: "m",
			hint: "h",
		} as const;
		const many = { ...policy, diagnostics: Array.from({ length: 1000 }, () => diagnostic) };
		const policies = Array.from({ length: 5000 }, () => many);
		const devices = Array.from({ length: 5000 }, () => sampleDevice);
		const text = renderPage(sampleState({ policies }, { usb: { devices } }), []);
		expect(text.length).toBeLessThan(2_000_000);
		expect(text).toContain("4,500 more in /v1/status");
		expect(text).toContain("and 995 more");
	});
});

test("the card of guests has published ports as text, with who reaches them, and how many more there are", () => {
	const page = renderPage(sampleState({}), []);
	expect(page).toContain(
		"<li>tcp 0.0.0.0:15432 -&gt; 172.17.0.2:5433 (Docker\\x1b[31m &lt;b&gt;): open to 10.0.1.0/24; closed to the rest by DefaultPosture (audit: nothing is dropped yet)</li></ul><p>and 2 more</p>",
	);
	expect(page).toContain("<dd>vmbr0: eth0 is a port of it</dd>");
});
