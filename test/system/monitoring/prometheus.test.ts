/**
 * A real Prometheus scrapes a real daemon, with the rules of packaging/monitoring, and is asked every query of the
 * dashboards. What the daemon has figures for has to give an answer. A support bundle of that daemon is whole.
 */

import { expect, test } from "bun:test";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as v from "valibot";
import { panelQueries, selectors, variableQueries } from "../../scripts/monitoring/queries.ts";
import { documents, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, type Namespace, spawnBound } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const limit = 150_000;
const root = resolve(import.meta.dir, "../../..");
const statusAddress = "127.0.0.1:9755";
const prometheusAddress = "127.0.0.1:9090";

/** Prometheus comes with the package of its checker. */
function prometheusPath(): string {
	const checker = Bun.which("promtool") ?? join(root, "node_modules/.bin/promtool");
	return Bun.which("prometheus") ?? join(dirname(realpathSync(checker)), "prometheus");
}

const answerShape = v.looseObject({ status: v.string(), error: v.optional(v.string()), data: v.unknown() });

/** What Prometheus answers to each of these paths. */
function ask(namespace: Namespace, paths: readonly string[]) {
	const argv = [process.execPath, join(import.meta.dir, "ask.ts"), `http://${prometheusAddress}`];
	const { code, out, error } = namespace.try(argv, paths.join("\n"));
	if (code !== 0) throw new Error(error);
	return out
		.trimEnd()
		.split("\n")
		.map((line) => v.parse(answerShape, JSON.parse(line)));
}

const resultShape = v.object({ result: v.array(v.unknown()) });
const rulesShape = v.object({
	groups: v.array(v.object({ rules: v.array(v.looseObject({ name: v.string(), health: v.string() })) })),
});

const query = (expr: string) => `/api/v1/query?query=${encodeURIComponent(expr)}`;

/** A query as Grafana sends it. */
function filled(expr: string): string {
	return expr
		.replaceAll("$job", "portward")
		.replaceAll("$instance", statusAddress)
		.replaceAll("$__rate_interval", "1m");
}

function staged(text: string): string {
	const document = JSON.parse(text);
	document.metadata.annotations = { "portward.io/mode": "staged" };
	return JSON.stringify(document);
}

function startPrometheus(): Disposable {
	const folder = join(rig.home.path, "prometheus");
	mkdirSync(folder);
	const rules = ["alerts.yaml", "recording.yaml"].map((name) => join(root, "packaging/monitoring", name));
	const settings = {
		global: { scrape_interval: "1s", evaluation_interval: "1s" },
		rule_files: rules,
		scrape_configs: [{ job_name: "portward", static_configs: [{ targets: [statusAddress] }] }],
	};
	writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(settings));
	const child = spawnBound(
		rig.lab.guarded.inside([
			prometheusPath(),
			`--config.file=${join(folder, "prometheus.yml")}`,
			`--storage.tsdb.path=${join(folder, "data")}`,
			`--web.listen-address=${prometheusAddress}`,
			"--log.level=error",
		]),
	);
	return { [Symbol.dispose]: () => child.kill("SIGKILL") };
}

