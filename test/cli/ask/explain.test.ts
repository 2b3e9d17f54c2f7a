import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const web = [port("TCP", 443)];

/** A broad Block, an exception for one network in it, and a narrower Block in that. */
const carved = {
	"a.yaml": policy("all", { action: "Block", ingress: [{ from: [block("10.0.0.0/8")], ports: web }] }),
	"b.yaml": policy("office", { action: "Allow", ingress: [{ from: [block("10.1.0.0/16")], ports: web }] }),
	"c.yaml": policy("guest", { action: "Audit", ingress: [{ from: [block("10.1.9.0/24")], ports: web }] }),
};

interface Rule {
	readonly policy: string | null;
	readonly rule: number | null;
	readonly action: string;
	readonly file: string | null;
	readonly line: number | null;
}

interface Answer extends Rule {
	readonly hook?: string;
	readonly overridden: readonly (Rule & { readonly reason: string; readonly by: Rule })[];
}

async function ask(files: Files, ...args: string[]): Promise<Answer> {
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config"), "--json"];
	const { code, out, error } = await portward("explain", ...common, ...args);
	expect([code, error]).toEqual([0, ""]);
	return JSON.parse(out);
}

async function told(files: Files, ...args: string[]): Promise<string> {
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	const { code, out, error } = await portward("explain", ...common, ...args);
	expect([code, error]).toEqual([0, ""]);
	return out;
}

function directory(
	policies: Readonly<Record<string, string>>,
	settings: Record<string, unknown> = {},
): Files {
	const files = new Files(policies);
	files.config(settings);
	return files;
}

describe("verdicts", () => {
	test("nothing matched: Allow, and no policy", async () => {
		using files = directory({
			"a.yaml": policy("dns", { action: "Block", egress: [{ ports: [port("UDP", 53)] }] }),
		});
		expect(await ask(files, "ingress", "udp", "192.0.2.7", "53")).toEqual({
			action: "Allow",
			policy: null,
			rule: null,
			file: null,
			line: null,
			overridden: [],
			hook: "input",
		});
		expect(await told(files, "ingress", "udp", "192.0.2.7", "53")).toBe(
			"Allow: no rule matches, and no Allow makes this direction an allow-list\n",
		);
	});

	test("an empty directory allows", async () => {
		using files = directory({});
		expect(await ask(files, "egress", "sctp", "::1", "0")).toMatchObject({ action: "Allow", policy: null });
	});

	test.each([
		["block", "Block"],
		["audit", "Audit"],
	])("posture %s: DefaultPosture", async (posture, action) => {
		const allow = policy("a", { action: "Allow", ingress: [{ from: [block("192.0.2.0/24")] }] });
		using files = directory({ "a.yaml": allow }, { hostDefaultNetworkPosture: posture });
		const packet = ["ingress", "tcp", "198.51.100.1", "80"];
		expect(await ask(files, ...packet)).toMatchObject({
			action,
			policy: "DefaultPosture",
			rule: null,
			file: null,
		});
		expect(await told(files, ...packet)).toBe(
			`${action}: DefaultPosture\n  no rule matches, and Allow a ingress[0] (${join(files.path, "a.yaml")}:1) makes ingress an allow-list\n`,
		);
		expect(await ask(files, "ingress", "tcp", "192.0.2.1", "80")).toMatchObject({
			action: "Allow",
			policy: "a",
		});
		expect(await ask(files, "egress", "tcp", "198.51.100.1", "80")).toMatchObject({ policy: null });
	});

	test("allowlistScope host carries the posture over to the other direction", async () => {
		const allow = policy("a", { action: "Allow", ingress: [{ from: [block("192.0.2.0/24")] }] });
		using files = directory({ "a.yaml": allow }, { allowlistScope: "host" });
		expect(await ask(files, "egress", "tcp", "192.0.2.1", "80")).toMatchObject({ policy: "DefaultPosture" });
		expect(await told(files, "egress", "tcp", "192.0.2.1", "80")).toContain(
			`Allow a ingress[0] (${join(files.path, "a.yaml")}:1) makes egress an allow-list`,
		);
	});

	test("the rule that decides comes with its file and line", async () => {
		const second = policy("p", {
			action: "Block",
			ingress: [{ iface: ["eth1"] }, { ports: [port("TCP", 22)] }],
		});
		using files = directory({ "a.yaml": `\n\n${second}` });
		const file = join(files.path, "a.yaml");
		expect(await ask(files, "ingress", "tcp", "2001:db8::1", "22")).toMatchObject({
			action: "Block",
			policy: "p",
			rule: 1,
			file,
			line: 3,
		});
		expect(await told(files, "ingress", "tcp", "2001:db8::1", "22")).toBe(
			`Block: p ingress[1] (${file}:3)\n`,
		);
	});

	test("a policy for other hosts decides nothing", async () => {
		const spec = { nodeSelector: { matchLabels: { role: "db" } }, action: "Block", ingress: [{}] };
		using files = directory({ "a.yaml": policy("db", spec) });
		expect(await ask(files, "ingress", "tcp", "192.0.2.1", "1")).toMatchObject({ policy: null });
		files.config({ nodeLabels: { role: "db" } });
		expect(await ask(files, "ingress", "tcp", "192.0.2.1", "1")).toMatchObject({ policy: "db" });
	});

	test("--iface names the interface; without it only rules for every interface match", async () => {
		const spec = { action: "Block", ingress: [{ iface: ["eth*"] }] };
		using files = directory({ "a.yaml": policy("eth", spec) });
		const packet = ["ingress", "tcp", "192.0.2.1", "1"];
		expect(await ask(files, ...packet)).toMatchObject({ policy: null });
		expect(await ask(files, ...packet, "--iface", "eth7")).toMatchObject({ policy: "eth" });
		expect(await ask(files, ...packet, "--iface", "wlan0")).toMatchObject({ policy: null });
	});
});

