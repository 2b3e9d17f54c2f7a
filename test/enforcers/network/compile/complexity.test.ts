import { expect, test } from "bun:test";
import { portCells } from "../../../../src/enforcers/network/compile/complexity.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { ruleSets } from "../../../../src/enforcers/network/compile/program.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { networkPart } from "../../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";
import { options } from "./options.ts";

/** `n` rules, each a block of its own with a port range that overlaps all others. */
function overlapping(n: number): NetworkPolicy {
	const rules = Array.from({ length: n }, (_, i) => ({
		from: [{ ipBlock: { cidr: `10.${i >> 8}.${i & 255}.0/24` } }],
		ports: [{ protocol: "TCP", port: 1 + i, endPort: 60_000 - i }],
	}));
	const text = JSON.stringify({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorNetworkPolicy",
		metadata: { name: "overlapping" },
		spec: { nodeSelector: { matchLabels: { a: "b" } }, ingress: rules },
	});
	const [policy] = networkPart.in(parsePolicyFile("a.json", text).documents);
	if (policy === undefined) throw new Error("the sample does not parse");
	return policy;
}

test("the cells of overlapping ranges are counted, not built", () => {
	// On 2n - 1 segments 1, 2, … n, … 2, 1 ranges are open, and of k blocks come at most 2k - 1 intervals.
	const n = 100;
	expect(portCells(ruleSets([overlapping(n)]).ingress.atoms)).toBe(2 * n * n - (2 * n - 1));
});

test("a set that would not fit in memory is refused at once, and its policies are named", () => {
	const result = compileNetwork([overlapping(4000)], { ...options, maxElements: 1_000_000 });
	expect(result.ok).toBe(false);
	expect(result.diagnostics[0]).toMatchObject({ code: "too-many-elements", file: "a.json", path: "spec" });
	expect(result.diagnostics[0]?.message).toContain('policy "overlapping" has 4000 combinations');
});
