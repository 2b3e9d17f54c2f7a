import { expect, test } from "bun:test";
import { join } from "node:path";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const allow = (...ports: readonly number[]) =>
	policy("web", {
		action: "Allow",
		ingress: [{ from: [block("10.0.0.0/8")], ports: ports.map((one) => port("TCP", one)) }],
	});

/** `portward diff` of two directories with a file each. */
async function ask(before: string, after: string, ...args: readonly string[]) {
	using a = new Files({ "a.yaml": before });
	using b = new Files({ "a.yaml": after });
	a.config({});
	return await portward("diff", a.path, b.path, "--config", join(a.path, ".config"), ...args);
}

test("equal meaning in another text is no difference", async () => {
	const other = `# the same\n${JSON.stringify(JSON.parse(allow(443, 80)), null, 2)}`;
	expect(await ask(allow(80, 443), other, "--json")).toMatchObject({
		code: 0,
		error: "",
		out: '{\n  "equal": true,\n  "boxes": []\n}\n',
	});
	expect((await ask(allow(80), allow(80))).out).toBe(
		"The two sets say the same about every new connection.\n",
	);
});

test("a port that opens is told in words, as a table and as JSON, with exit code 2", async () => {
	const words = await ask(allow(80), allow(80, 443));
	expect(words).toMatchObject({
		code: 2,
		out: "Block → Allow: ingress tcp 443 from 10.0.0.0/8\n1 difference\n",
	});
	const table = await ask(allow(80), allow(80, 443), "--markdown");
	expect(table.out).toContain("| ingress | tcp | 443 | 10.0.0.0/8 | any | Block | Allow |");
	const json = await ask(allow(80), allow(80, 443), "--json");
	expect(JSON.parse(json.out)).toEqual({
		equal: false,
		boxes: [
			{
				direction: "ingress",
				protocol: "tcp",
				ports: [443, 443],
				addresses: ["10.0.0.0/8"],
				interface: null,
				before: "Block",
				after: "Allow",
			},
		],
	});
});

test("what changes for guests alone, or for the host alone, is told apart", async () => {
	const scoped = (scope: string, action: string) => {
		const { metadata, ...rest } = JSON.parse(
			policy("scoped", { action, ingress: [{ ports: [port("UDP", 53)] }] }),
		);
		return JSON.stringify({
			...rest,
			metadata: { ...metadata, annotations: { "portward.io/applies-to": scope } },
		});
	};
	const guests = await ask(scoped("guests", "Audit"), scoped("guests", "Block"), "--json");
	expect([guests.code, JSON.parse(guests.out)]).toMatchObject([
		2,
		{
			equal: false,
			boxes: [],
			forwarded: [{ protocol: "udp", ports: [53, 53], before: "Audit", after: "Block" }],
		},
	]);
	const text = await ask(scoped("guests", "Audit"), scoped("guests", "Block"));
	expect(text.out).toStartWith(
		"What is forwarded to guests and from them:\n\nAudit → Block: ingress udp 53 from ",
	);
	const host = await ask(scoped("host", "Audit"), scoped("host", "Block"));
	expect(host.code).toBe(2);
	expect(host.out).toEndWith(
		"1 difference\n\nWhat is forwarded to guests and from them:\n\nnothing changes\n",
	);
	const all = await ask(scoped("all", "Audit"), scoped("all", "Block"), "--json");
	expect(JSON.parse(all.out)).not.toHaveProperty("forwarded");
	expect((await ask(scoped("guests", "Audit"), scoped("guests", "Audit"), "--json")).out).toContain(
		'"equal": true',
	);
});

test("limits that differ are a difference, and those of a rule with another name are not", async () => {
	const limited = (name: string, connections: string) =>
		policy(name, {
			action: "Allow",
			ingress: [
				{
					from: [block("10.0.0.0/8", "10.9.0.0/16")],
					iface: ["eth*"],
					ports: [port("TCP", 80)],
					rateLimit: { connections },
					exceedAction: "Audit",
				},
			],
		});
	expect((await ask(limited("a", "1/day"), limited("b", "1/day"))).code).toBe(0);
	const words = await ask(limited("a", "1/day"), limited("a", "2/day"));
	const text = (rate: string) => `${rate} (burst 5) from each source (IPv6: each /64)`;
	expect(words).toMatchObject({
		code: 2,
		out: `Limits of rules:
- removed: rateLimit ${text("1/day")} of a ingress[0], beyond it Audit
- added: rateLimit ${text("2/day")} of a ingress[0], beyond it Audit
`,
	});
	const json = await ask(limited("a", "1/day"), limited("a", "2/day"), "--json");
	expect(JSON.parse(json.out)).toMatchObject({
		equal: false,
		boxes: [],
		limits: [{ change: "removed" }, { change: "added", text: text("2/day"), exceedAction: "Audit" }],
	});
});

test("quotas that differ are a difference, beside what differs else", async () => {
	const counted = (limit: string, more: readonly object[] = []) =>
		policy("backup", {
			action: "Block",
			egress: [{ to: [block("203.0.113.0/24")], limit, duration: "1d" }, ...more],
		});
	expect((await ask(counted("1GB"), counted("1024MB"))).code).toBe(0);
	const words = await ask(counted("1GB"), counted("2GB"));
	expect(words).toMatchObject({
		code: 2,
		out: `Quotas of rules:
- changed: limit 2GB in 1d, beyond it Block, of backup egress[0] (before: 1GB in 1d, beyond it Block)
`,
	});
	const json = await ask(counted("1GB"), counted("2GB"), "--json");
	const terms = { limitBytes: 2 ** 31, windowSeconds: 86_400, action: "Block", text: "2GB in 1d" };
	expect(JSON.parse(json.out)).toEqual({
		equal: false,
		boxes: [],
		quotas: [
			{
				...{ change: "changed", policy: "backup", rule: 0, direction: "egress", ...terms },
				before: { ...terms, limitBytes: 2 ** 30, text: "1GB in 1d" },
			},
		],
	});
	const both = await ask(counted("1GB"), counted("2GB", [{ to: [block("192.0.2.0/24")] }]));
	expect(both.out).toContain("1 difference\n\nQuotas of rules:\n- changed");
});

test("a set with an error in it is compared with nothing", async () => {
	const broken = await ask(allow(80), "kind: [");
	expect(broken).toMatchObject({ code: 1, out: "" });
	expect(broken.error).toContain("a.yaml:1:");
});

test("two sets are needed", async () => {
	expect((await portward("diff", "/a")).code).toBe(64);
	expect((await portward("diff", "/a", "/b", "--json", "--markdown")).code).toBe(64);
});
