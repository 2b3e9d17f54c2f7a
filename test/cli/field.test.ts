/** Policies as operators really wrote them: what `validate` says of each, and what to write instead. */

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Diagnostic } from "../../src/base/diagnostic.ts";
import { Files, portward } from "./support/portward.ts";

const folder = resolve(import.meta.dir, "../fixtures/field");
const hostname = "web-1.example.org";

interface Answer {
	readonly code: number;
	readonly error: string;
	readonly diagnostics: readonly Diagnostic[];
}

async function validate(file: string, settings: Record<string, unknown> = {}): Promise<Answer> {
	using files = new Files();
	const nodeLabels = { "kubernetes.io/hostname": hostname, "kubearmor.io/hostname": hostname };
	const config = files.config({ nodeLabels, ...settings });
	const { code, out } = await portward("validate", "--json", join(folder, file), "--config", config);
	const { error } = await portward("validate", join(folder, file), "--config", config);
	const answer: { diagnostics: readonly Diagnostic[] } = JSON.parse(out);
	return { code, error, diagnostics: answer.diagnostics };
}

/** Severity and code, what the message has to say, what the hint has to say. */
type Expected = readonly [code: string, message: string, hint: string];

const e = (code: string, message: string, hint: string): Expected => [`error ${code}`, message, hint];
const w = (code: string, message: string, hint: string): Expected => [`warning ${code}`, message, hint];

const allowlist = w("allowlist-ingress", "dropped, IPv4 and IPv6", "action: Block");

const field: Readonly<Record<string, readonly Expected[]>> = {
	"01-icmp-protocol.yaml": [
		w("ipv4-only-allow", "IPv4 addresses only", "IPv6 blocks"),
		w("allowlist-ingress", "only ICMP from 198.51.100.0/24", "action: Block"),
	],
	"03-block-any-v4.yaml": [w("ipv4-only-block", "IPv6 stays open", "leave from out")],
	"04-isolate-egress-except.yaml": [w("ipv4-only-block", "IPv6 stays open", '"::/0"')],
	"05-bare-zero.yaml": [e("bad-cidr", "0.0.0.0", "0.0.0.0/0"), e("bad-cidr", "::", "::/0")],
	"06-bare-network.yaml": [
		allowlist,
		w("bare-network", "this one address", "192.168.50.0/24"),
		w("bare-network", "this one address", "fd12:3456:789a::/48"),
	],
	"07-address-range.yaml": [
		e("bad-cidr", "range", "198.51.100.20/30, 198.51.100.24/29, 198.51.100.32/29, 198.51.100.40/32"),
		e("bad-cidr", "netmask", "192.0.2.0/24"),
		e("bad-cidr", "192.0.2.*", "192.0.2.0/24"),
		e("bad-cidr", "any", "leave from (or to) out"),
		e("bad-cidr", "list", "one entry each"),
		e("bad-cidr", "negated", "except: [10.0.0.0/8]"),
	],
	"08-empty-from.yaml": [e("empty-list", "any address", "leave from out for any")],
	"10-iface-as-ip-link-shows.yaml": [e("bad-iface", "@", '"eth0.100"'), e("bad-iface", "@", '"veth1"')],
	"11-iface-plus.yaml": [e("bad-iface", "tun+", '"tun*"')],
	"13-multicast-source.yaml": [
		allowlist,
		w("never-a-source", "makes ingress an allow-list", "the group is the destination"),
		w("never-a-source", "ff02::fb/128", "leave from out"),
	],
	"15-kubectl-list.yaml": [],
	"16-json-array.json": [],
	"17-merge-keys.yaml": [e("unknown-field", "merge key", "write the merged fields out")],
	"18-k8s-networkpolicy.yaml": [e("other-policy", "Kubernetes", "convert it by hand")],
	"19-policytypes.yaml": [e("policy-types", "policyTypes", "ingress: [{}]")],
	"20-helm-leftover.yaml": [e("template", "not rendered", "render it first")],
	"22-kustomize.yaml": [e("unknown-kind", "Kustomization", "ignoreUnknownKinds")],
	"23-ports-text.yaml": [
		e("bad-port", "80,443", "{port: 80}, {port: 443}"),
		e("bad-port", "0443", "write 443"),
		e("bad-port", "443 ", "without spaces"),
		e("bad-port", "0", "1 to 65535"),
		e("wrong-type", "a list", "{port: 80}, {port: 443}"),
		e("bad-port", "*", "leave port out"),
		e("bad-port", "any", "leave port out"),
		e("bad-port", "tcp/80", "protocol: TCP and port: 80"),
		e("bad-port", "8080/tcp", "protocol: TCP and port: 8080"),
		e("bad-port", "6000-6010", "port: 6000 and endPort: 6010"),
		e("unknown-service", "kubernetes", "6443"),
		e("unknown-service", "rpcbind", "111"),
		e("unknown-service", "rpc-bind", "111"),
		e("unknown-service", "nfs4", "2049"),
		e("unknown-service", "mountd", "20048"),
		e("unknown-service", "wireguard", "51820"),
		e("unknown-service", "ntp", "protocol: UDP"),
		e("unknown-service", "vnc-server", "5900"),
		e("unknown-service", "samba", "445"),
		e("unknown-service", "elasticsearch", "9200"),
		e("unknown-service", "prometheus", "9090"),
		e("unknown-service", "kubelet", "10250"),
		e("unknown-service", "kube-apiserver", "6443"),
		e("unknown-service", "mssql", "1433"),
		e("unknown-service", "oracle", "1521"),
		e("unknown-service", "cockpit", "9090"),
		e("unknown-service", "smtp-submission", "587"),
	],
	"24-protocol-forms.yaml": [
		e("bad-protocol", "TCP,UDP", "{protocol: TCP, port: 53}, {protocol: UDP, port: 53}"),
		e("wrong-type", "a list", "{protocol: TCP, port: 53}, {protocol: UDP, port: 53}"),
		e("bad-protocol", "TCP/UDP", "{protocol: TCP, port: 53}, {protocol: UDP, port: 53}"),
		e("bad-protocol", "ANY", "{protocol: TCP, port: 53}, {protocol: UDP, port: 53}"),
		e("no-ports", "ICMP", "icmpType: 8"),
		e("bad-protocol", "icmp-v6", "write ICMPv6"),
		e("bad-protocol", "HTTP", "protocol: TCP and port: 80"),
		e("bad-protocol", "FTP", "protocol: TCP and port: 21"),
		e("bad-protocol", "DCCP", "protocol: 33"),
		e("bad-protocol", "UDPLITE", "protocol: 136"),
	],
	"25-dns-no-protocol.yaml": [
		w("tcp-assumed", "DNS", "protocol: UDP"),
		w("tcp-assumed", "NTP", "protocol: UDP"),
		w("tcp-assumed", "SNMP", "protocol: UDP"),
		w("tcp-assumed", "WireGuard", "protocol: UDP"),
	],
	"26-actions.yaml": [
		e("bad-action", "ACCEPT", "write Allow"),
		e("bad-action", "Permit", "write Allow"),
		e("bad-action", "Log", "write Audit"),
		e("bad-action", "Pass", "write Allow"),
		e("bad-action", "Warn", "write Audit"),
		e("bad-action", "Deny", "write Block"),
		e("bad-action", "no", "write Block"),
	],
	"27-selector-forms.yaml": [
		e("label-outside", "matchLabels", 'matchLabels: {kubernetes.io/hostname: "web-1"}'),
		w("unknown-label", "node-role.kubernetes.io/worker", 'kubernetes.io/hostname: "*"'),
		w("selects-nothing", "no host", 'kubernetes.io/hostname: "*"'),
		w("selector-near-miss", "WEB-1", hostname),
		w("selector-near-miss", "all", 'write "*"'),
	],
	"44-selector-silence.yaml": [
		w("selector-near-miss", "has a domain", hostname),
		w("selector-near-miss", "case", hostname),
	],
	"54-egress-without-dns.yaml": [
		w("allowlist-egress", "only TCP 443", "add the rule {action: Block}"),
		w("egress-without-dns", "port 53", "port: 53"),
	],
};

