/** The status with all policies, from as many pages as the daemon has. */

import * as v from "valibot";
import { longestPage } from "../../report/status.ts";
import { parseJson, type Reply } from "./client.ts";

export type WholeStatus =
	/** `document` is what the daemon sent, whatever that is; where it had pages, one document with the policies of all. */
	{ readonly ok: true; readonly document: unknown } | { readonly ok: false; readonly message: string };

/** Policies of which a page tells, and how many times the list may change while its pages are read. */
const mostPolicies = 1_000_000;
const mostAttempts = 5;

const number = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(mostPolicies));
const pageShape = v.looseObject({
	policies: v.array(v.unknown()),
	page: v.object({ offset: number, limit: number, total: number, list: v.string() }),
});
type Page = v.InferOutput<typeof pageShape>;

/** @param ask GETs a path from the daemon */
export async function wholeStatus(ask: (path: string) => Promise<Reply>): Promise<WholeStatus> {
	for (let attempt = 0; attempt < mostAttempts; attempt++) {
		const reply = await ask("/v1/status");
		if (!reply.ok) return reply;
		const document = parseJson(await reply.response.text());
		const first = v.safeParse(pageShape, document);
		// A daemon that has no pages, or something else altogether.
		if (!first.success) return { ok: true, document };
		const rest = await followed(first.output, ask);
		if (!rest.ok) return rest;
		if (rest.policies === null) continue;
		return { ok: true, document: joined(document, [...first.output.policies, ...rest.policies]) };
	}
	return { ok: false, message: "the policies changed each time while their pages were read; ask again" };
}

/** The document without its page, in its own order, and with all policies. */
function joined(document: unknown, policies: readonly unknown[]): unknown {
	const fields = Object.entries(Object(document)).filter(([key]) => key !== "page");
	return Object.fromEntries(fields.map(([key, value]) => [key, key === "policies" ? policies : value]));
}

type Followed =
	| { readonly ok: true; readonly policies: readonly unknown[] | null }
	| { readonly ok: false; readonly message: string };

/** The policies behind those of `first`; null where the list is not the same any more. */
async function followed(first: Page, ask: (path: string) => Promise<Reply>): Promise<Followed> {
	const { list, total } = first.page;
	const policies: unknown[] = [];
	let offset = first.policies.length;
	while (offset < total) {
		const reply = await ask(`/v1/status?offset=${offset}&limit=${longestPage}`);
		if (!reply.ok) return reply;
		const next = v.safeParse(pageShape, parseJson(await reply.response.text()));
		if (!next.success) return { ok: false, message: "what answers there sent a page that is none" };
		if (next.output.page.list !== list || next.output.policies.length === 0)
			return { ok: true, policies: null };
		policies.push(...next.output.policies);
		offset += next.output.policies.length;
	}
	return { ok: true, policies };
}
