/** Staged policies in a running daemon: nothing changes for packets, and alerts, status and metrics tell what would. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../support/built.ts";
import { block, cross, documents, expand, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab, spawnBound } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";

const patience = 60_000;

let lab: Lab;
let prober: Prober;

beforeAll(async () => {
	lab = await Lab.create(["eth0"]);
	prober = new Prober(lab);
});
afterAll(() => {
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

function staged(text: string): string {
	const document = JSON.parse(text);
	document.metadata.annotations = { "portward.io/mode": "staged" };
	return JSON.stringify(document);
}

const policies = {
	"all.yaml": documents(
		policy("no-telnet", { action: "Block", ingress: [{ ports: [port("TCP", 23)] }] }),
		staged(
			policy("ssh", {
				action: "Allow",
				ingress: [{ from: [block("10.1.0.0/16")], ports: [port("TCP", 22)] }],
			}),
		),
		staged(policy("no-dns", { action: "Block", egress: [{ ports: [port("UDP", 53)] }] })),
	),
};

/** What is in force decides: `drop` is what no-telnet blocks. */
const { lines, probes, passes } = expand({
	pass: cross(
		"egress udp 10.1.0.10 54",
		"egress udp 10.1.0.10|2001:db8::1 53",
		"ingress tcp 10.1.0.10 22",
		"ingress tcp 10.1.0.10|2001:db8::1 80",
	),
	drop: cross("ingress tcp 10.1.0.10 23"),
});

test("nothing is refused; alerts, status and metrics tell of what would be", async () => {
	await using daemon = await Daemon.start(lab.guarded, { policies });
	const { generation } = (await daemon.status()).enforcers.network;
	const passed = await prober.send(probes);
	expect(lines.filter((_, i) => passed[i] !== passes[i])).toEqual([]);
	for (const [name, by, count] of [
		["no-dns", "no-dns", 2],
		["DefaultPosture", "ssh", 2],
	] as const) {
		const own = () => daemon.alerts.filter(({ PolicyName }) => PolicyName === name);
		await eventually(`alerts of ${name}`, () => own().length >= count, patience);
		for (const alert of own())
			expect(alert).toMatchObject({
				Action: "Audit (Block)",
				Result: "Passed",
				EventData: { WouldBe: "Block", Staged: by },
			});
		expect(own()).toHaveLength(count);
	}
	const document = await eventually(
		"counts",
		async () => {
			const status = await daemon.status();
			const told = (name: string) => status.policies.find((one) => one.name === name)?.staged;
			return told("no-dns")?.wouldBlock === 2 && told("ssh")?.wouldBlock === 2 ? status : null;
		},
		patience,
	);
	const since = { sinceGeneration: generation, since: expect.any(String) };
	expect(document.policies).toMatchObject([
		{ name: "no-telnet", mode: "enforced", enforced: true, staged: null, packets: 1 },
		// What no-telnet blocks never gets as far; what passes is asked about once.
		{
			name: "ssh",
			mode: "staged",
			enforced: false,
			packets: 0,
			staged: { evaluated: 3, wouldBlock: 2, ...since },
		},
		{ name: "no-dns", mode: "staged", enforced: false, staged: { evaluated: 3, wouldBlock: 2, ...since } },
	]);
	expect(document.enforcers.network.allowlistMode).toEqual({ ingress: false, egress: false });
	const metrics = await daemon.metrics();
	expect(metrics.get('portward_staged_would_block_total{policy="no-dns"}')).toBe(2);
	expect(metrics.get('portward_staged_evaluated_total{policy="ssh"}')).toBe(3);
	expect(metrics.get('portward_policies{state="staged"}')).toBe(2);
	const page = await (await daemon.get("/")).text();
	expect(page).toContain("evaluated 3 times since generation 1, would block 2");

	// What is staged is no part of the next boot.
	const boot = await Bun.file(`${daemon.home.state}/boot.json`).text();
	expect(boot).toContain("no-telnet");
	expect(boot).not.toContain("evaluated_");
	expect(boot).not.toContain("no-dns");
}, 180_000);

test("promote shows what was counted, and has the daemon enforce it once it is confirmed", async () => {
	await using daemon = await Daemon.start(lab.guarded, { policies });
	const { home } = daemon;
	/** A command of the executable in the guarded host. */
	const portward = async (...args: readonly string[]) => {
		const argv = [executable(), ...args, "--config", home.config];
		const child = spawnBound(lab.guarded.inside(argv));
		const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
		return { code, out, error };
	};
	const dns = expand({ pass: cross("egress udp 10.1.0.10 53"), drop: [] }).probes;
	expect(await prober.send(dns)).toEqual([true]);
	const file = join(home.policies, "all.yaml");
	const before = readFileSync(file, "utf8");
	const shown = await portward("promote", "no-dns");
	expect(shown.code).toBe(2);
	expect(shown.out).toContain("no-dns: evaluated once since generation 1, would block 1");
	expect(shown.out).toContain("nothing has changed; promote with --yes");
	expect(shown.out).toContain(`no-dns`);
	expect(shown.out).toContain(file);
	expect(shown.out).not.toContain("incoming");

	const done = await portward("promote", "no-dns", "--yes", "--confirm-within", "10m", "--json");
	expect(done).toMatchObject({ code: 0 });
	const answer = JSON.parse(done.out);
	expect(answer).toMatchObject({
		ok: true,
		policies: [
			{ name: "no-dns", kind: "KubeArmorNetworkPolicy", file, staged: { evaluated: 1, wouldBlock: 1 } },
		],
	});
	// It pends: in force, and not in the directory.
	expect(await prober.send(dns)).toEqual([false]);
	expect(readFileSync(file, "utf8")).toBe(before);
	expect(await portward("confirm")).toMatchObject({ code: 0 });
	expect(readFileSync(file, "utf8")).toBe(before.replace(/(no-dns.*)"staged"/, '$1"enforced"'));
	const own = async () => (await daemon.status()).policies.find(({ name }) => name === "no-dns");
	await eventually("no-dns enforced", async () => (await own())?.enforced === true, patience);
	expect(await own()).toMatchObject({ mode: "enforced", staged: null });
	expect(await prober.send(dns)).toEqual([false]);
	expect(await portward("promote", "no-dns")).toMatchObject({
		code: 1,
		error: 'portward: "no-dns" is not staged\n',
	});
}, 240_000);
