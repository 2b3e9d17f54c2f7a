/** A support bundle is whole, has no secret in it, tells nobody which host it is where that is asked for, and is root's alone. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { render } from "../../../src/cli/ask/render.ts";
import { gatherBundle } from "../../../src/cli/bundle/gather.ts";
import { bundleEntries } from "../../../src/cli/bundle/support-bundle.ts";
import { doctor } from "../../../src/cli/doctor/doctor.ts";
import { version } from "../../../src/cli/version.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { statusDocument } from "../../../src/report/status.ts";
import { sampleAlert, sampleDevice, sampleState } from "../../report/sample.ts";
import { policy, port } from "../../system/support/case.ts";
import { portward } from "../support/portward.ts";

const limit = 60_000;
const serial = "4C530001230915117261";
const secrets = ["t0ken-that-nobody-may-see-1234567890", "MC4CAQAwBQYDK2VwBCIEIA", "T0SECRET"];

let folder: string;
let config: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "portward-bundle-"));
	for (const name of ["policies", "state"]) mkdirSync(join(folder, name));
	config = join(folder, "config.yaml");
	writeFileSync(join(folder, "token"), `${secrets[0]}\n`, { mode: 0o600 });
	writeFileSync(
		join(folder, "key.pem"),
		`-----BEGIN PRIVATE KEY-----\n${secrets[1]}\n-----END PRIVATE KEY-----\n`,
		{ mode: 0o600 },
	);
	const from = [{ ipBlock: { cidr: "203.0.113.0/24" } }];
	const ingress = [{ from, ports: [port("TCP", 22)] }];
	writeFileSync(join(folder, "policies/acme-ssh.yaml"), policy("acme-ssh", { action: "Block", ingress }));
	writeFileSync(
		join(folder, "policies/broken.yaml"),
		'kind: KubeArmorNetworkPolicy\nmetadata: {name: "Evelyn"}\n',
	);
	const settings = {
		policyDir: join(folder, "policies"),
		stateDir: join(folder, "state"),
		clusterName: "acme-prod",
		failsafe: { ingress: [{ protocol: "TCP", port: 22, cidr: "198.51.100.0/24" }] },
		nodeLabels: { team: "acme-payments" },
		status: { address: "127.0.0.1:9", tokenFile: join(folder, "token") },
		alerts: {
			sinks: [
				{ name: "chat", type: "webhook", url: `https://chat.acme.example/hooks/${secrets[2]}` },
				{
					name: "siem",
					type: "syslog",
					address: "tls://192.0.2.99:6514",
					tls: { cert: join(folder, "key.pem"), key: join(folder, "key.pem") },
				},
			],
		},
	};
	writeFileSync(config, JSON.stringify(settings));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const answers: Readonly<Record<string, () => unknown>> = {
	"/v1/status": () =>
		statusDocument(
			sampleState({
				hostname: "vault7.acme.example",
				warnings: [`sink chat: https://chat.acme.example/hooks/${secrets[2]} answers 500`],
			}),
		),
	"/v1/alerts": () => ({
		alerts: [
			sampleAlert({
				HostName: "vault7.acme.example",
				PolicyName: "acme-ssh",
				ClusterName: "acme-prod",
				Message: "call Evelyn of acme",
				EventData: { SourceIP: "198.51.100.23", Serial: serial },
				Data: `SourceIP=198.51.100.23 Serial=${serial}`,
			}),
		],
	}),
	"/v1/history": () => ({ generations: [] }),
	"/v1/usb/devices": () => ({ devices: [{ ...sampleDevice, serial }] }),
	"/v1/usb/history": () => ({ devices: [{ serial, words: `Stick ${serial} came` }] }),
};

/** Answers on root's socket as a daemon does. */
function daemon(): Disposable {
	const server = Bun.serve({
		unix: join(folder, "state/status.sock"),
		fetch: (request) => {
			const { pathname } = new URL(request.url);
			if (pathname === "/metrics")
				return new Response('portward_policy_packets_total{policy="acme-ssh",cidr="198.51.100.23/32"} 3\n');
			return Response.json(answers[pathname]?.() ?? {});
		},
	});
	return { [Symbol.dispose]: () => void server.stop(true) };
}

