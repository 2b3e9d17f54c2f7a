/**
 * Who sends: datagrams of real processes, each with a user, a group and a unit of its own, against the brute-force
 * oracle; in both forms of ruleset, judged in `output` and, with interfaces named, in `postrouting`.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseCidr } from "../../../src/base/cidr.ts";
import { networkPart } from "../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";
import { judge, type OracleSender } from "../../enforcers/network/compile/oracle.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { joinNetwork } from "../support/isolated.ts";
import { eventually, Lab } from "../support/netns.ts";
import { SenderProcess, Units } from "../support/senders.ts";

const mark = `pw${process.pid}`;
const unitA = `${mark}-a.service`;
const unitB = `${mark}-b.service`;
const probed = Units.create(`${mark}probe.slice`);
probed?.[Symbol.dispose]();

/** The users that /etc/passwd of any system has. */
const accounts = { root: 0, daemon: 1, nobody: 65534, nogroup: 65534 };

const addresses = ["10.0.0.1", "10.1.0.1", "192.0.2.1", "2001:db8::1", "2001:db8:1::1"];
const ports = [53, 443, 7000];

function policies(action: string, egress: string, name = "p"): string {
	return `
apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata: {name: ${name}}
spec:
  nodeSelector: {matchLabels: {kubernetes.io/hostname: "*"}}
  action: ${action}
  egress:
${egress}
---`;
}

/** Rules that nest and overlap in every dimension. */
const sets: Readonly<Record<string, string>> = {
	"an allow-list for some": policies(
		"Allow",
		`
    - {user: root, ports: [{protocol: UDP, port: 53}]}
    - {user: [nobody, 1001], group: [65534, nosuchgroup${mark}], to: [{ipBlock: {cidr: 10.0.0.0/8}}]}
    - {service: ${unitA}, to: [{ipBlock: {cidr: "2001:db8::/32"}}]}
    - {user: nosuch${mark}}`,
	),
	"Blocks for some, and exceptions from them": [
		policies(
			"Block",
			`
    - {user: 1001}
    - {service: [${unitA}, ${unitB.replace(".service", "")}], ports: [{protocol: UDP, port: 443}]}
    - {to: [{ipBlock: {cidr: 10.0.0.0/16}}]}`,
		),
		policies(
			"Allow",
			`
    - {}
    - {user: 1001, service: ${unitA}, ports: [{protocol: UDP, port: 7000}]}
    - {group: 100, to: [{ipBlock: {cidr: 10.0.0.0/24}}]}
    - {user: 1000, group: 100, to: [{ipBlock: {cidr: 10.0.0.1/32}}], ports: [{protocol: UDP, port: 53}], action: Audit}`,
			"q",
		),
	].join("\n"),
	"one unit beside everybody": policies(
		"Block",
		`
    - {ports: [{protocol: UDP, port: 53}, {protocol: UDP, port: 443}]}
    - {service: ${unitB}, ports: [{protocol: UDP, port: 53}], action: Allow}`,
	),
};

const identities: readonly (OracleSender & { readonly user: number; readonly group: number })[] = [
	{ user: 0, group: 0, service: null },
	{ user: 1000, group: 100, service: null },
	{ user: 1001, group: 100, service: unitA },
	{ user: 1001, group: 65534, service: null },
	{ user: 65534, group: 65534, service: unitB },
	{ user: 0, group: 100, service: unitB },
];

