import { expect, test } from "bun:test";
import { isAskedFor, parseFlowQuery } from "../../../../src/enforcers/network/history/flow-query.ts";

test("a query says which flows", () => {
	expect(parseFlowQuery("")).toEqual({
		ok: true,
		query: { since: null, action: null, onlyNew: false, limit: 1000 },
	});
	expect(parseFlowQuery("since=1970-01-01T00:00:01Z&verdict=Block&new=true&limit=1000000")).toEqual({
		ok: true,
		query: { since: 1000, action: "Block", onlyNew: true, limit: 1_000_000 },
	});
	expect(parseFlowQuery("since=&verdict=&new=false&limit=")).toMatchObject({ ok: true });
});

test.each([
	["page=1", "unknown parameter"],
	["limit=1&limit=2", "limit is given twice"],
	["since=yesterday", "since is not a time"],
	["since=2026-13-01T00:00:00Z", "since is not a time"],
	["verdict=drop", "unknown verdict"],
	["new=1", "new is neither"],
	["limit=0", "limit is not"],
	["limit=1000001", "limit is not"],
	["limit=1e3", "limit is not"],
])("%s: %s", (text, message) => {
	expect(parseFlowQuery(text)).toMatchObject({ ok: false, message: expect.stringContaining(message) });
});

test("flows are asked for by their last time, their verdict, and whether they are new", () => {
	const query = { since: 10, action: "Block", onlyNew: true, limit: 1 } as const;
	const flow = { lastSeen: 10, action: "Block", isNew: true } as const;
	expect(isAskedFor(query, flow)).toBe(true);
	expect(isAskedFor(query, { ...flow, lastSeen: 9 })).toBe(false);
	expect(isAskedFor(query, { ...flow, action: "Allow" })).toBe(false);
	expect(isAskedFor(query, { ...flow, isNew: false })).toBe(false);
	expect(isAskedFor({ ...query, since: null, action: null, onlyNew: false }, { ...flow, isNew: false })).toBe(
		true,
	);
});
