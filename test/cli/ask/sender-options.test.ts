/** `explain`, `search` and `diff` where rules name who sends. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { block, documents, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

/** The resolver and root ask, nobody else does; and the unit's root is kept from one network. */
const dns = [port("UDP", 53)];
const set = documents(
	policy("dns", {
		action: "Block",
		egress: [
			{ ports: dns },
			{ ports: dns, service: "resolver", action: "Allow" },
			{ ports: dns, user: "root", action: "Allow" },
			{ ports: dns, user: 0, service: "resolver", to: [block("10.0.0.0/8")] },
		],
	}),
	policy("rest", { action: "Allow", egress: [{}] }),
);

async function run(command: string, text: string, ...args: readonly string[]) {
	using files = new Files({ "a.yaml": text });
	files.config({ hostDefaultNetworkPosture: "block" });
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	return await portward(command, ...args, ...common);
}

const asked = ["egress", "udp", "10.0.0.1", "53"];

test.each<[readonly string[], string, number]>([
	[[], "Block", 0],
	[["--user", "1000"], "Block", 0],
	[["--user", "root"], "Allow", 2],
	[["--user", "0", "--group", "0"], "Allow", 2],
	[["--service", "resolver"], "Allow", 1],
	[["--service", "resolver.service", "--user", "12"], "Allow", 1],
	[["--service", "resolver", "--user", "root"], "Block", 3],
	[["--service", "other", "--group", "root"], "Block", 0],
])("explain %j: %s", async (options, action, rule) => {
	const { code, out, error } = await run("explain", set, "--json", ...asked, ...options);
	expect([code, error]).toEqual([0, ""]);
	expect(JSON.parse(out)).toMatchObject({ action, policy: "dns", rule });
});

test.each<[readonly string[], string]>([
	[
		[...asked, "--user", "nosuch\u001b"],
		'this host knows no user "nosuch\\u001b"; write a name that it knows, or a number',
	],
	[[...asked, "--user", "4294967295"], 'no user "4294967295"'],
	[[...asked, "--user", "007"], 'no user "007"'],
	[[...asked, "--group", ""], "--group needs a value"],
	[[...asked, "--service", "a/b"], 'service "a/b": a unit is named without its path; write the unit\'s name'],
	[[...asked, "--service", "x.socket"], "write the .service unit"],
	[[...asked, "--service", "web@"], "write its instances"],
	[["ingress", "udp", "10.0.0.1", "53", "--user", "root"], "ask about egress"],
	[[...asked, "--from-guest", "172.17.0.2", "--service", "x"], "leave out --service"],
	[["--all", "10.0.0.1", "--user", "root"], "--user is not expected with --all"],
])("explain %j is refused in words", async (args, message) => {
	const { code, out, error } = await run("explain", set, ...args);
	expect([code, out]).toEqual([64, ""]);
	expect(error).toContain(message);
	expect(error).not.toContain("\u001b");
});

test("search finds who may where everybody may not, and says who", async () => {
	const { code, out } = await run("search", set, "egress udp 53 to 10.0.0.1 verdict=Allow", "--json");
	expect([code, JSON.parse(out).example]).toMatchObject([
		0,
		{ user: 0, action: "Allow", policy: "dns", rule: 2 },
	]);
	const none = await run("search", set, "egress udp 53 to 10.0.0.1 verdict=Audit", "--json");
	expect([none.code, JSON.parse(none.out)]).toEqual([2, { found: false, example: null }]);
	using files = new Files({
		"a.yaml": set.replace('"user":"root","action":"Allow"', '"user":7,"action":"Audit"'),
	});
	files.config({});
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	const told = await portward("search", "egress udp 53 to 11.0.0.1 verdict=Audit", ...common);
	expect(told.out).toStartWith("Audit: egress udp 53 to 11.0.0.1 by user 7: dns egress[2] (");
});

async function diff(before: string, after: string, ...args: readonly string[]) {
	using a = new Files({ "a.yaml": before });
	using b = new Files({ "a.yaml": after });
	a.config({ hostDefaultNetworkPosture: "block" });
	return await portward("diff", a.path, b.path, "--config", join(a.path, ".config"), ...args);
}

const open = policy("open", { action: "Block", egress: [{ ports: [port("TCP", 1)] }] });
const more = (rule: object) => documents(open, policy("more", { action: "Block", egress: [rule] }));

test("diff tells what is new for one sender alone, in words, as a table and as JSON", async () => {
	const after = more({ user: 7, service: "web", to: [block("10.0.0.0/8")], ports: [port("TCP", 443)] });
	expect(await diff(open, after)).toMatchObject({
		code: 2,
		// Nobody here sends what is forwarded.
		out:
			"Allow → Block: egress tcp 443 by user 7 and web.service to 10.0.0.0/8\n1 difference\n" +
			"\nWhat is forwarded to guests and from them:\n\nnothing changes\n",
	});
	expect((await diff(open, after, "--markdown")).out).toContain(
		"| egress | tcp by user 7 and web.service | 443 | 10.0.0.0/8 | any | Allow | Block |",
	);
	const { boxes } = JSON.parse((await diff(open, after, "--json")).out);
	expect(boxes).toEqual([
		{
			direction: "egress",
			protocol: "tcp",
			ports: [443, 443],
			addresses: ["10.0.0.0/8"],
			interface: null,
			user: 7,
			service: "web.service",
			before: "Allow",
			after: "Block",
		},
	]);
});

test("diff tells of a sender for whom nothing changes where it does for all others", async () => {
	const both = (text: string) =>
		documents(text, policy("x", { action: "Audit", egress: [{ user: 7, ports: [port("TCP", 443)] }] }));
	expect((await diff(both(open), both(more({ ports: [port("TCP", 443)] })), "--json")).code).toBe(2);
	const { boxes } = JSON.parse(
		(await diff(both(open), both(more({ ports: [port("TCP", 443)] })), "--json")).out,
	);
	expect(boxes).toMatchObject([
		{ ports: [443, 443], before: "Allow", after: "Block" },
		{ user: 7, ports: [443, 443], before: "Audit", after: "Audit" },
	]);
});

test("a name and its number are no difference", async () => {
	const [by, same] = ["root", 0].map((user) => more({ user, ports: [port("TCP", 443)] }));
	expect((await diff(by ?? "", same ?? "")).code).toBe(0);
});