describe.skipIf(probed === null)("senders", () => {
	let lab: Lab;
	let units: Units;
	let senders: SenderProcess[];

	beforeAll(async () => {
		lab = await Lab.create();
		const made = Units.create(`${mark}.slice`);
		if (made === null) throw new Error("no control groups");
		units = made;
		const places = new Map<string | null, string>([
			[null, ""],
			[unitA, units.make(unitA)],
			[unitB, units.make(unitB)],
		]);
		senders = identities.map(
			({ user, group, service }) =>
				new SenderProcess(lab.guarded, { user, group, controlGroup: places.get(service) ?? "" }),
		);
	});
	afterAll(async () => {
		for (const sender of senders) sender[Symbol.dispose]();
		for (const sender of senders) await sender.exited;
		await units[Symbol.asyncDispose]();
		lab[Symbol.dispose]();
	});

	async function wrongOf(text: string): Promise<unknown[]> {
		const set = networkPart.in(parsePolicyFile("case.yaml", text).documents);
		const targets = addresses.flatMap((address) => ports.map((port) => ({ address, port })));
		const wrong: unknown[] = [];
		for (const [i, sender] of senders.entries()) {
			const passed = await sender.send(targets);
			for (const [at, { address, port }] of targets.entries()) {
				const parsed = parseCidr(address);
				if (!parsed.ok) throw new Error(address);
				const verdict = judge(
					set,
					{ posture: "block", allowlistScope: "direction", accounts },
					{
						direction: "egress",
						family: parsed.cidr.family,
						address: parsed.cidr.base,
						interface: "eth0",
						protocol: "udp",
						port,
						source: null,
						...(identities[i] === undefined ? {} : { sender: identities[i] }),
					},
				);
				if (passed[at] !== (verdict.action !== "Block"))
					wrong.push({ ...identities[i], address, port, passed: passed[at], verdict });
			}
		}
		return wrong;
	}

	const forms = ["concatenated", "nested"] as const;
	test.each(forms)("%s: every datagram meets the oracle's verdict", async (rulesetForm) => {
		await using daemon = await Daemon.start(lab.guarded, {
			policies: { "case.yaml": "# none yet\n" },
			config: { rulesetForm, hostDefaultNetworkPosture: "block", guests: { forwarded: "off" } },
		});
		// Back to `output` both hooks judge until the old rules are collected, so what leaves comes last.
		const other = policies("Block", "    - {iface: [eth7], ports: [{protocol: UDP, port: 1}]}", "leaving");
		const plain = Object.values(sets);
		for (const text of [...plain, ...plain.map((one) => `${one}\n${other}`)]) {
			await daemon.after(() => daemon.home.put("case.yaml", text));
			expect((await daemon.status()).policies.filter(({ enforced }) => !enforced)).toEqual([]);
			expect({ text, wrong: (await wrongOf(text)).slice(0, 3) }).toEqual({ text, wrong: [] });
		}
	});

	test("a unit that starts late is covered, and one that ended is no more", async () => {
		await using daemon = await Daemon.start(lab.guarded, {
			policies: {
				"case.yaml": policies("Block", `    - {service: ${mark}-late, ports: [{protocol: UDP, port: 7000}]}`),
			},
		});
		const target = [{ address: "192.0.2.1", port: 7000 }];
		for (let times = 0; times < 2; times++) {
			const path = units.make(`${mark}-late.service`);
			const sender = new SenderProcess(lab.guarded, { user: 0, group: 0, controlGroup: path });
			await eventually("a packet that is dropped", async () => (await sender.send(target))[0] === false);
			sender[Symbol.dispose]();
			await sender.exited;
			await units.remove(path);
			await eventually("no control group", async () => (await told(daemon))[`${mark}-late.service`] === 0);
		}
		// A user may make groups of any name below a unit or a scope.
		const scope = units.make(`${mark}-session.scope`);
		const inside = units.make(`${mark}-session.scope/${mark}-late.service`);
		using sender = new SenderProcess(lab.guarded, { user: 0, group: 0, controlGroup: inside });
		await daemon.after(() => daemon.home.put("more.yaml", policies("Block", "    - {user: 1}", "more")));
		expect(await sender.send(target)).toEqual([true]);
		sender[Symbol.dispose]();
		await sender.exited;
		await units.remove(inside);
		await units.remove(scope);
	});

	test("a new Block of a user or a unit ends their open connections, and nobody else's", async () => {
		await using daemon = await Daemon.start(lab.guarded, {
			policies: { "case.yaml": policies("Block", "    - {user: 4}", "first") },
		});
		const [link] = lab.links;
		if (link === undefined) throw new Error("a lab without links");
		using _ = echoServer(lab, 7000);
		const [address4, address6] = [link.remote4, link.remote6];
		for (const [i, sender] of senders.entries())
			expect(await sender.connect({ address: i % 2 === 0 ? address4 : address6, port: 7000 })).toBe(true);
		const talking = async () => {
			const heard: boolean[] = [];
			for (const sender of senders) heard.push(await sender.echoed(2000));
			return heard;
		};
		const block = async (name: string, rule: string) => {
			daemon.home.put("case.yaml", policies("Block", `    - ${rule}`, name));
			// The last good policies are saved after all else.
			const saved = join(daemon.home.state, "last-good.json");
			await eventually(
				"the saved state",
				() => existsSync(saved) && readFileSync(saved, "utf8").includes(name),
			);
		};
		expect(await talking()).toEqual([true, true, true, true, true, true]);
		await block("of-a-user", "{user: 1001, ports: [{protocol: TCP, port: 7000}]}");
		expect(await talking()).toEqual([true, true, false, false, true, true]);
		// The kernel tells nobody a socket's group.
		await block("of-a-group", "{group: [0, 100, 65534]}");
		expect(await talking()).toEqual([true, true, false, false, true, true]);
		await block("of-root-in-a-unit", `{user: root, service: ${unitB}}`);
		expect(await talking()).toEqual([true, true, false, false, true, false]);
		await block("of-a-unit", `{service: ${unitB}}`);
		expect(await talking()).toEqual([true, true, false, false, false, false]);
	});

	test("a user with another number in /etc/passwd is another one, and one that has gone nobody", async () => {
		const home = new Home();
		const passwd = join(home.state, "passwd");
		mkdirSync(home.state, { recursive: true });
		const put = (line: string) => writeFileSync(passwd, `root:x:0:0:root:/root:/bin/sh\n${line}\n`);
		put("alice:x:1000:100::/:/bin/false");
		const enter = 'mount --bind "$1" /etc/passwd && shift && exec "$@"';
		await using daemon = await Daemon.start(
			lab.guarded,
			{
				policies: { "case.yaml": policies("Block", "    - {user: alice}") },
				under: ["unshare", "--mount", "sh", "-c", enter, "sh", passwd],
			},
			home,
		);
		const target = [{ address: "192.0.2.1", port: 7000 }];
		const passed = async () => {
			const heard: (boolean | undefined)[] = [];
			for (const sender of senders) heard.push((await sender.send(target))[0]);
			return heard.map(Number).join("");
		};
		expect(await passed()).toBe("101111");
		put("alice:x:1001:100::/:/bin/false");
		await eventually("the other number", async () => (await passed()) === "110011");
		put("bob:x:1001:100::/:/bin/false");
		await eventually("nobody", async () => (await passed()) === "111111");
		await eventually("the warning", async () =>
			JSON.stringify(await daemon.status()).includes("this host knows no user"),
		);
	});
});

/** At each address of the peer. */
function echoServer({ peer }: Lab, port: number): Disposable {
	const network = joinNetwork(peer);
	try {
		const server = Bun.listen({
			hostname: "::",
			port,
			socket: { data: (socket, bytes) => void socket.write(bytes) },
		});
		return { [Symbol.dispose]: () => server.stop(true) };
	} finally {
		network.leave();
	}
}

async function told(daemon: Daemon): Promise<Record<string, number | null>> {
	const { senders = [] } = (await daemon.status()).enforcers.network;
	return Object.fromEntries(senders.map(({ name, controlGroups }) => [name, controlGroups]));
}
