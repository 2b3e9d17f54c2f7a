/** The policies that KubeArmor itself publishes, each with the packets that it is about. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Alert } from "../../../src/report/alert.ts";
import { cross, type Expectation, expand } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";

const folder = resolve(import.meta.dir, "../../fixtures/kubearmor-network");
const blog = "kubearmor.io__blog_2026-04-14-KubeArmor-Network-Segmentation-Linux-VMs_index";
const guide = "KubeArmor__getting-started_network";

interface Published extends Expectation {
	readonly file: string;
	/** Labels that make the policy mean this host. */
	readonly labels?: Readonly<Record<string, string>>;
	/** What an alert of the first packet that raises one says. */
	readonly alert: Partial<Alert>;
}

const blocked: Partial<Alert> = {
	Type: "MatchedNetworkPolicy",
	Operation: "NetworkFirewall",
	Action: "Block",
	Result: "Permission denied",
};
const audited: Partial<Alert> = {
	Type: "MatchedNetworkPolicy",
	Operation: "NetworkFirewall",
	Action: "Audit",
	Result: "Passed",
};

/** Port 53 of one IPv4 address over UDP is cut, and nothing near it. */
const dnsOf = (address: string, other: string): Expectation => ({
	drop: cross(`egress udp ${address} 53`),
	pass: cross(
		`egress tcp|sctp ${address} 53`,
		`egress udp ${address} 54`,
		`egress udp ${other}|2001:4860:4860::8888 53`,
		`ingress udp ${address} 53`,
	),
});

const published: readonly Published[] = [
	...[
		"KubeArmor__examples_network-security-policies_nsp-egress-block-dns.yaml",
		"KubeArmor__tests_k8s_env_nsp_res_nsp-egress-block-dns.yaml",
	].map(
		(file): Published => ({
			file,
			...dnsOf("1.1.1.1", "8.8.8.8"),
			alert: { ...blocked, PolicyName: "nsp-egress-block-dns", Severity: "5", Resource: "EGRESS" },
		}),
	),
	{
		file: `${guide}_security_policy_examples_0.yaml`,
		labels: { "kubernetes.io/hostname": "kubearmor-dev" },
		...dnsOf("8.8.8.8", "1.1.1.1"),
		alert: { ...blocked, Severity: "5", Resource: "EGRESS" },
	},
	{
		file: `${guide}_security_policy_examples_1.yaml`,
		labels: { "kubearmor.io/hostname": "ubuntu" },
		pass: cross("ingress tcp 192.168.29.7|192.168.30.7|2001:db8::1 22|80"),
		alert: {
			...audited,
			PolicyName: "nsp-ingress-audit-ssh",
			Severity: "5",
			Message: "New SSH connection!",
			Resource: "INGRESS",
		},
	},
	{
		file: `${blog}_1.yaml`,
		labels: { role: "database" },
		drop: cross("ingress tcp 10.0.1.0|10.0.1.7|10.0.1.255 5432"),
		pass: cross(
			"ingress tcp 10.0.0.255|10.0.2.0|203.0.113.1|2001:db8::1 5432",
			"ingress tcp 10.0.1.7 5431|5433",
			"ingress udp 10.0.1.7 5432",
			"egress tcp 10.0.1.7 5432",
		),
		alert: { ...blocked, Severity: "7", Resource: "INGRESS" },
	},
	{
		file: `${blog}_2.yaml`,
		labels: { "kubernetes.io/hostname": "prod-worker-01" },
		...dnsOf("8.8.8.8", "10.0.0.53"),
		alert: { ...blocked, PolicyName: "block-external-dns", Severity: "5", Resource: "EGRESS" },
	},
	{
		file: `${blog}_3.yaml`,
		labels: { env: "production" },
		pass: cross("ingress tcp 203.0.113.1|192.168.10.3|2001:db8::1 22", "ingress tcp 203.0.113.1 23"),
		alert: { ...audited, PolicyName: "audit-ssh-all", Severity: "8", Resource: "INGRESS" },
	},
	{
		file: `${blog}_4.yaml`,
		labels: { env: "production" },
		pass: cross("ingress tcp 192.168.10.1|192.168.10.15 22", "egress tcp|udp 8.8.8.8|2001:db8::1 53"),
		drop: cross(
			"ingress tcp 192.168.9.255|192.168.10.16|2001:db8::1 22",
			"ingress tcp 192.168.10.1 23",
			"ingress udp 192.168.10.1 22",
		),
		alert: { ...blocked, PolicyName: "DefaultPosture", Resource: "INGRESS" },
	},
	{
		file: `${blog}_5.yaml`,
		labels: { tier: "backend" },
		drop: cross("ingress tcp 172.16.0.1|172.31.255.254 8000|8500|9000 eth1"),
		pass: cross(
			"ingress tcp 172.16.0.1|172.31.255.254 8000|8500|9000 eth0",
			"ingress tcp 172.16.0.1 7999|9001 eth1",
			"ingress tcp 172.15.255.255|172.32.0.1|2001:db8::1 8500 eth1",
			"ingress udp 172.16.0.1 8500 eth1",
		),
		alert: { ...blocked, PolicyName: "restrict-backend-mesh", Severity: "6", Resource: "INGRESS" },
	},
];