describe.each(Object.entries(field))("%s", (file, expected) => {
	test("is told what is wrong and what to write", async () => {
		const { code, diagnostics } = await validate(file);
		expect(diagnostics.map(({ severity, code: name }) => `${severity} ${name}`)).toEqual(
			expected.map(([name]) => name),
		);
		for (const [index, [, message, hint]] of expected.entries()) {
			expect(diagnostics[index]?.message).toContain(message);
			expect(diagnostics[index]?.hint).toContain(hint);
		}
		expect(code).toBe(expected.some(([name]) => name.startsWith("error")) ? 1 : 0);
	});
});

test("a list of kubectl and a JSON array are policies like others", async () => {
	using files = new Files();
	const config = files.config();
	for (const [file, count] of [
		["15-kubectl-list.yaml", 2],
		["16-json-array.json", 1],
	] as const) {
		const { out } = await portward("validate", join(folder, file), "--config", config);
		expect(out).toBe(`${count} valid, 0 errors, 0 warnings\n`);
	}
});

test("what does not select this host is counted", async () => {
	expect((await validate("44-selector-silence.yaml")).error).toContain(
		"2 of 2 policies do not select this host",
	);
	expect((await validate("03-block-any-v4.yaml")).error).not.toContain("do not select");
});

test("files of other products can be passed over", async () => {
	const { code, diagnostics } = await validate("22-kustomize.yaml", { ignoreUnknownKinds: true });
	expect([code, diagnostics]).toEqual([0, []]);
	expect((await validate("18-k8s-networkpolicy.yaml", { ignoreUnknownKinds: true })).diagnostics).toEqual([]);
	// A policy of ours with a fault stays one.
	expect((await validate("19-policytypes.yaml", { ignoreUnknownKinds: true })).code).toBe(1);
});

test("nothing that is allowed with ICMP is told to leave ports out, which would open everything", async () => {
	for (const file of ["01-icmp-protocol.yaml", "24-protocol-forms.yaml"]) {
		const hints = (await validate(file)).diagnostics.filter(({ message }) => message.includes("ICMP"));
		expect(hints.length).toBeGreaterThan(0);
		expect(hints.filter(({ hint }) => hint.includes("leave ports out"))).toEqual([]);
	}
});

test("every input is looked at", () => {
	expect(readdirSync(folder).sort()).toEqual(Object.keys(field).sort());
});
