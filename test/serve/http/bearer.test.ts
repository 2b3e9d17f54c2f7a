import { expect, test } from "bun:test";
import { Bearer } from "../../../src/serve/http/bearer.ts";

const token = "0123456789abcdef0123456789ABCDEF";

function bearer(content: string): Bearer {
	const parsed = Bearer.parse(content);
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.bearer;
}

test.each([
	["with its line end", `${token}\n`],
	["with Windows' line end", `${token}\r\n`],
	["of base64", `${"ab+/".repeat(8)}==`],
	["of base64url", "ab-_".repeat(8)],
])("a token %s is taken", (_, content) => {
	expect(bearer(content).accepts(`Bearer ${content.trim()}`)).toBe(true);
});

test.each([
	["empty", ""],
	["of 31 characters", "a".repeat(31)],
	["of two words", `${token} ${token}`],
	["of two lines", `${token}\n${token}`],
	["with other characters", `${token}ä`],
	["of more than 1024 characters", "a".repeat(1025)],
])("a token %s is refused", (_, content) => {
	expect(Bearer.parse(content).ok).toBe(false);
});

test.each([
	["another", `Bearer ${token.toLowerCase()}`],
	["none", null],
	["an empty one", "Bearer "],
	["a longer one", `Bearer ${token}0`],
	["a shorter one", `Bearer ${token.slice(1)}`],
	["another scheme", `Basic ${token}`],
	["two", `Bearer ${token} ${token}`],
	["the bare token", token],
])("%s is not accepted", (_, header) => {
	expect(bearer(token).accepts(header)).toBe(false);
});

test("the scheme's name has no case", () => {
	expect(bearer(token).accepts(`bearer  ${token}`)).toBe(true);
});
