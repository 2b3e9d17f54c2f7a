import { expect, test } from "bun:test";
import { readRows } from "../../../../src/cli/journey/flow-rows.ts";
import { answerFlows } from "../../../../src/enforcers/network/history/flow-answer.ts";
import { type FlowQuery, parseFlowQuery } from "../../../../src/enforcers/network/history/flow-query.ts";
import { FlowStore } from "../../../../src/enforcers/network/history/flow-store.ts";
import {
	flowWords,
	setAddress,
	setFacts,
	setVerdict,
} from "../../../../src/enforcers/network/history/flow-words.ts";
import type { HistoryJson } from "../../../../src/enforcers/network/history/seen-flow.ts";

const now = 1_000_000;

/** Hosts 10.0.0.1 to 10.0.0.6: the odd ones are refused, and each is seen once, the fifth in what is to come. */
function stored(): FlowStore {
	const store = new FlowStore({ maxFlows: 100, seed: 3, since: 10 });
	const words = new Uint32Array(flowWords);
	const link = store.interface("eth0");
	const block = store.verdict({ action: "Block", policy: "strict" });
	const allow = store.verdict({ action: "Allow", policy: null });
	for (const [host, last] of [
		[1, 5000],
		[2, 7000],
		[3, 7000],
		[4, 1000],
		[5, now + 60_000],
		[6, 9000],
	] as const) {
		const facts = { direction: "ingress", hook: "input", family: 4, protocol: 6, port: 22 } as const;
		setFacts(words, { ...facts, interface: link }, false);
		setAddress(words, "remote", new Uint8Array([10, 0, 0, host]), 0, 4);
		setVerdict(words, host % 2 === 1 ? block : allow);
		store.add(words, { count: host, first: last, last });
	}
	return store;
}

function answered(text: string): HistoryJson {
	const parsed = parseFlowQuery(text);
	if (!parsed.ok) throw new Error(parsed.message);
	const query: FlowQuery = parsed.query;
	const bytes = answerFlows(stored(), query, "json", (flow) => (flow.remote.base & 3n) === 2n, now);
	return JSON.parse(Buffer.from(bytes).toString());
}

const hosts = (text: string) =>
	answered(text)
		.flows.map(({ remote }) => remote.replace("10.0.0.", ""))
		.join("");

test("what was seen last comes first, and of what was seen at once what came first", () => {
	expect(hosts("")).toBe("562314");
	expect(hosts("limit=2")).toBe("56");
});

test("each filter chooses, and the limit counts what it leaves", () => {
	expect(hosts("verdict=block")).toBe("531");
	expect(hosts("verdict=allow&limit=2")).toBe("62");
	expect(hosts("new=true")).toBe("62");
	expect(hosts("since=1970-01-01T00:00:07Z")).toBe("5623");
	expect(answered("since=1970-01-01T00:00:07Z").since).toBe("1970-01-01T00:00:07.000Z");
});

test("nothing was seen in what is to come", () => {
	expect(answered("limit=1").flows[0]?.lastSeen).toBe(new Date(now).toISOString());
});

test("as rows are all in any order, and those seen last where there are too many", () => {
	const rows = (text: string) => {
		const parsed = parseFlowQuery(text);
		if (!parsed.ok) throw new Error(parsed.message);
		const read = readRows(answerFlows(stored(), parsed.query, "rows", null, now));
		if (!read.ok) throw new Error(read.message);
		return Array.from({ length: read.list.length }, (_, index) => read.list.count(index)).join("");
	};
	expect(rows("")).toBe("123456");
	expect(rows("verdict=block")).toBe("135");
	expect(rows("limit=2")).toBe("56");
	expect(rows("new=true")).toBe("");
});
