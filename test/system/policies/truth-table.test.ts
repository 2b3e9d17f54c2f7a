/**
 * What policies mean, asked with real packets: the conformance cases of the
 * Kubernetes network policy suites that apply to hosts, and those of our own
 * semantics, over both forms of ruleset.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cross, expand, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";
import { bothWays, cases } from "./truth-cases.ts";

describe.each(["concatenated", "nested"])("%s ruleset", (rulesetForm) => {
	let lab: Lab;
	let prober: Prober;
	let daemon: Daemon;

	beforeAll(async () => {
		lab = await Lab.create(["eth0", "eth1", "wan0"]);
		prober = new Prober(lab);
		daemon = await Daemon.start(lab.guarded, {
			policies: { "case.yaml": "# none yet\n" },
			config: { rulesetForm },
		});
	});
	afterAll(async () => {
		await daemon[Symbol.asyncDispose]();
		prober[Symbol.dispose]();
		lab[Symbol.dispose]();
	});

	test.each(cases.map((one) => [one.name, one] as const))(
		"%s",
		async (name, { policies, ...expectation }) => {
			await daemon.after(() => daemon.home.put("case.yaml", `# ${name}\n${policies}`));
			expect((await daemon.status()).policies.filter((found) => !found.enforced)).toEqual([]);
			const { lines, probes, passes } = expand(expectation);
			const passed = await prober.send(probes);
			const wrong = lines.filter((_, index) => passed[index] !== passes[index]);
			expect(wrong).toEqual([]);
		},
	);

	test("fragments and packets behind extension headers are judged by their ports", async () => {
		await daemon.after(() =>
			daemon.home.put(
				"case.yaml",
				`# fragments\n${policy("p", { action: "Block", ...bothWays({ ports: [port("TCP", 80), port("UDP", 80), port("SCTP", 80)] }) })}`,
			),
		);
		const variants = (destination: number) =>
			expand({
				pass: cross(`ingress|egress tcp|udp|sctp 10.1.0.10|2001:db8::1 ${destination}`),
			}).probes.flatMap((probe) => [
				{ ...probe, fragments: true },
				...(probe.remote.includes(":")
					? [
							{ ...probe, extensions: ["hop-by-hop"] as const },
							{ ...probe, extensions: ["destination-options"] as const },
							{ ...probe, extensions: ["atomic-fragment"] as const },
						]
					: []),
			]);
		expect((await prober.table(variants(80))).filter((row) => row.endsWith("passed"))).toEqual([]);
		expect((await prober.table(variants(81))).filter((row) => row.endsWith("dropped"))).toEqual([]);
	});
});
