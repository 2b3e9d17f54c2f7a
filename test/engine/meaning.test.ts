import { expect, test } from "bun:test";
import { meaningText } from "../../src/engine/meaning.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { block, policy, port } from "../system/support/case.ts";

const policies = (...texts: string[]) =>
	texts.flatMap((text) => parsePolicyFile("p.yaml", text).documents.flatMap(({ policy }) => policy ?? []));
const some = (name: string, more = {}) =>
	policy(name, {
		action: "Block",
		ingress: [{ from: [block("192.0.2.0/24")], ports: [port("TCP", 7)] }],
		...more,
	});

test("comments, white space and the order of documents mean nothing", () => {
	const one = meaningText(policies(some("a"), some("b")));
	expect(one.split("\n")).toHaveLength(2);
	expect(meaningText(policies(`# first\n\n${some("b")}`, some("a").replaceAll(": ", ":  ")))).toBe(one);
	expect(meaningText(policies(some("a")))).not.toBe(one);
});

test.each([
	{ message: "m" },
	{ severity: 7 },
	{ tags: ["t"] },
	{ nodeSelector: { matchLabels: { place: "x" } } },
])("means another thing: %j", (more) => {
	expect(meaningText(policies(some("a", more)))).not.toBe(meaningText(policies(some("a"))));
});

test("a label that is called place counts", () => {
	const at = (place: string) => policies(some("a", { nodeSelector: { matchLabels: { place } } }));
	expect(at("x")).toHaveLength(1);
	expect(meaningText(at("x"))).not.toBe(meaningText(at("y")));
});