describe("what was overridden", () => {
	test("by exceptions carved out of exceptions, each with its reason", async () => {
		using files = directory(carved);
		const answer = await ask(files, "ingress", "tcp", "10.1.9.1", "https");
		expect(answer).toMatchObject({ action: "Audit", policy: "guest", rule: 0 });
		const overridden = answer.overridden.map(({ policy, action, reason, by }) => [
			policy,
			action,
			reason,
			by.policy,
		]);
		expect(overridden.map(([name, action, reason]) => [name, action, reason]).sort()).toEqual([
			["all", "Block", "carved"],
			["office", "Allow", "carved"],
		]);
		expect(overridden.find(([name]) => name === "office")?.[3]).toBe("guest");
		const places = answer.overridden.map(({ file, line }) => `${file}:${line}`).sort();
		expect(places).toEqual([`${files.path}/a.yaml:1`, `${files.path}/b.yaml:1`]);
		const text = await told(files, "ingress", "tcp", "10.1.9.1", "443");
		expect(text).toStartWith(`Audit: guest ingress[0] (${join(files.path, "c.yaml")}:1)\n`);
		expect(text).toContain("over Allow office ingress[0]");
		expect(text).toContain("a more specific rule makes an exception");
	});

	test("where rules merely overlap, the stricter one stays", async () => {
		using files = directory({
			"a.yaml": policy("net", { action: "Allow", ingress: [{ from: [block("10.0.0.0/8")] }] }),
			"b.yaml": policy("port", { action: "Block", ingress: [{ ports: [port("TCP", 22)] }] }),
		});
		const answer = await ask(files, "ingress", "tcp", "10.0.0.1", "22");
		expect(answer).toMatchObject({ action: "Block", policy: "port" });
		expect(answer.overridden).toMatchObject([{ policy: "net", reason: "stricter", by: { policy: "port" } }]);
		expect(await told(files, "ingress", "tcp", "10.0.0.1", "22")).toContain("the stricter one wins");
	});

	test("of two rules that say the same, one gives its name", async () => {
		const rule = { action: "Block", ingress: [{ ports: [port("TCP", 22)] }] };
		using files = directory({ "a.yaml": policy("b", rule), "b.yaml": policy("a", rule) });
		const answer = await ask(files, "ingress", "tcp", "10.0.0.1", "22");
		expect(answer).toMatchObject({ policy: "a", overridden: [{ policy: "b", reason: "same" }] });
	});
});