/** Templates and pod policies: refused with a reason, and nothing is enforced in their place. */
const refused = [
	`${guide}_bandwidth_quota_0.yaml`,
	`${guide}_bandwidth_quota_1.yaml`,
	`${guide}_security_policy_specification_0.yaml`,
	`${guide}_security_policy_specification_1.yaml`,
	`${blog}_0.yaml`,
];

/** Decides about no packet: what it counts is in quotas.test.ts. */
const quota = `${guide}_bandwidth_quota_2.yaml`;

const text = (file: string) => readFileSync(join(folder, file), "utf8");

let lab: Lab;
let prober: Prober;

beforeAll(async () => {
	lab = await Lab.create(["eth0", "eth1"]);
	prober = new Prober(lab);
});
afterAll(() => {
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

describe.each(["concatenated", "nested"])("%s ruleset", (rulesetForm) => {
	test.each(published.map((one) => [one.file, one] as const))("%s", async (file, one) => {
		const config = { rulesetForm, nodeLabels: one.labels ?? {} };
		await using daemon = await Daemon.start(lab.guarded, { config, policies: { [file]: text(file) } });
		const { lines, probes, passes } = expand(one);
		const passed = await prober.send(probes);
		expect(lines.filter((_, index) => passed[index] !== passes[index])).toEqual([]);
		const alert = await daemon.alert("the expected one", (found) => found.Action === one.alert.Action);
		expect(alert).toMatchObject(one.alert);
		// A host without the labels is left alone.
		if (one.labels !== undefined) {
			await daemon.stop();
			await using other = await Daemon.start(lab.guarded, { policies: { [file]: text(file) } });
			expect(await prober.send(probes)).toEqual(probes.map(() => true));
			expect((await other.status()).policies.map((found) => found.selected)).toEqual([false]);
		}
	});
});

test("the published quota of hosts is in force, as it is written", async () => {
	const config = { nodeLabels: { "kubernetes.io/hostname": "aryan" } };
	await using daemon = await Daemon.start(lab.guarded, { config, policies: { [quota]: text(quota) } });
	const { policies, enforcers } = await daemon.status();
	expect(policies.map(({ enforced }) => enforced)).toEqual([true]);
	expect(enforcers.network).toMatchObject({
		quotas: [{ direction: "egress", action: "Audit", limit: "4MB", usedBytes: 0, exhausted: false }],
	});
	expect(await prober.send(expand({ pass: cross("egress udp 1.1.1.1 53") }).probes)).toEqual([true]);
});

test.each(refused)("%s is refused", async (file) => {
	await using daemon = Daemon.spawn(lab.guarded, {
		config: { nodeLabels: { "kubernetes.io/hostname": "aryan" } },
		policies: { [file]: text(file), "good.yaml": text(published[0]?.file ?? "") },
	});
	await daemon.active();
	const { policies } = await daemon.status();
	const found = policies.filter((one) => one.file.endsWith(file));
	expect(found.length).toBeGreaterThan(0);
	for (const one of found) {
		expect(one.enforced).toBe(false);
		expect(one.diagnostics.some((diagnostic) => diagnostic.severity === "error")).toBe(true);
	}
	// Its neighbour is enforced all the same.
	expect(await prober.send(expand({ drop: cross("egress udp 1.1.1.1 53") }).probes)).toEqual([false]);
});

test("every fixture is looked at", () => {
	const named = [...published.map((one) => one.file), quota, ...refused].sort();
	expect(
		readdirSync(folder)
			.filter((name) => name.endsWith(".yaml"))
			.sort(),
	).toEqual(named);
});
