import { expect, test } from "bun:test";
import { openingReply, PageSessions, pageLifetime } from "../../../src/serve/http/page-sessions.ts";
import { parseRequest } from "../../../src/serve/http/request.ts";

function request(text: string) {
	const parsed = parseRequest(Buffer.from(text));
	if (parsed.kind !== "request") throw new Error("no request");
	return parsed.request;
}

const ask = (method: string, path: string) =>
	request(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);

function setUp() {
	let time = 1_000_000;
	const pages = new PageSessions(() => time);
	const pass = (milliseconds: number) => {
		time += milliseconds;
	};
	const cookieOf = (path: string) => {
		const redeemed = pages.redeem(path);
		return redeemed === null ? null : `${pages.cookieName}=${redeemed.cookie}`;
	};
	return { pages, pass, cookieOf };
}

test("a link opens once, and its cookie holds to the link's end", () => {
	const { pages, pass, cookieOf } = setUp();
	const link = pages.issue();
	expect(link).toMatch(/^\/page\/[A-Za-z0-9_-]{43}$/u);
	pass(3_600_000);
	const cookie = cookieOf(link);
	expect(cookieOf(link)).toBeNull();
	expect(pages.knows(cookie ?? "")).toBe(true);
	expect(pages.knows(`other=1; ${cookie}; more=2`)).toBe(true);
	pass(pageLifetime - 3_600_000 - 1);
	expect(pages.knows(cookie ?? "")).toBe(true);
	pass(1);
	expect(pages.knows(cookie ?? "")).toBe(false);
});

test("nothing else opens it", () => {
	const { pages, pass, cookieOf } = setUp();
	const link = pages.issue();
	for (const path of ["/page/", "/page", "/", `${link}x`, link.slice(0, -1), "/page/../page"])
		expect(cookieOf(path)).toBeNull();
	pass(pageLifetime);
	expect(cookieOf(link)).toBeNull();
	for (const header of [
		undefined,
		"",
		"portward",
		`${pages.cookieName}=`,
		`${pages.cookieName}=${link.slice(6)}`,
	])
		expect(pages.knows(header)).toBe(false);
});

test("revoking ends links and cookies, and says how many", () => {
	const { pages, cookieOf } = setUp();
	const cookie = cookieOf(pages.issue());
	const link = pages.issue();
	expect(pages.revoke()).toBe(2);
	expect(cookieOf(link)).toBeNull();
	expect(pages.knows(cookie ?? "")).toBe(false);
	expect(pages.revoke()).toBe(0);
});

test("no more than so many are kept, the oldest makes room", () => {
	const { pages, cookieOf } = setUp();
	const links = Array.from({ length: 300 }, () => pages.issue());
	expect(cookieOf(links[0] ?? "")).toBeNull();
	expect(cookieOf(links.at(-1) ?? "")).not.toBeNull();
});

test("the answer sets a cookie that no other site and no script sees; a look ahead uses nothing up", () => {
	const { pages } = setUp();
	const link = pages.issue();
	expect(openingReply(pages, ask("HEAD", link), false).headers).toEqual({});
	const { status, headers } = openingReply(pages, ask("GET", link), false);
	expect(status).toBe(200);
	expect(headers?.["Set-Cookie"]).toMatch(
		/^portward_[0-9a-f]{12}=[A-Za-z0-9_-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/u,
	);
	expect(openingReply(pages, ask("GET", pages.issue()), true).headers?.["Set-Cookie"]).toEndWith("; Secure");
	const again = openingReply(pages, ask("GET", link), false);
	expect(again.status).toBe(403);
	expect(again.body).toContain("run portward page");
});