describe("protocols without ports, and source ports", () => {
	const ports = (...entries: Record<string, unknown>[]) => ({ ports: entries });
	const set = {
		"a.yaml": policy("ping", {
			action: "Allow",
			ingress: [ports({ protocol: "ICMP", icmpType: "echo-request" })],
		}),
		"b.yaml": policy("icmp", { action: "Block", ingress: [ports({ protocol: "ICMP" })] }),
		"c.yaml": policy("tunnel", { action: "Block", ingress: [ports({ protocol: "GRE" }, { protocol: 89 })] }),
		"d.yaml": policy("ssdp", {
			action: "Audit",
			ingress: [ports({ protocol: "UDP", sourcePort: 1900, sourceEndPort: 1901 })],
		}),
		"e.yaml": policy("ping6", { action: "Audit", ingress: [ports({ protocol: "ICMPv6", icmpType: 128 })] }),
		"f.yaml": policy("rest", { action: "Block", ingress: [ports({ protocol: "UDP" })] }),
	};

	test.each([
		[["icmp", "192.0.2.7"], "ping"],
		[["ICMP", "192.0.2.7", "--icmp-type", "8"], "ping"],
		[["1", "192.0.2.7", "--icmp-type", "echo-request"], "ping"],
		[["icmp", "192.0.2.7", "--icmp-type", "timestamp-request"], "icmp"],
		[["icmpv6", "2001:db8::7"], "ping6"],
		[["icmpv6", "2001:db8::7", "--icmp-type", "139"], "DefaultPosture"],
		[["gre", "192.0.2.7"], "tunnel"],
		[["47", "2001:db8::7"], "tunnel"],
		[["ospf", "192.0.2.7"], "tunnel"],
		[["90", "192.0.2.7"], "DefaultPosture"],
		[["udp", "192.0.2.7", "40000", "--source-port", "ssdp"], "ssdp"],
		[["udp", "192.0.2.7", "40000", "--source-port", "1902"], "rest"],
		[["17", "192.0.2.7", "40000"], "rest"],
	] as const)("%p is decided by %s", async (args, name) => {
		using files = directory(set);
		expect(await ask(files, "ingress", ...args)).toMatchObject({ policy: name });
	});

	test("what a rule for a type overrides is told", async () => {
		using files = directory(set);
		expect(await told(files, "ingress", "icmp", "192.0.2.7")).toContain("over Block icmp ingress[0]");
	});
});

describe("arguments", () => {
	test("service names in any case, and any case of the rest", async () => {
		using files = directory({
			"a.yaml": policy("ssh", { action: "Block", ingress: [{ ports: [port("TCP", 22)] }] }),
		});
		for (const name of ["ssh", "SSH", "22", "022"]) {
			expect(await ask(files, "INGRESS", "Tcp", "192.0.2.1", name)).toMatchObject({ policy: "ssh" });
		}
	});

	test.each([
		[[], "write the direction, protocol, address and port"],
		[["ingress", "tcp", "192.0.2.1"], "write the direction, protocol, address and port"],
		[["ingress", "tcp", "192.0.2.1", "22", "23"], "write the direction, protocol, address and port"],
		[["in", "tcp", "192.0.2.1", "22"], "write ingress or egress"],
		[
			["ingress", "icmp", "192.0.2.1", "8"],
			'ICMP has no ports; leave "8" out; for one type of it write --icmp-type 8',
		],
		[["egress", "gre", "192.0.2.1", "22"], "GRE has no ports"],
		[["egress", "89", "192.0.2.1", "--source-port", "22"], "OSPF has no ports; leave --source-port out"],
		[["ingress", "256", "192.0.2.1"], "a number from 0 to 255"],
		[["ingress", "icmp", "2001:db8::1"], "write icmpv6 for an address of IPv6"],
		[["ingress", "icmpv6", "192.0.2.1"], "write icmp for an address of IPv4"],
		[["ingress", "ah", "2001:db8::1"], "extension header"],
		[["ingress", "icmp", "192.0.2.1", "--icmp-type", "ping"], "did you mean echo-request?"],
		[["ingress", "gre", "192.0.2.1", "--icmp-type", "8"], "--icmp-type belongs to icmp"],
		[["ingress", "tcp", "192.0.2.1", "22", "--icmp-type", "8"], "--icmp-type belongs to icmp"],
		[["ingress", "udp", "192.0.2.1", "22", "--source-port", "70000"], "write a number from 0 to 65535"],
		[["ingress", "constructor", "192.0.2.1", "22"], "write tcp, udp or sctp"],
		[["ingress", "tcp", "192.0.2.0/24", "22"], "write one such as 192.0.2.7"],
		[["ingress", "tcp", "192.0.2.256", "22"], "write one such as 192.0.2.7"],
		[["ingress", "tcp", "010.0.0.1", "22"], "write one such as 192.0.2.7"],
		[["ingress", "tcp", "fe80::1%eth0", "22"], "write one such as 192.0.2.7"],
		[["ingress", "tcp", "localhost", "22"], "write one such as 192.0.2.7"],
		[["ingress", "tcp", "192.0.2.1", "65536"], "write a number from 0 to 65535"],
		[["ingress", "tcp", "192.0.2.1", "9".repeat(400)], "write a number from 0 to 65535"],
		[["ingress", "tcp", "192.0.2.1", "postgresqll"], "did you mean postgresql?"],
		[["ingress", "sctp", "192.0.2.1", "postgresql"], "is a service of TCP"],
		[["ingress", "tcp", "192.0.2.1", "22", "--iface", "eth*"], "write one interface's name"],
		[["ingress", "tcp", "192.0.2.1", "22", "--iface", "a-name-over-15-bytes"], "at most 15 bytes"],
		[["ingress", "tcp", "192.0.2.1", "22", "--iface", "a b"], 'as "ip link" shows it'],
		[["ingress", "tcp", "192.0.2.1", "22", "--ifcae", "eth0"], "did you mean --iface?"],
	])("%p is 64, with help", async (args, text) => {
		const { code, out, error } = await portward("explain", ...args);
		expect([code, out]).toEqual([64, ""]);
		expect(error).toContain(text);
		expect(error).toContain("Usage: portward explain");
	});

	test("hostile words are escaped", async () => {
		const bad = "\x1b]0;x\x07\u202e";
		for (const args of [
			[bad, "tcp", "::", "1"],
			["ingress", bad, "::", "1"],
			["ingress", "tcp", bad, "1"],
			["ingress", "tcp", "::", bad],
		]) {
			const { code, error } = await portward("explain", ...args);
			expect(code).toBe(64);
			expect(error).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
		}
	});
});

