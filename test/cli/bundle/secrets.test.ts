import { expect, test } from "bun:test";
import { shownSettings, withoutSecrets } from "../../../src/cli/bundle/secrets.ts";
import type { Config } from "../../../src/config/model.ts";
import { parseConfig } from "../../../src/config/parse.ts";

function configOf(settings: Readonly<Record<string, unknown>>): Config {
	const parsed = parseConfig("config.yaml", JSON.stringify(settings));
	if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
	return parsed.config;
}

const config = configOf({
	status: { address: "127.0.0.1:1", tokenFile: "/etc/portward/token" },
	alerts: {
		sinks: [
			{ name: "chat", type: "webhook", url: "https://chat.example/hooks/T0SECRET?sig=S1GNED" },
			{ name: "siem", type: "webhook", url: "https://siem.example/" },
		],
	},
});

test("settings name files, and hide what stands below a webhook's host", () => {
	expect(shownSettings(config)).toMatchObject({
		status: { tokenFile: "/etc/portward/token" },
		alerts: { sinks: [{ url: "https://chat.example/[left out]" }, { url: "https://siem.example/" }] },
	});
});

test("a value whose name is a secret's is no value to show, whatever settings there will be", () => {
	const later = {
		...config,
		futureApi: { apiKey: "abc", authToken: "def", keyFile: "/k", url: "no url" },
	};
	expect(shownSettings(later)).toMatchObject({
		futureApi: { apiKey: "[left out]", authToken: "[left out]", keyFile: "/k", url: "[left out]" },
	});
});

test("no text has a sink's secret, a key or a bearer token", () => {
	const key = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----";
	const text = `POST /hooks/T0SECRET?sig=S1GNED failed; Bearer abcdefgh12345678; ${key} end, /hooks/T0SECRET alone, ?sig=S1GNED`;
	const clean = withoutSecrets(text, config);
	expect(clean).not.toMatch(/T0SECRET|S1GNED|abcdefgh|MC4CAQ/);
	expect(clean).toStartWith("POST /[left out] failed; Bearer [left out]; [left out] end");
});

test("a short path of a sink takes nothing out of others, and URLs of former settings tell their hosts alone", () => {
	const short = configOf({
		alerts: { sinks: [{ name: "hook", type: "webhook", url: "https://siem.example/v1" }] },
	});
	const text =
		'/v1/status; "https://siem.example/v1: 500", https://old.example/T0SECRET?a=S1GNED. (http://a:S1GNED@b/)';
	expect(withoutSecrets(text, short)).toBe(
		'/v1/status; "https://siem.example/[left out]: 500", https://old.example/[left out]. (http://b/[left out])',
	);
});
