/**
 * bun bench/load-once.ts CASE FILE
 *
 * Compiles a case and enforces it in the network namespace that it is started
 * in, with the libraries' own calls, as the daemon does. Prints how long that
 * took, and leaves the same ruleset in FILE.
 */

import { writeFileSync } from "node:fs";
import { Nftables } from "../ffi/nftables.ts";
import { KernelTable } from "../src/enforcers/network/apply/kernel-table.ts";
import { planText } from "../src/enforcers/network/apply/table-objects.ts";
import { compileNetwork } from "../src/enforcers/network/compile/network.ts";
import type { NetworkPlan } from "../src/enforcers/network/compile/plan.ts";
import { hashFrom } from "../src/enforcers/network/compile/render/hashable.ts";
import type { NetworkPolicy } from "../src/enforcers/network/model.ts";
import { nftKernel } from "../src/kernel/nftables/kernel.ts";
import { makeCase, warmUpCase } from "./load-cases.ts";

const [name = "", file = ""] = process.argv.slice(2);
const table = "kubearmor";
const policies = makeCase(name);
const opened = Nftables.open();
if (!opened.ok) throw new Error(opened.reason);
const kernel = new KernelTable(nftKernel(opened.nftables), table);
const form = kernel.probe();

function enforce(set: readonly NetworkPolicy[]): NetworkPlan {
	const compiled = compileNetwork(set, {
		epoch: "bench",
		form,
		hashFrom,
		posture: "block",
		allowlistScope: "direction",
		failsafe: { ingress: [], egress: [] },
		essentials: true,
		nflogGroup: 4242,
		maxElements: 100_000_000,
		logLimit: { rate: 500, burst: 1000 },
	});
	if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
	const applied = kernel.apply(compiled.plan);
	if (!applied.ok) throw new Error(applied.error);
	return compiled.plan;
}

// As a daemon that has been running with other policies.
enforce(makeCase(warmUpCase));
const start = performance.now();
const plan = enforce(policies);
const milliseconds = performance.now() - start;

const atoms = policies
	.flatMap((policy) => [...policy.ingress, ...policy.egress])
	.reduce((sum, rule) => sum + Math.max(1, rule.peers.length) * Math.max(1, rule.ports.length), 0);
writeFileSync(file, planText(plan, table));
console.log(JSON.stringify({ milliseconds, atoms, elements: plan.elements }));