test("a broken policy is told and 1, and the others are still explained", async () => {
	using files = directory({ ...carved, "d.yaml": "kind: [" });
	const args = ["--policy-dir", files.path, "--config", join(files.path, ".config"), "--json"];
	const { code, out, error } = await portward("explain", ...args, "ingress", "tcp", "10.5.0.1", "443");
	expect(code).toBe(1);
	expect(JSON.parse(out)).toMatchObject({ action: "Block", policy: "all" });
	expect(error).toContain("d.yaml:1:");
});

test("a file name that an attacker chose moves no cursor", async () => {
	using files = directory({});
	files.put("a\x1b[2J\u202e.yaml", carved["a.yaml"]);
	const packet = ["ingress", "tcp", "10.5.0.1", "443"];
	expect(await told(files, ...packet)).toContain("a\\x1b[2J\\u{202e}.yaml:1");
	const args = ["--policy-dir", files.path, "--config", join(files.path, ".config"), "--json", ...packet];
	const { out } = await portward("explain", ...args);
	expect(out).not.toMatch(/[\x1b\u202e]/);
	expect(JSON.parse(out).file).toBe(join(files.path, "a\x1b[2J\u202e.yaml"));
});

test("policies that do not select this host are counted, so that their silence is understood", async () => {
	const spec = { nodeSelector: { matchLabels: { role: "db" } }, action: "Block", ingress: [{}] };
	using files = directory({ "a.yaml": carved["b.yaml"], "z.yaml": policy("db", spec) });
	const args = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	const { code, out, error } = await portward("explain", ...args, "ingress", "tcp", "10.5.0.1", "443");
	expect(code).toBe(0);
	expect(out).toContain("DefaultPosture");
	expect(error).toBe("portward: 1 of 2 policies do not select this host and are left out\n");
});

test("a policy directory that cannot be read gives no verdict", async () => {
	const args = ["--policy-dir", "/nowhere", "--config", "/dev/null", "--json"];
	const { code, out, error } = await portward("explain", ...args, "ingress", "tcp", "10.5.0.1", "443");
	expect([code, JSON.parse(out)]).toMatchObject([1, { ok: false, diagnostics: [{ file: "/nowhere" }] }]);
	expect(error).toContain("/nowhere");
});

test("a failsafe rule comes before every policy, and what it overrules is told", async () => {
	using files = directory(carved, {
		failsafe: {
			ingress: [
				{ protocol: "UDP", port: 53 },
				{ protocol: "TCP", cidr: "10.1.0.0/16" },
			],
		},
	});
	const answer = await ask(files, "ingress", "tcp", "10.1.9.7", "443");
	expect(answer).toMatchObject({ action: "Allow", policy: "Failsafe", rule: 1, file: null });
	expect(answer.overridden[0]).toMatchObject({
		policy: "guest",
		action: "Audit",
		reason: "failsafe",
		by: { policy: "Failsafe", rule: 1 },
	});
	expect(await told(files, "ingress", "tcp", "10.1.9.7", "443")).toContain("Allow: Failsafe ingress[1]\n");
	expect(await ask(files, "ingress", "tcp", "10.2.0.1", "443")).toMatchObject({ policy: "all" });
});
