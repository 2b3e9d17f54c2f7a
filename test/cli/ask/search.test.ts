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

test("an example says which quotas count it, and what is beyond them can be asked", async () => {
	using files = new Files({
		"a.yaml": policy("backup", {
			action: "Block",
			egress: [{ to: [block("203.0.113.0/24")], ports: [port("TCP", 443)], limit: "1GB", duration: "1d" }],
		}),
	});
	files.config({});
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	const query = "egress tcp 443 to 203.0.113.0/24";
	const within = await portward("search", `${query} verdict=Allow`, ...common);
	expect(within.out).toContain(
		"counts for the quota of backup egress[0], 1GB in 1d: what comes beyond is blocked",
	);
	expect((await portward("search", `${query} verdict=Block`, ...common)).out).toBe("There is none.\n");
	const beyond = await portward("search", `${query} quotas=exhausted verdict=Block`, ...common, "--json");
	expect(JSON.parse(beyond.out)).toMatchObject({
		found: true,
		example: {
			action: "Block",
			policy: "backup",
			rule: 0,
			quotas: [{ policy: "backup", limitBytes: 2 ** 30 }],
		},
	});
	const free = await portward("search", `${query} quotas=exhausted verdict=Allow`, ...common);
	expect(free.code).toBe(2);
});

test("a question that is none is wrong usage", async () => {
	expect((await ask("ingress tcp")).code).toBe(64);
	expect((await portward("search")).code).toBe(64);
});
