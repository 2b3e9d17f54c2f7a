/** docs/schema: each answer of the server is as its schema says, field by field, and each schema is told and held. */

import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { answerSchemas, commandSchemas, readSchema, schemaNames } from "../../scripts/schema.ts";
import type { HttpServer } from "../../src/serve/http/server.ts";
import {
	largeGeneration,
	rolledBackGeneration,
	sampleGeneration,
} from "../report/generations/sample-generations.ts";
import { sampleAlert, sampleDevice, sampleSource, sampleState } from "../report/sample.ts";
import { sampleApi } from "../report/sample-api.ts";
import { sampleSink } from "../report/sample-sink.ts";
import { serve, url } from "../serve/http/wire.ts";
import { violations } from "../support/json-schema.ts";

const root = resolve(import.meta.dir, "../..");
const servers: HttpServer[] = [];
afterEach(() => {
	for (const server of servers.splice(0)) server.stop();
});

interface Facts {
	readonly state?: Parameters<typeof sampleState>[0];
	readonly parts?: Parameters<typeof sampleState>[1];
}

async function answer(path: string, { state, parts }: Facts = {}): Promise<unknown> {
	const { source, sink } = sampleSource(() =>
		sampleState(state, parts ?? { usb: { devices: [sampleDevice] } }),
	);
	sink.publish([
		sampleAlert(),
		sampleAlert({ Action: "Block", Result: "Permission denied", Severity: "10" }),
	]);
	const { server } = await serve(source);
	servers.push(server);
	return await (await fetch(url(server, path))).json();
}

const asker = { uid: 0, pid: 7, session: { connection: "192.0.2.7 50000 192.0.2.1 22", opened: 1.5 } };
const pending = {
	id: "c1",
	source: "apply",
	from: "/root/new",
	seconds: 60,
	secondsLeft: 59,
	asker,
	waiting: true,
} as const;
const finding = {
	file: "a.yaml",
	line: 1,
	column: 1,
	path: "spec",
	severity: "error",
	code: "bad-cidr",
	message: "m",
	hint: "",
} as const;
const [policy] = sampleState().policies;

/** Objects that stay open: policies and settings, which have schemas of their own. */
const openObjects: Readonly<Record<string, number>> = { convert: 1, "import-kubearmor": 2 };

describe("every answer is as its schema says", () => {
	test.each<readonly [string, string, string, Facts]>([
		["the status", "/v1/status", "status", {}],
		[
			"one of sinks",
			"/v1/status",
			"status",
			{ state: { sinks: [sampleSink, { ...sampleSink, lastSuccess: null }] } },
		],
		["KubeArmor's clients", "/v1/status", "status", { state: { kubearmorApi: sampleApi } }],
		["a change that waits", "/v1/status", "status", { state: { pending } }],
		[
			"one that nobody asked for",
			"/v1/status",
			"status",
			{ state: { pending: { ...pending, source: "directory", asker: null } } },
		],
		[
			"panic-open",
			"/v1/status",
			"status",
			{ state: { panic: { since: "2026-01-01T00:00:00Z", reason: "drill" } } },
		],
		[
			"signed policies that are refused",
			"/v1/status",
			"status",
			{
				state: {
					signature: { ok: false, serial: 3, problem: "p", remedy: "r", standing: "signed" },
					tests: { mode: "enforce", passed: 1, failed: 1, refused: true, problems: ["t.yaml:1: m"] },
				},
			},
		],
		[
			"broken policies and names",
			"/v1/status",
			"status",
			{
				state: {
					policies: policy === undefined ? [] : [{ ...policy, action: null, diagnostics: [finding] }],
				},
				parts: {
					network: {
						interfaces: [
							{ interface: "eth9", reason: "absent", bears: "", users: ["p"], message: "m", hint: "h" },
						],
					},
					usb: { devices: [{ ...sampleDevice, allowedUntil: "2026-01-01T00:00:00Z" }] },
				},
			},
		],
		["a page of the status", "/v1/status?offset=0&limit=1", "status", {}],
		["a broken page", "/v1/status?offset=x", "error", {}],
		["no history", "/v1/history", "history", {}],
		[
			"the history",
			"/v1/history",
			"history",
			{ state: { generations: [sampleGeneration, rolledBackGeneration, largeGeneration] } },
		],
		["flows", "/v1/flows", "flows", {}],
		["devices", "/v1/usb/devices", "usb-devices", {}],
		["devices that came", "/v1/usb/history", "usb-history", {}],
		["alerts", "/v1/alerts", "alerts", {}],
		["a page that there is not", "/v1/nowhere", "error", {}],
		["a wrong question", "/v1/alerts?limit=many", "error", {}],
	])("%s", async (_, path, schema, facts) => {
		expect(violations(await answer(path, facts), schema)).toEqual([]);
	});

	test("an event of the stream is an alert", () => {
		expect(violations(JSON.parse(JSON.stringify(sampleAlert())), "alert")).toEqual([]);
	});
});

describe("what is not as documented is found", () => {
	test("a field that is new, gone, or of another type", async () => {
		const status = await answer("/v1/status");
		if (typeof status !== "object" || status === null) throw new Error("no object");
		const { version: _gone, ...rest } = { version: "", ...status };
		expect(violations({ ...status, news: 1 }, "status")).toEqual(["$: news is not documented"]);
		expect(violations(rest, "status")).toEqual(["$: no version"]);
		expect(violations({ ...status, drift: "1" }, "status")).toEqual(["$.drift: string, not integer"]);
		expect(violations({ ...status, drift: -1 }, "status")).toEqual(["$.drift: -1 is below 0"]);
		expect(violations({ alerts: [sampleAlert({ UpdatedTime: "now" })] }, "alerts")).toHaveLength(1);
	});
});

test("every schema is of draft 2020-12, told in a document, and says what each field means", () => {
	expect(schemaNames.toSorted()).toEqual([...answerSchemas, ...commandSchemas, "alert"].toSorted());
	const documents = ["http", "json", "alerts"].map((name) =>
		readFileSync(join(root, `docs/${name}.md`), "utf8"),
	);
	for (const name of schemaNames) {
		const text = readFileSync(join(root, `docs/schema/${name}.json`), "utf8");
		expect(JSON.parse(text)).toMatchObject({
			$schema: "https://json-schema.org/draft/2020-12/schema",
			$id: `${name}.json`,
		});
		expect(documents.some((page) => page.includes(`schema/${name}.json`))).toBe(true);
		// Every object is closed, so that a field cannot come without its word.
		const objects = [...text.matchAll(/"type": "object"/g)].length;
		const closed = [...text.matchAll(/"additionalProperties":/g)].length;
		expect([name, objects - closed]).toEqual([name, openObjects[name] ?? 0]);
	}
});

test("no field is without a meaning", () => {
	const silent: string[] = [];
	const look = (value: unknown, at: string): void => {
		if (typeof value !== "object" || value === null) return;
		for (const [key, inner] of Object.entries(value)) {
			if (key === "properties") {
				for (const [name, field] of Object.entries(inner as object)) {
					const isSide = name === "ingress" || name === "egress";
					if (!isSide && typeof (field as { description?: string }).description !== "string")
						silent.push(`${at}.${name}`);
				}
			}
			look(inner, `${at}.${key}`);
		}
	};
	for (const name of schemaNames) look(readSchema(name), name);
	expect(silent).toEqual([]);
});
