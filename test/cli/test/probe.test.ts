/** `portward test --probe`: real packets at this kernel, in a network that is nobody else's. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { violations } from "../../support/json-schema.ts";
import { executable } from "../../system/support/built.ts";
import { block, policy, port } from "../../system/support/case.ts";
import { Namespace } from "../../system/support/netns.ts";
import { Files } from "../support/portward.ts";

const rules = policy("db", {
	action: "Allow",
	ingress: [
		{ from: [block("10.0.1.0/24")], ports: [port("TCP", 5432)] },
		{ from: [block("10.0.1.66/32")], action: "Block" },
		{
			iface: ["eth1"],
			action: "Audit",
			ports: [port("UDP", 53), port("SCTP", 9), { protocol: "ICMP" }, { protocol: "GRE" }],
		},
		{ from: [block("2001:db8::/32")], ports: [port("TCP", 443), { protocol: "ICMPv6" }] },
		{ from: [block("192.0.2.0/24")], ports: [{ protocol: "UDP", port: 123, sourcePort: 123 }] },
	],
	egress: [
		{
			action: "Block",
			to: [block("203.0.113.0/24")],
			ports: [port("TCP", 25), port("UDP", 53), port("SCTP", 9), { protocol: "ICMP" }, { protocol: "GRE" }],
		},
		{ action: "Block", to: [block("2001:db8:1::/48")], iface: ["eth1"] },
	],
});

const cases = `apiVersion: portward.io/v1
kind: PortwardTest
metadata: { name: t }
spec:
  settings: { hostDefaultNetworkPosture: block }
  cases:
  - { direction: ingress, protocol: udp, address: 192.0.2.7, port: 123, sourcePort: 123, expect: Allow, policy: db }
  - { direction: ingress, protocol: udp, address: 192.0.2.7, port: 123, expect: Block, policy: DefaultPosture }
  - { direction: ingress, protocol: icmp, icmpType: 0, address: 192.0.2.7, expect: Block }
  tables:
  - direction: ingress
    columns: [tcp 5432, tcp 22, udp 53, sctp 9, icmp, gre]
    rows:
      10.0.1.5: . X X X X X
      10.0.1.66: X X X X X X
  - direction: ingress
    interface: eth1
    columns: [tcp 5432, tcp 22, udp 53, sctp 9, icmp, gre, "50"]
    rows:
      10.0.1.5: . X A A A A X
      127.0.0.1: X X A A A A X
  - direction: ingress
    columns: [tcp 443, icmpv6, tcp 80]
    rows:
      2001:db8::7: . . X
  - direction: egress
    columns: [tcp 25, udp 53, sctp 9, icmp, gre, tcp 26]
    rows:
      203.0.113.7: X X X X X .
      192.0.2.1: . . . . . .
  - direction: egress
    interface: eth1
    columns: [tcp 25, udp 53, icmpv6]
    rows:
      2001:db8:1::7: X X X
      2001:db8:2::7: . . .
`;

let files: Files;
let network: Namespace;

beforeAll(async () => {
	files = new Files({ "p.yaml": rules, "t.yaml": cases });
	files.config({ policyDir: files.path });
	network = await Namespace.create();
	network.nft("table inet kubearmor { chain owned_by_portward { }; }; table ip other { };");
});
afterAll(() => {
	network[Symbol.dispose]();
	files[Symbol.dispose]();
});

const seen = () => network.run(["sh", "-ec", "nft list ruleset; ip -o link; ip route show table all"]);
const probe = (...more: readonly string[]) =>
	network.try([executable(), "test", "--config", join(files.path, ".config"), "--probe", ...more]);

test("every case is sent over both forms of ruleset, and the network that the command came from is as before", () => {
	const before = seen();
	const { code, out, error } = probe("--json");
	expect([code, error]).toEqual([0, ""]);
	const document = JSON.parse(out);
	expect(violations(document, "test")).toEqual([]);
	expect(document.probe.disagreements).toEqual([]);
	expect(document.probe.forms).toEqual(["concatenated", "nested-members"]);
	const loopback = document.probe.skipped.filter(({ reason }: { reason: string }) =>
		reason.includes("loopback"),
	);
	expect([loopback.length, document.probe.skipped.length]).toEqual([7, 8]);
	expect(document.probe.agreed).toBe(2 * (document.cases.length - 8));
	expect(seen()).toBe(before);
});

test("what rules decide otherwise for root, who sends the probes, is not probed", () => {
	const udp = { protocol: "UDP", port: 53 };
	const egress = [{ ports: [udp] }, { action: "Allow", user: "root", ports: [udp] }, { action: "Allow" }];
	const about = (more: object) => ({ direction: "egress", protocol: "udp", address: "192.0.2.53", ...more });
	const spec = {
		cases: [
			about({ port: 53, expect: "Block" }),
			about({ port: 53, user: "root", expect: "Allow" }),
			about({ port: 54, expect: "Allow" }),
		],
	};
	const metadata = { name: "who" };
	using own = new Files({
		"p.yaml": policy("who", { action: "Block", egress }),
		"t.yaml": JSON.stringify({ apiVersion: "portward.io/v1", kind: "PortwardTest", metadata, spec }),
	});
	own.config({ policyDir: own.path });
	const argv = [executable(), "test", "--config", join(own.path, ".config"), "--probe", "--json"];
	const { code, out } = network.try(argv);
	const { skipped, disagreements, agreed } = JSON.parse(out).probe;
	expect([code, disagreements, agreed]).toEqual([0, [], 2]);
	expect(new Set(skipped.map(({ name }: { readonly name: string }) => name)).size).toBe(2);
});

test("however many cases there are, no limit and no quota is reached by the probes", () => {
	const [udp, tcp] = [{ protocol: "UDP" }, { protocol: "TCP" }];
	const limits = {
		rateLimit: { connections: "1/day", burst: 1, per: "rule" },
		connectionLimit: { max: 1, per: "rule" },
	};
	const quota = { limit: "1KB", duration: "1d" };
	const ingress = [
		{ ports: [udp], ...limits },
		{ ports: [tcp], ...quota },
		{ action: "Block", ...quota },
	];
	const about = (protocol: string, port: number) => ({
		direction: "ingress",
		protocol,
		address: "192.0.2.53",
		port,
	});
	const cases = Array.from({ length: 30 }, (_, i) =>
		["udp", "tcp"].map((protocol) => ({ ...about(protocol, 1000 + i), expect: "Allow", policy: "capped" })),
	).flat();
	const metadata = { name: "many" };
	using own = new Files({
		"p.yaml": policy("capped", { action: "Allow", ingress }),
		"t.yaml": JSON.stringify({
			...{ apiVersion: "portward.io/v1", kind: "PortwardTest", metadata },
			spec: { cases: [...cases, { ...about("sctp", 9), expect: "Block" }] },
		}),
	});
	own.config({ policyDir: own.path });
	const argv = [executable(), "test", "--config", join(own.path, ".config"), "--probe", "--json"];
	const { code, out } = network.try(argv);
	const { skipped, disagreements, agreed } = JSON.parse(out).probe;
	expect([code, disagreements, skipped, agreed]).toEqual([0, [], [], 122]);
});

test("a form that the settings ask for is the only one", () => {
	files.config({ policyDir: files.path, rulesetForm: "nested" });
	const { code, out } = probe();
	files.config({ policyDir: files.path });
	expect(code).toBe(0);
	expect(out).toContain("disagree about 0 (nested-members)");
});

describe("a disagreement", () => {
	const planted = resolve(import.meta.dir, "support/planted.ts");

	test("that is planted in the model is found over both forms, at its case", () => {
		const address = (10 << 24) | (1 << 8) | 5;
		const { code, out, error } = network.try([process.execPath, planted, files.path, `${address}`]);
		expect([code, error]).toEqual([0, ""]);
		const { ok, report } = JSON.parse(out);
		expect(ok).toBe(true);
		// Of 10.0.1.5: six cells on any interface, and seven on eth1.
		expect(report.disagreements).toHaveLength(2 * 13);
		const first = report.disagreements[0];
		expect(first).toMatchObject({
			name: "ingress table: 10.0.1.5 tcp 5432",
			form: "concatenated",
			model: { action: "Block" },
			kernel: { action: "Allow", policy: "db" },
			line: 14,
		});
	});
});

test("who may not make a network is told, and nothing is sent", () => {
	const argv = ["setpriv", "--bounding-set=-sys_admin", executable(), "test", "--config"];
	const { code, error } = network.try([...argv, join(files.path, ".config"), "--probe"]);
	expect(code).toBe(1);
	expect(error).toContain("run portward test --probe as root");
});