test(
	"every rule is evaluated, and every query answers where the daemon has figures",
	async () => {
		const config = {
			status: { address: statusAddress },
			stagedDevicePosture: "block",
			failsafe: { ingress: [{ protocol: "TCP", port: 22, cidr: "10.1.0.0/16" }] },
			alerts: { sinks: [{ name: "gone", type: "syslog", address: "tcp://127.0.0.1:9" }] },
		};
		const policies = {
			"a.yaml": documents(
				blocks("closed", 1000, 1010),
				policy("watched", { action: "Audit", ingress: [{ ports: [port("TCP", 80)] }] }),
				staged(blocks("soon", 2000)),
			),
		};
		await using daemon = Daemon.spawn(rig.lab.guarded, { config, policies }, rig.home);
		const curl = ["curl", "--silent", "--fail", `http://${statusAddress}/readyz`];
		await eventually("a ready daemon", () => rig.lab.guarded.try(curl).code === 0);
		using _ = startPrometheus();
		const ready = ["curl", "--silent", "--fail", `http://${prometheusAddress}/-/ready`];
		await eventually("Prometheus", () => rig.lab.guarded.try(ready).code === 0);
		const counts = (exprs: readonly string[]) =>
			ask(rig.lab.guarded, exprs.map(query)).map(({ data }) => v.parse(resultShape, data).result.length);
		const found = (expr: string) => counts([expr])[0] ?? 0;
		await eventually("a first scrape", () => found("portward_alerts_dropped_total") > 0);
		await rig.prober.send(
			[22, 80, 1000, 2000].map((one) => ({
				direction: "ingress",
				protocol: "tcp",
				remote: "10.1.0.10",
				port: one,
			})),
		);
		await daemon.alert("a blocked packet", ({ Action }) => Action === "Block");
		await eventually(
			"the figures of a later scrape, as rules have them",
			() =>
				found('kubearmor_alerts_with_action_total{Action="Block"}') > 0 &&
				found("rate(portward_alerts_total[1m])") > 0,
		);

		const [rules] = ask(rig.lab.guarded, ["/api/v1/rules"]);
		const { groups } = v.parse(rulesShape, rules?.data);
		const all = groups.flatMap((group) => group.rules);
		expect(all.length).toBeGreaterThan(30);
		expect(all.filter(({ health }) => health !== "ok")).toEqual([]);
		const recorded = all.map(({ name }) => name).filter((name) => name.startsWith("kubearmor_"));
		const kept = counts(recorded);
		expect(recorded.filter((_, index) => kept[index] === 0)).toEqual([]);

		const bundle = join(rig.home.path, "bundle.tar.gz");
		const packed = rig.portward("support-bundle", "--out", bundle);
		expect(packed).toMatchObject({ code: 0, error: "" });
		const listed = Bun.spawnSync(["tar", "--list", "--gzip", "--file", bundle]).stdout.toString();
		expect(listed).toMatch(/table\.nft[\s\S]*status\.json[\s\S]*metrics\.txt/);

		const queries = [...panelQueries, ...variableQueries].map(({ place, expr }) => ({
			place,
			expr: filled(expr),
		}));
		const answers = ask(
			rig.lab.guarded,
			queries.map(({ expr }) => query(expr)),
		);
		const names = [...new Set(queries.flatMap(({ expr }) => selectors(expr).map(({ metric }) => metric)))];
		const series = counts(names);
		const there = new Set(names.filter((_, index) => series[index] !== 0));
		expect(queries.filter((_, index) => answers[index]?.status !== "success")).toEqual([]);
		// What only compares, or asks for what this host has not, may be empty.
		const empty = queries.filter(({ expr }, index) => {
			const { result } = v.parse(resultShape, answers[index]?.data);
			const asked = selectors(expr).some(({ metric }) => there.has(metric));
			return result.length === 0 && asked && !/[<>]|==/.test(expr.replaceAll(/"[^"]*"/g, ""));
		});
		expect(empty).toEqual([]);
		// A host without certificates, groups, limits, quotas, signatures, tests, and device policies that are staged.
		expect(names.filter((name) => !there.has(name)).sort()).toEqual([
			"portward_certificate_expiry_timestamp_seconds",
			"portward_group_file_blocks",
			"portward_kubearmor_api_dropped_total",
			"portward_kubearmor_api_subscribers",
			"portward_limit_exceeded_packets_total",
			"portward_limit_full_packets_total",
			"portward_policy_serial",
			"portward_policy_signature_ok",
			"portward_policy_tests",
			"portward_quota_limit_bytes",
			"portward_quota_used_bytes",
			"portward_staged_usb_evaluated_total",
			"portward_staged_usb_would_block_total",
		]);
	},
	limit,
);
