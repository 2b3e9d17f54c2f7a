/** How many senders rules may name together. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { sendersNamed } from "../../../../src/enforcers/network/compile/sender.ts";
import { parsePolicies } from "./limited.ts";
import { options } from "./options.ts";

setDefaultTimeout(180_000);

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i)).join();

function codes(rules: string): readonly string[] {
	const result = compileNetwork(parsePolicies(rules, "p", "egress"), options);
	return result.diagnostics.filter(({ severity }) => severity === "error").map(({ code }) => code);
}

test("lists are counted before they are multiplied: nobody has room for what these make", () => {
	const services = Array.from({ length: 2000 }, (_, i) => `s${i}`).join();
	const rules = `- {user: [${numbers(5000)}], group: [${numbers(5000)}], service: [${services}]}`;
	expect(codes(rules)).toEqual(["too-many-senders"]);
});

test("who stands beside a list of nobody is not counted, as no packet is from both", () => {
	const resolve = (kind: string, name: string) => (kind === "service" ? 0 : name === "known" ? 7 : null);
	const policies = parsePolicies(
		"- {user: [unknown], group: [1, 2]}\n- {user: [known, unknown], service: [a]}",
		"p",
		"egress",
	);
	expect(sendersNamed(policies, resolve)).toEqual({ users: [7], groups: [], services: ["a.service"] });
});

test("of staged policies that name too many it is told why they are not evaluated", () => {
	const of = (name: string, kind: string) =>
		parsePolicies(`- {${kind}: [${numbers(40)}], to: [{ipBlock: {cidr: 192.0.2.0/24}}]}`, name, "egress");
	const { ok, diagnostics } = compileNetwork(of("a", "user"), options, of("b", "group"));
	expect(ok).toBe(true);
	expect(diagnostics.find(({ code }) => code === "not-evaluated")).toMatchObject({
		message: expect.stringContaining("make 1681 combinations together, and 1024 can be told apart"),
		hint: expect.stringContaining("name fewer of them"),
	});
});