/** The files of a bundle, by name. */
function unpack(file: string): Map<string, string> {
	const into = mkdtempSync(join(folder, "unpacked-"));
	const { exitCode, stderr } = Bun.spawnSync(["tar", "--extract", "--gzip", "--file", file, "-C", into]);
	expect([exitCode, stderr.toString()]).toEqual([0, ""]);
	const inside = join(into, "portward-support");
	return new Map(readdirSync(inside).map((name) => [name, readFileSync(join(inside, name), "utf8")]));
}

async function bundle(...more: readonly string[]) {
	const file = join(folder, "out.tar.gz");
	const ended = await portward("support-bundle", "--config", config, "--out", file, ...more);
	return { ...ended, file };
}

const names = [
	"README.txt",
	"alerts.jsonl",
	"doctor.json",
	"history.json",
	"host.json",
	"metrics.txt",
	"policies.json",
	"ruleset.nft",
	"settings.json",
	"status.json",
	"table.nft",
	"usb-history.json",
	"usb.json",
	"version.json",
];

describe("of a running daemon", () => {
	test(
		"it is whole, without a secret, and root's alone",
		async () => {
			using _ = daemon();
			const { code, out, file } = await bundle();
			expect([code, out]).toEqual([0, expect.stringContaining("14 files; it tells addresses")]);
			expect(statSync(file).mode & 0o777).toBe(0o600);
			const files = unpack(file);
			expect([...files.keys()].sort()).toEqual(names);
			const all = [...files.values()].join("\n");
			for (const secret of secrets) expect([secret, all.includes(secret)]).toEqual([secret, false]);
			for (const told of [serial, "198.51.100.23", "vault7.acme.example", "acme-ssh", "203.0.113.0/24"])
				expect([told, all.includes(told)]).toEqual([told, true]);
			const policies = JSON.parse(files.get("policies.json") ?? "");
			const sha256 = new Bun.CryptoHasher("sha256")
				.update(readFileSync(join(folder, "policies/acme-ssh.yaml")))
				.digest("hex");
			expect(policies.files).toContainEqual({ file: "acme-ssh.yaml", sha256, problem: null });
			expect(policies.policies).toEqual([
				{ name: "acme-ssh", kind: "KubeArmorNetworkPolicy", selected: true, staged: false },
			]);
			expect(policies.diagnostics.length).toBeGreaterThan(0);
			expect(files.get("ruleset.nft")).toContain("table inet kubearmor");
			expect(JSON.parse(files.get("settings.json") ?? "")).toMatchObject({
				status: { tokenFile: join(folder, "token") },
				failsafe: { ingress: [{ cidr: "198.51.100.0/24", port: { first: 22, last: 22 } }] },
				alerts: { sinks: [{ url: "https://chat.acme.example/[left out]" }, {}] },
			});
		},
		limit,
	);

	test(
		"--redact: nothing tells which host it is, and the same value has the same name",
		async () => {
			using _ = daemon();
			const { code, file } = await bundle("--redact");
			expect(code).toBe(0);
			const files = unpack(file);
			expect([...files.keys()].sort()).toEqual(names);
			const all = [...files.values()].join("\n");
			const own = ["198.51.100.23", "203.0.113.0", "192.0.2.99", serial, "vault7", "Evelyn"];
			for (const told of [...secrets, ...own, "acme-ssh", "acme-prod", "acme-payments", "chat.acme"])
				expect([told, all.includes(told)]).toEqual([told, false]);
			expect(all).not.toMatch(new RegExp(`(?<!\\w)${RegExp.escape(hostname())}(?!\\w)`, "i"));
			const alert = JSON.parse(files.get("alerts.jsonl") ?? "");
			const address: string = alert.EventData.SourceIP;
			expect(address).toMatch(/^ipv4-\d+$/);
			expect(files.get("metrics.txt")).toContain(`policy="${alert.PolicyName}",cidr="${address}/32"`);
			const device = JSON.parse(files.get("usb-history.json") ?? "").devices[0];
			expect(device.words).toBe(`Stick ${alert.EventData.Serial} came`);
			expect(files.get("policies.json")).not.toContain("sha256");
		},
		limit,
	);
});

