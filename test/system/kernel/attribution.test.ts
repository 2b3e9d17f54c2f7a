/** Every alert names the rule that judged its packet, however often the rules change around it. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { type Probe, Prober } from "../support/probe.ts";

let lab: Lab;
let prober: Prober;

beforeEach(async () => {
	lab = await Lab.create();
	prober = new Prober(lab);
});
afterEach(() => {
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

/** The rule for port 5000 + n is rule n of policy p(n mod 4); each version turns the rules round by one. */
function policies(version: number): Record<string, string> {
	const rules = Array.from({ length: 8 }, (_, index) => ({
		from: [block("10.0.0.0/8")],
		ports: [port("UDP", 5000 + ((index + version) % 8))],
		message: `version ${version} rule ${index}`,
	}));
	return {
		"even.yaml": policy(`even-${version}`, {
			action: "Block",
			severity: 3,
			ingress: rules.filter((_, i) => i % 2 === 0),
		}),
		"odd.yaml": policy(`odd-${version}`, {
			action: "Audit",
			severity: 7,
			ingress: rules.filter((_, i) => i % 2 === 1),
		}),
	};
}

describe.each(["concatenated", "nested"])("%s ruleset", (rulesetForm) => {
	test("alerts over 20 reloads name the rule of the version that saw the packet", async () => {
		await using daemon = await Daemon.start(lab.guarded, { policies: policies(0), config: { rulesetForm } });
		const expected = new Map<string, { policy: string; action: string; message: string }>();
		for (let version = 0; version < 20; version++) {
			if (version > 0) {
				const { "even.yaml": even = "", "odd.yaml": odd = "" } = policies(version);
				await daemon.after(() => {
					daemon.home.put("even.yaml", even);
					daemon.home.put("odd.yaml", odd);
				});
				const names = async () => (await daemon.status()).policies.map((one) => [one.name, one.enforced]);
				await eventually("both files", async () => {
					return (await names()).every(([name, enforced]) => `${name}`.endsWith(`-${version}`) && enforced);
				});
			}
			const probes = Array.from({ length: 8 }, (_, index): Probe => {
				const remote = `10.${version}.${index}.1`;
				const odd = index % 2 === 1;
				expected.set(remote, {
					policy: `${odd ? "odd" : "even"}-${version}`,
					action: odd ? "Audit" : "Block",
					message: `version ${version} rule ${index}`,
				});
				return { direction: "ingress", protocol: "udp", remote, port: 5000 + ((index + version) % 8) };
			});
			// The next version comes at once: these packets' records are still on their way.
			expect(await prober.send(probes)).toEqual(probes.map((_, index) => index % 2 === 1));
		}
		await eventually("every alert", () => daemon.alerts.length === expected.size);
		for (const alert of daemon.alerts) {
			const { SourceIP = "" } = alert.EventData;
			expect<object>({ policy: alert.PolicyName, action: alert.Action, message: alert.Message }).toEqual(
				expected.get(SourceIP) ?? { policy: "none", action: "none", message: SourceIP },
			);
		}
	});
});
