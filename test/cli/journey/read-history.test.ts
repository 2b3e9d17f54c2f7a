import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readHistory, readKeptHistory } from "../../../src/cli/journey/read-history.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { answerFlows } from "../../../src/enforcers/network/history/flow-answer.ts";
import { flowRowsType } from "../../../src/enforcers/network/history/flow-rows.ts";
import { FlowStore } from "../../../src/enforcers/network/history/flow-store.ts";
import {
	flowWords,
	setAddress,
	setFacts,
	setVerdict,
} from "../../../src/enforcers/network/history/flow-words.ts";
import { saveHistory } from "../../../src/enforcers/network/history/saved-history.ts";
import { historyJson } from "../../../src/enforcers/network/history/seen-flow.ts";
import { writeState } from "../../../src/state/state-file.ts";

function storeOf(hosts: number): FlowStore {
	const store = new FlowStore({ maxFlows: 100, seed: 1, since: 1_000 });
	for (let host = 1; host <= hosts; host++) {
		const words = new Uint32Array(flowWords);
		const place = { direction: "ingress", hook: "input", family: 4 } as const;
		setFacts(words, { ...place, protocol: 6, port: 22, interface: store.interface("eth0") }, false);
		setAddress(words, "remote", Uint8Array.of(192, 0, 2, host), 0, 4);
		setVerdict(words, store.verdict({ action: "Allow", policy: "ssh" }));
		store.add(words, { count: 1, first: host * 1_000, last: host * 1_000 });
	}
	return store;
}

async function within(body: (directory: string) => Promise<void> | void): Promise<void> {
	const directory = mkdtempSync(join(tmpdir(), "portward-history-"));
	try {
		await body(directory);
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

test("what the last daemon kept is read, with what is new to a recommendation", () =>
	within((directory) => {
		expect(writeState(join(directory, "seen-flows.json"), saveHistory(storeOf(3)))).toBeNull();
		const keys = ["ingress|input|tcp|192.0.2.0/31|22|eth0", "ingress|input|tcp|192.0.2.2/32|22|eth0"];
		expect(writeState(join(directory, "seen-baseline.json"), { madeAt: 1, keys })).toBeNull();
		const read = readKeptHistory(directory, 2_000, 10_000);
		expect(read.ok).toBe(true);
		if (!read.ok) return;
		expect(historyJson(read.history)).toMatchObject({
			since: "1970-01-01T00:00:02.000Z",
			flows: [
				{ remote: "192.0.2.2", port: 22, policy: "ssh", new: false },
				{ remote: "192.0.2.3", new: true },
			],
		});
	}));

test("nothing kept, and what is damaged, are told apart", () =>
	within((directory) => {
		expect(readKeptHistory(directory, null, 5)).toMatchObject({
			ok: false,
			message: expect.stringContaining("No flows"),
		});
		writeFileSync(join(directory, "seen-flows.json"), "{}");
		expect(readKeptHistory(directory, null, 5)).toMatchObject({
			ok: false,
			message: expect.stringContaining("damaged"),
		});
		writeState(join(directory, "seen-flows.json"), { version: 9 });
		expect(readKeptHistory(directory, null, 5)).toMatchObject({
			ok: false,
			message: expect.stringContaining("holds no flows"),
		});
	}));

test("a running daemon is asked, and where none runs its file is read", () =>
	within(async (directory) => {
		writeState(join(directory, "seen-flows.json"), saveHistory(storeOf(1)));
		const asked: string[] = [];
		const answer = { body: JSON.stringify({ since: "2026-01-01T00:00:00Z", flows: [], merged: 4, lost: 0 }) };
		const server = Bun.serve({
			unix: join(directory, "status.sock"),
			fetch: (request) => {
				asked.push(new URL(request.url).search);
				return new Response(answer.body);
			},
		});
		const config = {
			...defaultConfig(),
			stateDir: directory,
			status: { ...defaultConfig().status, address: `unix:${join(directory, "status.sock")}` },
		};
		const wish = { named: false, signal: new AbortController().signal, since: 2_000 };
		try {
			const read = await readHistory(config, wish, 9_000);
			expect(read).toMatchObject({ ok: true, from: "daemon", history: { merged: 4 } });
			expect(asked).toEqual(["?limit=1000000&since=1970-01-01T00:00:02.000Z"]);
			answer.body = "{}";
			expect(await readHistory(config, wish, 9_000)).toMatchObject({ ok: false });
		} finally {
			await server.stop(true);
		}
		rmSync(join(directory, "status.sock"), { force: true });
		const read = await readHistory(config, { ...wish, since: null }, 9_000);
		expect(read).toMatchObject({ ok: true, from: "disk", history: { since: 1_000, lost: 0 } });
	}));

test("a daemon that knows rows is asked for them, and they are believed no more than JSON", () =>
	within(async (directory) => {
		const query = { since: null, action: null, onlyNew: false, limit: 10 };
		const answer = { body: answerFlows(storeOf(3), query, "rows", null, 9_000), type: flowRowsType };
		const server = Bun.serve({
			unix: join(directory, "status.sock"),
			fetch: (request) => {
				expect(request.headers.get("accept")).toBe(flowRowsType);
				return new Response(answer.body, { headers: { "content-type": answer.type } });
			},
		});
		const config = {
			...defaultConfig(),
			stateDir: directory,
			status: { ...defaultConfig().status, address: `unix:${join(directory, "status.sock")}` },
		};
		const wish = { named: false, signal: new AbortController().signal, since: null };
		try {
			const read = await readHistory(config, wish, 9_000);
			if (!read.ok) throw new Error(read.message);
			expect(read.history.list?.length).toBe(3);
			expect(historyJson(read.history).flows).toMatchObject([
				{ remote: "192.0.2.1", policy: "ssh", lastSeen: "1970-01-01T00:00:01.000Z" },
				{ remote: "192.0.2.2" },
				{ remote: "192.0.2.3" },
			]);
			expect(read.history.flows).toBe(read.history.flows);
			answer.body = answer.body.slice(0, -4);
			expect(await readHistory(config, wish, 9_000)).toEqual({
				ok: false,
				message:
					"what answers there sent no flows (flow 2 is wrong: it is cut); is it portward, and of this version?",
			});
			answer.type = "application/json";
			expect(await readHistory(config, wish, 9_000)).toEqual({
				ok: false,
				message: "what answers there sent no flows; is it portward, and of this version?",
			});
		} finally {
			await server.stop(true);
		}
	}));