test(
	"of a daemon that does not run: what the host has, and what could not be had",
	async () => {
		const { code, file, error } = await bundle();
		expect(code).toBe(0);
		expect(error).toMatch(/^portward: not in the bundle: .*\/v1\/status.*: The daemon is not running/m);
		const files = unpack(file);
		expect([...files.keys()].sort()).toEqual(
			names.filter((name) => !["history", "metrics", "status", "usb"].some((each) => name.startsWith(each))),
		);
		expect(files.get("README.txt")).toMatch(/^Not in it: .*\/metrics/m);
	},
	limit,
);

test(
	"of a daemon that hangs: it waits so long and no longer",
	async () => {
		const silent = createServer(() => {});
		await new Promise<void>((resolve) => silent.listen(join(folder, "state/status.sock"), resolve));
		try {
			const parsed = parseConfig(config, readFileSync(config, "utf8"));
			if (!parsed.ok) throw new Error("the settings are good");
			const signal = new AbortController().signal;
			const { missing, parts } = await gatherBundle({
				commands: { doctor, render, version },
				config: parsed.config,
				file: config,
				signal,
				patience: 200,
			});
			for (const path of ["/metrics", "/v1/status", "/v1/alerts", "/v1/history", "/v1/usb/devices"])
				expect(missing.join("\n")).toContain(path);
			const entries = bundleEntries({ parts, missing }, parsed.config, {
				redact: true,
				time: 0,
				host: "vm1",
			});
			expect(entries.map(({ name }) => name)).toContain("portward-support/policies.json");
		} finally {
			silent.close();
		}
	},
	limit,
);

describe("the file", () => {
	test("one that is there, or a link, is never touched", async () => {
		const there = join(folder, "there");
		writeFileSync(there, "mine");
		symlinkSync(there, join(folder, "link"));
		symlinkSync(join(folder, "nowhere"), join(folder, "dangling"));
		for (const name of ["there", "link", "dangling"]) {
			const ended = await portward("support-bundle", "--config", config, "--out", join(folder, name));
			expect([name, ended.code]).toEqual([name, 1]);
			expect(ended.error).toContain("is there already, and is not overwritten");
		}
		expect(readFileSync(there, "utf8")).toBe("mine");
		expect(existsSync(join(folder, "nowhere"))).toBe(false);
	});

	test("a directory that is not there is said", async () => {
		const file = join(folder, "no/where.tar.gz");
		const { code, error } = await portward("support-bundle", "--config", config, "--out", file);
		expect([code, error]).toEqual([1, expect.stringContaining("cannot be made")]);
	});

	test(
		"what is told is in JSON as well",
		async () => {
			const { out, file } = await bundle("--json");
			expect(JSON.parse(out)).toMatchObject({ ok: true, file, missing: expect.any(Array) });
		},
		limit,
	);
});

test("what is longer than there is room for is cut, and says so", () => {
	const parsed = parseConfig(config, readFileSync(config, "utf8"));
	if (!parsed.ok) throw new Error("the settings are good");
	const gathered = { parts: [{ name: "long.txt", text: "x".repeat(9 * 1024 * 1024) }], missing: [] };
	const [, long] = bundleEntries(gathered, parsed.config, { redact: false, time: 0 });
	expect(long?.data.length).toBeLessThan(8.1 * 1024 * 1024);
	expect(Buffer.from(long?.data ?? []).toString()).toEndWith("… cut here\n");
});
