import { expect, test } from "bun:test";
import type { Reply } from "../../../src/cli/status/client.ts";
import { wholeStatus } from "../../../src/cli/status/whole-status.ts";
import { type StatusDocument, statusDocument } from "../../../src/report/status.ts";
import type { Request } from "../../../src/serve/http/request.ts";
import { route } from "../../../src/serve/http/routes.ts";
import { manyPolicies, sampleSource, sampleState } from "../../report/sample.ts";

const plain = { method: "GET", host: null, authorization: null, keepAlive: true, hasBody: false };

/** What is printed with --json. */
async function documentOf(ask: (path: string) => Promise<Reply>): Promise<StatusDocument> {
	const whole = await wholeStatus(ask);
	if (!whole.ok) throw new Error(whole.message);
	return JSON.parse(JSON.stringify(whole.document));
}

/** The daemon's own routes, without a connection. @param total policies at each question */
function daemon(total: (question: number) => number) {
	const asked: string[] = [];
	const state = () => sampleState({ policies: manyPolicies(total(asked.length)) });
	const ask = async (target: string): Promise<Reply> => {
		asked.push(target);
		const [path = "", query = ""] = target.split("?");
		const request: Request = { ...plain, path, query };
		const answer = await route(request, sampleSource(state).source, "full");
		if (answer.kind !== "reply") throw new Error("a stream");
		return { ok: true, response: new Response(answer.reply.body, { status: answer.reply.status }) };
	};
	return { asked, ask };
}

test("what fits is asked for once, and is what the daemon sent", async () => {
	const { ask, asked } = daemon(() => 1000);
	const expected = statusDocument(sampleState({ policies: manyPolicies(1000) }));
	const document = await documentOf(ask);
	expect(JSON.stringify(document)).toBe(JSON.stringify(expected));
	expect(asked).toEqual(["/v1/status"]);
});

test("pages are followed to the last policy, into a document like any other", async () => {
	const { ask, asked } = daemon(() => 12_000);
	const document = await documentOf(ask);
	expect(document.policies.map(({ name }) => name)).toEqual(manyPolicies(12_000).map(({ name }) => name));
	expect(Object.keys(document)).toEqual(Object.keys(statusDocument(sampleState())));
	expect(asked).toEqual([
		"/v1/status",
		"/v1/status?offset=1000&limit=10000",
		"/v1/status?offset=11000&limit=10000",
	]);
});

test("a list that changes meanwhile is read anew, and not for ever", async () => {
	const once = daemon((question) => (question === 1 ? 1500 : 1499));
	const document = await documentOf(once.ask);
	expect(document.policies).toHaveLength(1499);
	const always = daemon((question) => 1500 + question);
	expect(await wholeStatus(always.ask)).toMatchObject({
		ok: false,
		message: expect.stringContaining("again"),
	});
	expect(always.asked).toHaveLength(10);
});

test("a daemon that sends no page where one is due is told", async () => {
	const { ask } = daemon(() => 2500);
	const strange = (path: string) =>
		path === "/v1/status" ? ask(path) : Promise.resolve({ ok: true, response: new Response("[]") } as const);
	expect(await wholeStatus(strange)).toMatchObject({ ok: false });
	const refused = { ok: false, message: "no" } as const;
	expect(await wholeStatus((path) => (path === "/v1/status" ? ask(path) : Promise.resolve(refused)))).toEqual(
		refused,
	);
	expect(await wholeStatus(async () => ({ ok: true, response: new Response("what") }))).toEqual({
		ok: true,
		document: undefined,
	});
});
