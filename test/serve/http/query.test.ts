import { expect, test } from "bun:test";
import { isReply, parseQuery, wholeNumber } from "../../../src/serve/http/query.ts";

test("parameters are read once each, and empty ones are as good as absent", () => {
	expect(parseQuery("", ["a", "b"])).toEqual({});
	expect(parseQuery("a=1&b=", ["a", "b"])).toEqual({ a: "1" });
	expect(parseQuery("a=x%20y%26", ["a"])).toEqual({ a: "x y&" });
});

test("what is not known or given twice is a reply that says what to write", () => {
	for (const query of ["c=1", "a=1&a=1", "a=&a=", "__proto__=1", "%"]) {
		const parsed = parseQuery(query, ["a", "b"]);
		expect(isReply(parsed)).toBe(true);
		if (isReply(parsed)) expect(parsed.status).toBe(400);
	}
});

test("numbers are whole, in decimal digits, and within their bounds", () => {
	const bounds = { name: "n", least: 1, most: 100, example: "n=5", fallback: 7 };
	expect(wholeNumber(undefined, bounds)).toBe(7);
	for (const value of ["1", "100", "007"]) expect(wholeNumber(value, bounds)).toBe(Number(value));
	for (const value of ["0", "101", "-1", "1.0", "1e1", "0x1", " 1", "12345678", "٣"])
		expect(wholeNumber(value, bounds)).toMatchObject({ status: 400 });
});
