import { describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { parseConfig } from "../../../src/config/parse.ts";
import { networkAlert } from "../../../src/enforcers/network/report/network-alert.ts";
import { compileSet } from "../../../src/engine/policy-model.ts";
import { violations } from "../../support/json-schema.ts";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const settings = { hostDefaultNetworkPosture: "block" };
const database = policy("database", {
	action: "Allow",
	ingress: [{ from: [block("10.0.2.0/24")], ports: [port("TCP", 5432)] }],
});

interface Shape {
	readonly action?: string;
	readonly policy?: string;
	readonly rule?: number;
	readonly resource?: string;
	readonly data?: Readonly<Record<string, string>>;
}

/** An alert of a packet from 10.0.1.5 to TCP 5432. */
function alert({
	action = "Block",
	policy: by = "DefaultPosture",
	rule,
	resource,
	data,
}: Shape = {}): string {
	return JSON.stringify({
		UpdatedTime: "2026-11-29T10:00:00.000000Z",
		PolicyName: by,
		Action: action,
		Type: "MatchedNetworkPolicy",
		Operation: "NetworkFirewall",
		Resource: resource ?? "INGRESS",
		EventData: {
			SourceIP: "10.0.1.5",
			SourcePort: "40000",
			DestinationIP: "10.0.9.9",
			DestinationPort: "5432",
			Protocol: "TCP",
			Interface: "eth0",
			...(rule === undefined ? {} : { RuleIndex: String(rule) }),
			...data,
		},
	});
}

async function ask(policies: Readonly<Record<string, string>>, line: string, ...args: readonly string[]) {
	using files = new Files(policies);
	files.config(settings);
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	const ended = await portward("explain", ...common, "--from-alert", line, ...args);
	return { ...ended, text: ended.out.replaceAll(`${files.path}/`, "") };
}

async function json(policies: Readonly<Record<string, string>>, line: string) {
	const { code, out, error } = await ask(policies, line, "--json");
	expect([code, error]).toEqual([0, ""]);
	return JSON.parse(out);
}

describe("the smallest change", () => {
	test("where nothing matches: an Allow of just that flow, which works when it is added", async () => {
		const answer = await json({ "a.yaml": database }, alert());
		expect(answer).toMatchObject({
			packet: {
				direction: "ingress",
				protocol: "tcp",
				address: "10.0.1.5",
				port: 5432,
				sourcePort: 40000,
				interface: "eth0",
			},
			alert: { action: "Block", policy: "DefaultPosture", rule: null, agrees: true },
			action: "Block",
			policy: "DefaultPosture",
			change: {
				action: "Allow",
				changes: [
					{
						direction: "ingress",
						protocol: "tcp",
						ports: [5432, 5432],
						addresses: ["10.0.1.5/32"],
						interface: null,
						before: "Block",
						after: "Allow",
					},
				],
				others: [],
			},
		});
		using files = new Files({ "a.yaml": database, "b.yaml": answer.change.yaml });
		const common = ["--policy-dir", files.path, "--config", files.config(settings)];
		const verdict = async (...words: string[]) =>
			JSON.parse((await portward("explain", ...common, "--json", ...words)).out);
		expect(await verdict("ingress", "tcp", "10.0.1.5", "5432")).toMatchObject({
			action: "Allow",
			policy: "pass-tcp-5432-from-10.0.1.5",
		});
		expect((await verdict("ingress", "tcp", "10.0.1.6", "5432")).action).toBe("Block");
		expect((await verdict("ingress", "tcp", "10.0.1.5", "5433")).action).toBe("Block");
	});

	test("as text: what was alerted, why, and the policy to add", async () => {
		const { text, code } = await ask({ "a.yaml": database }, alert());
		expect(code).toBe(0);
		expect(text).toBe(`ingress tcp 5432 from 10.0.1.5 on eth0: Block by DefaultPosture when it was alerted
Block: DefaultPosture
  no rule matches, and Allow database ingress[0] (a.yaml:1) makes ingress an allow-list

This policy would let it pass. Compared over all packets, nothing else would change.

apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: pass-tcp-5432-from-10.0.1.5
spec:
  nodeSelector:
    matchLabels:
      kubernetes.io/hostname: "*"
  ingress:
  - from:
    - ipBlock:
        cidr: 10.0.1.5/32
    ports:
    - protocol: TCP
      port: 5432
    action: Allow
`);
	});

	test("where an Allow would make an allow-list of the direction: an Audit", async () => {
		const closed = policy("closed", { action: "Block", ingress: [{ from: [block("10.0.0.0/8")] }] });
		const { change, alert: then } = await json({ "a.yaml": closed }, alert());
		// The alert was of another rule.
		expect(then.agrees).toBe(false);
		expect(change).toMatchObject({ action: "Audit", changes: [{ before: "Block", after: "Audit" }] });
		expect((await ask({ "a.yaml": closed }, alert())).text).toContain(
			"The policies say something else now:\nBlock: closed ingress[0] (a.yaml:1)\n",
		);
	});

	test("where a rule of an interface, or of source ports, blocks: of those too", async () => {
		const named = policy("named", { action: "Block", ingress: [{ iface: ["eth*"] }] });
		const onInterface = await json({ "a.yaml": named, "b.yaml": database }, alert());
		expect(onInterface.change.yaml).toContain("iface:\n    - eth0\n");
		expect(onInterface.change.changes).toMatchObject([{ interface: "eth0", after: "Allow" }]);
		const sources = policy("sources", {
			action: "Block",
			ingress: [{ ports: [{ protocol: "TCP", sourcePort: 40000 }] }],
		});
		const fromPort = await json({ "a.yaml": sources, "b.yaml": database }, alert());
		expect(fromPort.change.yaml).toContain("sourcePort: 40000\n");
		expect(fromPort.change.changes).toMatchObject([{ sourcePorts: [40000, 40000] }]);
	});

	test("where a Block means this very flow: that rule", async () => {
		const exact = policy("exact", {
			action: "Block",
			ingress: [
				{
					from: [block("10.0.1.5/32")],
					iface: ["eth0"],
					ports: [{ protocol: "TCP", port: 5432, sourcePort: 40000 }],
				},
			],
		});
		const { change } = await json({ "a.yaml": exact }, alert({ policy: "exact", rule: 0 }));
		expect(change).toEqual({
			edit: { policy: "exact", rule: 0, file: expect.stringMatching(/\/a\.yaml$/u), line: 1 },
		});
	});

	test("none where it passes by now", async () => {
		const open = policy("open", { action: "Allow", ingress: [{ from: [block("10.0.1.0/24")] }] });
		const answer = await json({ "a.yaml": open }, alert());
		expect(answer).toMatchObject({ action: "Allow", alert: { agrees: false }, change: null });
	});

	test("ports are what protocols without them do not have", async () => {
		const gre = alert({ data: { Protocol: "Proto-253", DestinationPort: "", SourcePort: "" } });
		const { EventData, ...rest } = JSON.parse(gre);
		const { DestinationPort: _, SourcePort: __, ...data } = EventData;
		const answer = await json({ "a.yaml": database }, JSON.stringify({ ...rest, EventData: data }));
		expect(answer.packet).toMatchObject({ protocol: "253", port: null });
		expect(answer.change.changes).toMatchObject([{ protocol: "253", ports: null }]);
	});
});

test("egress asks about the destination, and what enforcement: audit would refuse gets its change", async () => {
	const dns = policy("dns", { action: "Allow", egress: [{ ports: [port("UDP", 53)] }] });
	using files = new Files({ "a.yaml": dns });
	const config = files.config({ ...settings, enforcement: "audit" });
	const { config: typed } = parseConfigFile(config);
	const { compiled } = compileSet(files.path, { ...typed, policyDir: files.path });
	const posture = compiled.ok ? compiled.kept.egress.posture : null;
	if (posture === null) throw new Error("there is no posture");
	const packet = {
		family: 6,
		source: "2001:db8::1",
		destination: "2001:db8::7",
		protocol: 6,
		sourcePort: 50_000,
		destinationPort: 443,
	} as const;
	const event = { time: 0, ruleId: posture.id, packet, interface: "eth0" };
	const line = JSON.stringify(networkAlert(event, posture, { clusterName: "", hostName: "h", nodeId: "" }));
	const ended = await portward(
		"explain",
		...["--policy-dir", files.path, "--config", config, "--json", "--from-alert", line],
	);
	expect(JSON.parse(ended.out)).toMatchObject({
		packet: { direction: "egress", address: "2001:db8::7", port: 443, protocol: "tcp" },
		alert: { action: "Audit", agrees: true },
		action: "Audit",
		wouldBe: "Block",
		change: { action: "Allow", changes: [{ addresses: ["2001:db8::7/128"], ports: [443, 443] }] },
	});
});

function parseConfigFile(file: string) {
	const parsed = parseConfig(file, JSON.stringify({ ...settings, enforcement: "audit" }));
	if (!parsed.ok) throw new Error("these settings are broken");
	return parsed;
}

test("standard input: the first line that is one", async () => {
	using files = new Files({ "a.yaml": database });
	const config = files.config(settings);
	const main = resolve(import.meta.dir, "../../../src/main.ts");
	const run = async (text: string) => {
		const asked = ["explain", "--policy-dir", files.path, "--config", config, "--from-alert", "-"];
		const stdin = new Blob([text]);
		const piped = { stdin, stdout: "pipe", stderr: "pipe" } as const;
		const child = Bun.spawn([process.execPath, main, ...asked], piped);
		const [out, error, code] = await Promise.all([
			new Response(child.stdout).text(),
			new Response(child.stderr).text(),
			child.exited,
		]);
		return { out, error, code };
	};
	const first = await run(`\n${alert()}\n${alert({ data: { DestinationPort: "1" } })}\n`);
	expect(first.out).toStartWith("ingress tcp 5432 from 10.0.1.5 on eth0: Block by DefaultPosture");
	expect(first.code).toBe(0);
	expect(await run("\n")).toEqual({
		out: "",
		error: "portward: nothing came through standard input\n",
		code: 1,
	});
});

describe("what tells of no connection", () => {
	test.each([
		["no alert", '"no alert" is not JSON; give an alert\'s whole line'],
		["{}", "this is not an alert"],
		[alert({ data: { DestinationPort: "x" } }), "the alert tells of no packet"],
		[
			JSON.stringify({ ...JSON.parse(alert()), Operation: "Device", EventData: { Port: "1-2" } }),
			"the alert is about a USB device; ask portward usb explain 1-2",
		],
		[JSON.stringify({ ...JSON.parse(alert()), Operation: "System" }), 'has "Operation":"NetworkFirewall"'],
		[JSON.stringify({ ...JSON.parse(alert()), EventData: {} }), "the alert tells no address"],
	])("%s", async (line, message) => {
		const { code, error } = await ask({}, line);
		expect(code).toBe(1);
		expect(error).toContain(message);
	});

	test("wrong usage", async () => {
		for (const more of [["ingress"], ["--iface", "eth0"], ["--all", "10.0.0.1"]]) {
			expect((await ask({}, alert(), ...more)).code).toBe(64);
		}
	});
});

describe("an alert of what a staged policy would have done", () => {
	const ports = { ingress: [{ ports: [port("TCP", 5432)] }] };
	const document = JSON.parse(policy("later", { action: "Block", ...ports }));
	const metadata = { ...document.metadata, annotations: { "portward.io/mode": "staged" } };
	const staged = JSON.stringify({ ...document, metadata });
	const line = (rule: number) =>
		alert({ action: "Audit (Block)", policy: "later", rule, data: { Staged: "later" } });

	test("agrees where that would still do it", async () => {
		const { text, code } = await ask({ "a.yaml": staged }, line(0));
		expect(code).toBe(0);
		expect(text).not.toContain("say something else now");
		expect(text).toContain("Allow: no rule matches");
		expect(text).toContain("staged policy later ingress[0] would block it\n");
		const told = await json({ "a.yaml": staged }, line(0));
		expect(violations(told, "explain-alert")).toEqual([]);
		expect(told).toMatchObject({
			alert: { agrees: true },
			staged: { policies: ["later"], policy: "later", rule: 0 },
		});
	});

	test("does not where another rule would, or it is enforced or gone by now", async () => {
		const enforced = policy("later", { action: "Block", ...ports });
		expect((await json({ "a.yaml": staged }, line(1))).alert.agrees).toBe(false);
		expect((await json({ "a.yaml": enforced }, line(0))).alert.agrees).toBe(false);
		const gone = await json({}, line(0));
		expect([gone.alert.agrees, gone.staged]).toEqual([false, undefined]);
	});
});

describe("an alert of a packet that was forwarded to a guest", () => {
	const forwarded = { data: { Hook: "forward", GuestIP: "172.17.0.2", GuestPort: "5432" } };
	// The host's own port is open to the sender already.
	const own = JSON.parse(
		policy("host", {
			action: "Allow",
			ingress: [{ from: [block("10.0.1.0/24")], ports: [port("TCP", 5432)] }],
		}),
	);
	const annotations = { "portward.io/applies-to": "host" };
	const host = JSON.stringify({ ...own, metadata: { ...own.metadata, annotations } });

	async function explained(mode: string, ...more: string[]) {
		using files = new Files({ "db.yaml": database, "host.yaml": host });
		const config = files.config({ ...settings, guests: { forwarded: mode } });
		const common = ["--policy-dir", files.path, "--config", config];
		return await portward("explain", ...common, "--from-alert", alert(forwarded), ...more);
	}

	test("is asked as such, and the policy that is offered holds for guests alone", async () => {
		const { out, code, error } = await explained("enforce");
		expect([code, error]).toEqual([0, ""]);
		expect(out).toContain("Block: DefaultPosture");
		expect(out).toContain("portward.io/applies-to: guests");
		const { change } = JSON.parse((await explained("enforce", "--json")).out);
		expect(change).toMatchObject({ action: "Allow", others: [] });
	});

	test("passes where policies are not asked about guests", async () => {
		expect((await explained("off")).out).toContain("Allow: guests.forwarded is off");
		expect((await explained("audit")).out).toContain("guests.forwarded: audit");
	});
});
