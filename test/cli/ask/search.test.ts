import { expect, test } from "bun:test";
import { join } from "node:path";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const policies = {
	"a.yaml": policy("ssh", {
		action: "Allow",
		ingress: [{ from: [block("10.0.0.0/8")], ports: [port("TCP", 22)] }],
	}),
};

async function ask(query: string, ...args: readonly string[]) {
	using files = new Files(policies);
	files.config({});
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	return await portward("search", query, ...common, ...args);
}

test("an example with its rule, or the word that there is none", async () => {
	const found = await ask("ingress tcp 22 from 10.0.0.0/7 verdict=Allow", "--json");
	expect(found.code).toBe(0);
	expect(JSON.parse(found.out)).toEqual({
		found: true,
		example: {
			direction: "ingress",
			protocol: "tcp",
			address: "10.0.0.0",
			port: 22,
			interface: null,
			action: "Allow",
			policy: "ssh",
			rule: 0,
			file: expect.stringContaining("a.yaml"),
			line: expect.any(Number),
		},
	});
	expect((await ask("ingress tcp 22 from 10.0.0.0/7 verdict=Allow")).out).toStartWith(
		"Allow: ingress tcp 22 from 10.0.0.0: ssh ingress[0] (",
	);
	const none = await ask("ingress tcp 22 from !10.0.0.0/8 verdict=Allow", "--json");
	expect([none.code, JSON.parse(none.out)]).toEqual([2, { found: false, example: null }]);
	expect((await ask("ingress tcp 22 from !10.0.0.0/8 verdict=Allow")).out).toBe("There is none.\n");
});

test("what no rule decides says so", async () => {
	expect((await ask("egress any any verdict=Allow")).out).toContain("no rule matches");
	expect((await ask("ingress icmp any verdict=Block")).out).toStartWith(
		"Block: ingress icmp from 0.0.0.0: DefaultPosture",
	);
});

test("a question that is none is wrong usage", async () => {
	expect((await ask("ingress tcp")).code).toBe(64);
	expect((await portward("search")).code).toBe(64);
});
