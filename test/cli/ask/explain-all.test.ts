import { expect, test } from "bun:test";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const policies = {
	"a.yaml": policy("web", {
		action: "Allow",
		ingress: [{ from: [block("10.0.0.0/8")], ports: [port("TCP", 443)] }],
	}),
	"b.yaml": policy("ping", {
		action: "Block",
		ingress: [{ iface: ["wan0"], ports: [{ protocol: "ICMP", icmpType: 8 }] }],
	}),
};

async function ask(...args: readonly string[]) {
	using files = new Files(policies);
	const config = files.config({ hostDefaultNetworkPosture: "audit" });
	const ended = await portward("explain", "--policy-dir", files.path, "--config", config, ...args);
	return { ...ended, out: ended.out.replaceAll(`${files.path}/`, "") };
}

test("every port of an address, as ranges with the rule that decides", async () => {
	const { code, out, error } = await ask("--all", "10.0.0.1");
	expect([code, error]).toEqual([0, ""]);
	expect(out).toBe(`ingress from 10.0.0.1
  tcp   0-442               Audit  DefaultPosture, as web ingress[0] (a.yaml:1) is an Allow
  tcp   443                 Allow  web ingress[0] (a.yaml:1)
  tcp   444-65535           Audit  DefaultPosture, as web ingress[0] (a.yaml:1) is an Allow
  any                       Audit  DefaultPosture, as web ingress[0] (a.yaml:1) is an Allow
  icmp             on wan0  Audit  DefaultPosture, as web ingress[0] (a.yaml:1) is an Allow
  icmp  type 8     on wan0  Block  ping ingress[0] (b.yaml:1)
  tcp   0-442      on wan0  Audit  DefaultPosture, as web ingress[0] (a.yaml:1) is an Allow
  tcp   443        on wan0  Allow  web ingress[0] (a.yaml:1)
  tcp   444-65535  on wan0  Audit  DefaultPosture, as web ingress[0] (a.yaml:1) is an Allow
  any              on wan0  Audit  DefaultPosture, as web ingress[0] (a.yaml:1) is an Allow
egress to 10.0.0.1
  any  Allow  no rule matches
`);
});

test("as JSON, of one interface alone", async () => {
	const { out } = await ask("--all", "2001:db8::1", "--iface", "wan0", "--json");
	expect(JSON.parse(out)).toEqual({
		address: "2001:db8::1",
		verdicts: [
			{
				direction: "ingress",
				protocol: "any",
				ports: null,
				interface: "wan0",
				action: "Audit",
				policy: "DefaultPosture",
				rule: null,
				file: null,
				line: null,
			},
			{
				direction: "egress",
				protocol: "any",
				ports: null,
				interface: "wan0",
				action: "Allow",
				policy: null,
				rule: null,
				file: null,
				line: null,
			},
		],
	});
});

test("no address, or more than one question, is wrong usage", async () => {
	for (const args of [["10.0.0.0/8"], ["10.0.0.1", "ingress"], ["10.0.0.1", "--icmp-type", "8"]]) {
		expect((await ask("--all", ...args)).code).toBe(64);
	}
});

test("what is staged is named, as the table is of what is in force", async () => {
	const document = JSON.parse(policies["a.yaml"]);
	const annotations = { "portward.io/mode": "staged" };
	using files = new Files({
		...policies,
		"c.yaml": JSON.stringify({ ...document, metadata: { name: "later", annotations } }),
	});
	const common = ["explain", "--policy-dir", files.path, "--config", files.config({}), "--all", "10.0.0.1"];
	for (const more of [[], ["--json"]]) {
		const { code, error } = await portward(...common, ...more);
		expect([code, error]).toEqual([0, `portward: ${files.path}: 1 staged, so not in force: later\n`]);
	}
});
